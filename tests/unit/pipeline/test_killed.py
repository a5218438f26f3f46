"""Alerts between a source that delivers again and outputs, over sudden deaths. The long version is in tests/soak."""

from __future__ import annotations

import random
from pathlib import Path

from tests.unit.pipeline.killed.killing import killed


def test_nothing_is_lost_and_the_order_stays(tmp_path: Path) -> None:
    print(killed(tmp_path, kills=10, rate=2000, down=4, rng=random.Random(1)))
