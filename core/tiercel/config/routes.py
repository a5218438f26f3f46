"""``route`` and ``unless`` of an output: which alerts it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tiercel.alert import Priority
from tiercel.config.labels import FIELD

__all__ = ["ROUTE", "UNLESS", "Match", "normalised", "parse"]

_PATTERNS: Final = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}}
_MATCH: Final = {
    "type": "object",
    "description": "Alerts that fit all of these.",
    "properties": {
        "priority": {"enum": [priority.name.lower() for priority in Priority] + ["info"], "description": "As urgent as this, or more."},
        "rule": {"type": "string", "minLength": 1, "description": "Name of the rule; * stands for any text."},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "The rule has all of these."},
        "source": {"type": "string", "minLength": 1, "description": "Event source; * stands for any text."},
        "labels": _PATTERNS | {"description": "Labels and their values; * stands for any text."},
        "fields": _PATTERNS | {"description": "Fields of the alert and their values; * stands for any text."},
    },
    "minProperties": 1,
    "additionalProperties": False,
}
ROUTE: Final[Mapping[str, Any]] = {
    "type": "array",
    "minItems": 1,
    "items": _MATCH,
    "examples": [[{"priority": "warning"}, {"tags": ["network"]}]],
    "description": "The output gets only alerts that fit one of these. By default all.",
}
UNLESS: Final[Mapping[str, Any]] = {
    "type": "array",
    "minItems": 1,
    "items": _MATCH,
    "examples": [[{"rule": "Noisy*"}]],
    "description": "The output does not get alerts that fit one of these, whatever `route` says.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What an alert must fit, all of it.

    Attributes:
        priority: the least urgent that fits.
        rule: pattern of the rule's name, in which ``*`` stands for any text; None for any.
        tags: tags that the rule has, all of them.
        source: pattern of the event source; None for any.
        fields: field of the alert -> pattern of its value; labels are the fields that `tiercel.config.labels` names.
    """

    priority: Priority = Priority.DEBUG
    rule: str | None = None
    tags: tuple[str, ...] = ()
    source: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


def parse(value: Sequence[Mapping[str, Any]]) -> tuple[Match, ...]:
    """The matches, in order."""
    return tuple(
        Match(
            priority=Priority.parse(each.get("priority", "debug")),
            rule=each.get("rule"),
            tags=tuple(each.get("tags", ())),
            source=each.get("source"),
            fields={**{FIELD + name: value for name, value in each.get("labels", {}).items()}, **each.get("fields", {})},
        )
        for each in value
    )


def normalised(options: Any) -> Any:
    """Options of an output, not validated yet, with the priorities of its matches in lower case."""
    if not isinstance(options, Mapping):
        return options
    lists = {key: options[key] for key in ("route", "unless") if isinstance(options.get(key), list)}
    return {**options, **{key: [_lower(each) for each in entries] for key, entries in lists.items()}}


def _lower(match: Any) -> Any:
    known = isinstance(match, Mapping) and isinstance(match.get("priority"), str)
    return {**match, "priority": match["priority"].lower()} if known else match
