"""The long version of tests/e2e/test_delivery.py. `TIERCEL_SOAK_KILLS` sets how long."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.e2e.conftest import folder
from tests.e2e.delivery.killing import killed

__all__ = ["folder"]

pytestmark = [pytest.mark.live, pytest.mark.soak]

KILLS = int(os.environ.get("TIERCEL_SOAK_KILLS", "200"))


def test_killed_with_outputs_that_are_down(installed: Path, folder: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    result = killed(installed, folder, kills=KILLS, rate=2000, down=60, rng=random.Random(seed))
    print(f"{KILLS} kills (seed {seed}): {result.check()}")
    assert sorted(result.delays)[len(result.delays) * 99 // 100] < 1
