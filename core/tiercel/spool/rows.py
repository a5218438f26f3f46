"""One alert as the spool keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import orjson

from tiercel.alert import Alert, Priority

__all__ = ["OVERHEAD", "Row", "decode", "encode", "made"]

OVERHEAD: Final = 200
"""Bytes that the database needs for a row besides its texts: numbers, and entries of indexes (measured, rounded up)."""


@dataclass(slots=True)
class Row:
    """One alert in the spool.

    Attributes:
        seq: place in the order of all alerts: microseconds since the epoch when it came, or one more than that of the alert before it.
        alert: the alert.
        body: the alert as JSON; empty once it is on disk.
        size: bytes that count against budgets.
    """

    seq: int
    alert: Alert
    body: bytes
    size: int


def made(seq: int, alert: Alert) -> Row:
    """The row of an alert.

    Raises:
        Exception: nothing can write it; of these, `ValueError`: its time is none.
    """
    if not (isinstance(alert.time, int) and 0 <= alert.time < 1 << 63):  # what the database takes
        msg = f"time: not nanoseconds since the epoch (got {alert.time!r:.40})"
        raise ValueError(msg)
    body = encode(alert)
    return Row(seq, alert, body, len(body) + OVERHEAD)


def encode(alert: Alert) -> bytes:
    """The alert as JSON without a line break, nothing lost."""
    value = {
        "id": alert.id,
        "rule": alert.rule,
        "source": alert.source,
        "priority": int(alert.priority),
        "time": alert.time,
        "message": alert.message,
        "fields": alert.fields,
        "tags": alert.tags,
        "hostname": alert.hostname,
    }
    try:
        return orjson.dumps(value)
    except TypeError:  # bytes that are no UTF-8, as surrogates; numbers of more than 64 bits
        return json.dumps(value, default=str).encode()


def decode(body: bytes) -> Alert:
    """The alert of a JSON text that `encode` made.

    Raises:
        ValueError: the text is damaged.
    """
    try:
        value: dict[str, Any] = orjson.loads(body)
    except ValueError:
        value = json.loads(body)  # it takes surrogates
    try:
        return Alert(
            id=str(value["id"]),
            rule=str(value["rule"]),
            source=str(value["source"]),
            priority=Priority(value["priority"]),
            time=int(value["time"]),
            message=str(value["message"]),
            fields=dict(value["fields"]),
            tags=tuple(value["tags"]),
            hostname=str(value["hostname"]),
        )
    except (KeyError, TypeError, RecursionError) as error:
        msg = f"no alert ({type(error).__name__}: {error})"
        raise ValueError(msg) from error
