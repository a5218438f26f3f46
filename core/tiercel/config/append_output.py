"""``append_output``: what is added to the outputs and fields of alerts (rule language, section 12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tiercel.ruleset.extra_output import ExtraOutput

__all__ = ["SCHEMA", "parse"]

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "array",
    "default": [],
    "description": "What is added to the output and the fields of alerts.",
    "examples": [[{"match": {"source": "syscall"}, "extra_output": "user=%user.name", "extra_fields": ["proc.cwd"]}]],
    "items": {
        "type": "object",
        "properties": {
            "match": {
                "type": "object",
                "description": "Rules that it is for: those that fit all of these.",
                "properties": {
                    "source": {"type": "string", "description": "Event source."},
                    "rule": {"type": "string", "description": "Name of the rule."},
                    "tags": {"type": "array", "items": {"type": "string"}, "description": "The rule has all of these."},
                },
                "additionalProperties": False,
            },
            "extra_output": {"type": "string", "minLength": 1, "description": "Format that is added to the output, behind a blank."},
            "extra_fields": {
                "type": "array",
                "description": "Names of fields, and NAME: FORMAT for texts.",
                "items": {
                    "anyOf": [
                        {"type": "string", "minLength": 1, "description": "the name of a field"},
                        {
                            "type": "object",
                            "minProperties": 1,
                            "maxProperties": 1,
                            "additionalProperties": {"type": "string"},
                            "description": "one NAME: FORMAT",
                        },
                    ]
                },
            },
            "suggested_output": {
                "type": "boolean",
                "default": False,
                "description": "Adds the fields that plugins suggest: container_id=%container.id and the like.",
            },
        },
        "additionalProperties": False,
    },
}


def parse(value: Sequence[Mapping[str, Any]]) -> tuple[ExtraOutput, ...]:
    """The entries, in order."""
    return tuple(_entry(each) for each in value)


def _entry(entry: Mapping[str, Any]) -> ExtraOutput:
    match = entry.get("match", {})
    fields = [item for each in entry.get("extra_fields", ()) for item in (each.items() if isinstance(each, Mapping) else ((each, None),))]
    return ExtraOutput(
        source=match.get("source", ""),
        rule=match.get("rule", ""),
        tags=tuple(match.get("tags", ())),
        output=entry.get("extra_output", ""),
        fields=tuple(fields),
        suggested=entry["suggested_output"],
    )
