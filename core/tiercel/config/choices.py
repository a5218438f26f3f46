"""``rules``: what is enabled and disabled on top of what the rules say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tiercel.ruleset.selection import Choice

__all__ = ["SCHEMA", "parse"]

_CHOICE: Final = {
    "type": "object",
    "description": "One of rule (a name, in which * stands for any text) and tag.",
    "properties": {
        "rule": {"type": "string", "minLength": 1, "description": "Name of rules; * stands for any text."},
        "tag": {"type": "string", "minLength": 1, "description": "Rules with this tag."},
    },
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "array",
    "default": [],
    "description": "Enables and disables rules by name or tag, in order, on top of what the rules say themselves.",
    "examples": [[{"disable": {"tag": "noisy"}}, {"enable": {"rule": "Reverse shell*"}}]],
    "items": {
        "type": "object",
        "properties": {"enable": _CHOICE, "disable": _CHOICE},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    },
}


def parse(value: Sequence[Mapping[str, Mapping[str, str]]]) -> tuple[Choice, ...]:
    """The choices, in order."""
    return tuple(Choice(enable=action == "enable", **what) for each in value for action, what in each.items())
