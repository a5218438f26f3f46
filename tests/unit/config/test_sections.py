"""Sections of the core that are about operation."""

from __future__ import annotations

import re

import pytest

from tiercel.config.snapshots import SCHEMA


@pytest.mark.parametrize("text", ["1h", "1h30m", "1y2w3d4h5m6s7ms", "100ms"])
def test_intervals(text: str) -> None:
    assert re.search(SCHEMA["properties"]["interval"]["pattern"], text)


@pytest.mark.parametrize("text", ["", "h", "30m1h", "1", "1h 30m", "-1h", "x1h"])
def test_what_is_no_interval(text: str) -> None:
    assert not re.search(SCHEMA["properties"]["interval"]["pattern"], text)
