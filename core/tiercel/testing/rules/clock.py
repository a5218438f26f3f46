"""The simulated clock of rule tests: times and spans as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["START", "nanoseconds", "shift", "utc"]

SECOND: Final = 1_000_000_000
"""Nanoseconds."""
START: Final = 1_767_225_600 * SECOND
"""Time of the first event unless a test says otherwise: 2026-01-01T00:00:00Z."""
EXPECTED: Final = "a span such as 5s, 250ms, 2h, or a time such as 2026-01-01T12:00:00Z"

_UNITS: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND}
_SPAN: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ns|us|ms|s|m|h|d)")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def nanoseconds(text: str) -> int | None:
    """A span such as ``5s`` or ``1.5h``, or a time in ISO 8601 (UTC unless it says otherwise) since the epoch; None if it is neither."""
    span = _SPAN.fullmatch(text)
    if span:
        whole, _, fraction = span[1].partition(".")
        unit = _UNITS[span[2]]
        return int(whole) * unit + int(fraction.ljust(9, "0")) * unit // 10**9 if fraction else int(whole) * unit
    if len(text) < len("2026-01-01"):
        return None
    try:
        time = datetime.fromisoformat(text)
        aware = time if time.tzinfo else time.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(microseconds=1) * 1_000
    except (ValueError, OverflowError):
        return None


def shift(text: str, before: int) -> int:
    """The time of an event.

    Args:
        text: ``+SPAN`` after the event before, or a time.
        before: time of the event before, nanoseconds since the epoch.

    Raises:
        ValueError: it is neither, or no time that events can have.
    """
    relative = text.startswith("+")
    found = nanoseconds(text.removeprefix("+"))
    if found is None or relative is not bool(_SPAN.fullmatch(text.removeprefix("+"))):
        raise ValueError(f'bad time (got "{text}", expected +5s for five seconds after the event before, or 2026-01-01T12:00:00Z)')
    time = before + found if relative else found
    if not 0 <= time < 1 << 63:
        raise ValueError(f'bad time (got "{text}", expected one between 1970 and 2262)')
    return time


def utc(time: int, form: str) -> str:
    """Nanoseconds since the epoch as text by strftime(3), in UTC whatever the zone of this host."""
    return (_EPOCH + timedelta(seconds=time // SECOND)).strftime(form)
