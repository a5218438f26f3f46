"""The section ``metrics_snapshots``: all counters now and then, for those who have no Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tiercel.config.intervals import interval_ms

__all__ = ["SCHEMA", "Snapshots", "parse"]

_UNITS: Final = "".join(rf"([0-9]{{1,15}}{unit})?" for unit in ("y", "w", "d", "h", "m", "s", "ms"))
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "Has the counters reported now and then, for those who do not ask for /metrics.",
    "properties": {
        "interval": {
            "type": "string",
            "pattern": f"^(?=[0-9]){_UNITS}$",
            "default": "1h",
            "description": "Time between two snapshots, as Prometheus writes it: 1h30m; at least 30 seconds.",
        },
        "alert": {"type": "boolean", "default": True, "description": "Whether a snapshot is an internal alert."},
        "file": {
            "type": "string",
            "description": "Grant of a file that snapshots are appended to, as lines of JSON.",
            "x-tiercel": "grant",
        },
    },
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshots:
    """When the counters are reported, and where.

    Attributes:
        seconds: between two snapshots.
        alert: whether they are internal alerts.
        file: grant of a file that gets them, or None.
    """

    seconds: float
    alert: bool = True
    file: str | None = None


def parse(value: Mapping[str, Any]) -> Snapshots:
    """The options of a valid section with defaults."""
    return Snapshots(seconds=max(30.0, interval_ms(value["interval"]) / 1000), alert=value["alert"], file=value.get("file"))
