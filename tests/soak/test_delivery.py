"""The long version of tests/e2e/test_delivery.py. `TIERCEL_SOAK_KILLS` sets how long."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.e2e.conftest import folder
from tests.e2e.delivery.killing import killed
from tests.unit.pipeline.killed.killing import killed as killed_feeder

__all__ = ["folder"]

pytestmark = [pytest.mark.live, pytest.mark.soak]

KILLS = int(os.environ.get("TIERCEL_SOAK_KILLS", "200"))


def test_killed_with_outputs_that_are_down(installed: Path, folder: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    result = killed(installed, folder, kills=KILLS, rate=2000, down=60, rng=random.Random(seed))
    print(f"{KILLS} kills (seed {seed}): {result.check()}")
    assert sorted(result.delays)[len(result.delays) * 99 // 100] < 1


def test_delivery_killed_without_a_kernel(tmp_path: Path) -> None:
    """The same below the source: more kills in the time, and outputs that refuse."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}: {killed_feeder(tmp_path, kills=KILLS, rate=2000, down=60, rng=random.Random(seed))}")
