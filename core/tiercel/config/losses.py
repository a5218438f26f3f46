"""The section ``event_loss``: when events that got lost are an internal alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["SCHEMA", "EventLoss", "parse"]

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "default": {},
    "description": "When events that got lost are reported by an internal alert. They are always counted.",
    "properties": {
        "threshold": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": 0,
            "description": "Share of a source's events, lost within two seconds, above which they are reported; 0 for each that gets lost.",
        },
        "interval_secs": {
            "type": "integer",
            "minimum": 30,
            "maximum": 86400,
            "default": 30,
            "description": "Seconds between two reports; what gets lost in between is in the next.",
        },
    },
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLoss:
    """When events that got lost are reported.

    Attributes:
        threshold: share of the events above which they are.
        interval_secs: seconds between two reports.
    """

    threshold: float = 0.0
    interval_secs: float = 30.0


def parse(value: Mapping[str, Any]) -> EventLoss:
    """The options of a valid section with defaults."""
    return EventLoss(**value)
