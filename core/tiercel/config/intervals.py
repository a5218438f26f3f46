"""Intervals as Prometheus writes them: ``1h30m``."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["interval_ms"]

_UNITS: Final = {
    "y": 365 * 86_400_000, "w": 7 * 86_400_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1,
}  # fmt: skip
"""Milliseconds; a year has 365 days (prometheus.io, time durations)."""
_INTERVAL: Final = re.compile("".join(rf"(?:([0-9]{{1,15}}){unit})?" for unit in _UNITS))


def interval_ms(text: str) -> int:
    """Milliseconds of an interval: numbers with units, the larger unit first, blanks between them allowed; 0 for any other text."""
    match = _INTERVAL.fullmatch("".join(text.split()))
    if match is None:
        return 0
    return sum(int(number or 0) * size for number, size in zip(match.groups(), _UNITS.values(), strict=True))
