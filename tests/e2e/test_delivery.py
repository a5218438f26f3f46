"""Alerts of a running sensor reach their outputs, whatever happens to it and to them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.e2e.delivery.killing import killed

pytestmark = [pytest.mark.live, pytest.mark.slow]


def test_killed_with_outputs_that_are_down(installed: Path, folder: Path) -> None:
    """The long version is in tests/soak."""
    result = killed(installed, folder, kills=12, rate=2000, down=20, rng=random.Random(5))
    print(result.check())
    assert sorted(result.delays)[len(result.delays) * 99 // 100] < 1  # a dead output delays no other
