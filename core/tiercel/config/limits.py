"""``rate_limit`` and ``roll_up`` of an output: how many alerts it gets, and which are counted in one instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["RATE_LIMIT", "ROLL_UP", "RateLimit", "RollUp", "parse_rate_limit", "parse_roll_up"]

_SECOND: Final = 1_000_000_000
_WINDOW: Final = {"type": "number", "minimum": 0.1, "maximum": 86_400, "default": 60}
_GROUPS: Final = {
    "type": "integer",
    "minimum": 1,
    "maximum": 100_000,
    "default": 1000,
    "description": "Groups that are told apart at a time; what belongs to none of them is one group more, with exact counts too.",
}
_GROUP_BY: Final = {
    "type": "array",
    "items": {"type": "string", "minLength": 1},
    "uniqueItems": True,
    "maxItems": 16,
}
RATE_LIMIT: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "How many alerts the output gets. Those held back come as one alert per rule and window, which says how many they were.",
    "properties": {
        "alerts_per_sec": {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000, "description": "Alerts a second."},
        "burst": {"type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 10, "description": "Alerts at once, after a pause."},
        "group_by": _GROUP_BY | {
            "default": [],
            "description": "A limit of its own for each rule, source, priority or value of a field; empty for one limit for all.",
        },
        "window_secs": _WINDOW | {"description": "Seconds after which it is said what was held back."},
        "max_groups": _GROUPS,
    },
    "required": ["alerts_per_sec"],
    "additionalProperties": False,
}  # fmt: skip
ROLL_UP: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "The first alert of a group comes at once; those that follow within the window come as one, which says how many.",
    "properties": {
        "group_by": _GROUP_BY | {
            "minItems": 1,
            "default": ["rule"],
            "description": "What makes a group: the same rule, source, priority or fields of the alert.",
        },
        "window_secs": _WINDOW | {"description": "Seconds from the first alert of a group."},
        "max_groups": _GROUPS,
    },
    "additionalProperties": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """A token bucket for each group.

    Attributes:
        alerts_per_sec: tokens a second.
        burst: tokens that a bucket holds.
        group_by: ``rule``, ``source``, ``priority`` or a field; empty for one bucket.
        window: nanoseconds after which what was held back is summed up.
        max_groups: buckets and sums that are told apart.
    """

    alerts_per_sec: float
    burst: int
    group_by: tuple[str, ...]
    window: int
    max_groups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RollUp:
    """Windows that begin with the first alert of a group.

    Attributes:
        group_by: ``rule``, ``source``, ``priority`` or a field.
        window: length in nanoseconds.
        max_groups: groups that are told apart.
    """

    group_by: tuple[str, ...]
    window: int
    max_groups: int


def parse_rate_limit(value: Mapping[str, Any]) -> RateLimit:
    """The limit of a valid value with defaults."""
    return RateLimit(
        alerts_per_sec=float(value["alerts_per_sec"]),
        burst=value["burst"],
        group_by=tuple(value["group_by"]),
        window=round(value["window_secs"] * _SECOND),
        max_groups=value["max_groups"],
    )


def parse_roll_up(value: Mapping[str, Any]) -> RollUp:
    """The roll-up of a valid value with defaults."""
    return RollUp(group_by=tuple(value["group_by"]), window=round(value["window_secs"] * _SECOND), max_groups=value["max_groups"])
