"""The JSON Schema of test files. Editors can use it; the loader does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["SCHEMA"]

TEXT: Final = {"type": "string", "minLength": 1}
TEXTS: Final = {"type": "array", "items": TEXT}
FACT: Final = {"type": ["string", "number", "boolean", "null", "array", "object"]}
FACTS: Final = {
    "type": "object",
    "properties": {
        "ancestors": {
            "type": "array",
            "items": {"type": "object", "additionalProperties": FACT},
            "maxItems": 256,
            "description": "Facts of the parent, its parent and so on, by the names of the process itself: proc.name, proc.exepath, ...",
        },
    },
    "additionalProperties": FACT,
}
EVENT: Final = {
    **FACTS,
    "properties": {
        **FACTS["properties"],  # type: ignore[dict-item]
        "at": {**TEXT, "description": "+5s after the event before, or a time such as 2026-01-01T12:00:00Z."},
    },
}
CONTEXT: Final = {
    **FACTS,
    "type": ["string", "object", "array"],
    "items": {**FACTS, "type": ["string", "object"]},
    "description": "Facts, the name of a context, or a list of both; later ones win.",
}


def _closed(description: str, required: list[str], properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object", "description": description, "required": required, "additionalProperties": False, "properties": dict(properties),
    }  # fmt: skip


EXPECTED: Final = _closed(
    "An alert.",
    ["rule"],
    {
        "rule": {**TEXT, "description": "Name of the rule."},
        "priority": {**TEXT, "description": "Its priority, in any case."},
        "output": {"type": "string", "description": "The whole text of the alert."},
        "output_contains": {**TEXT, "description": "A part of the text."},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean", "null", "array"]},
            "description": "Values of fields that the rule's output prints; null for a missing one.",
        },
        "tags": {**TEXTS, "description": "All tags, in any order."},
    },
)
TEST: Final = _closed(
    "One test.",
    ["name"],
    {
        "name": {**TEXT, "description": "What it shows; unique in the file."},
        "context": CONTEXT,
        "events": {"type": "array", "items": EVENT, "minItems": 1, "maxItems": 10_000, "description": "The events, in order."},
        "capture": {**TEXT, "description": "A recording in place of events; its path is relative to this file."},
        "expect": {
            "type": "array",
            "items": EXPECTED,
            "minItems": 1,
            "description": "All alerts that the events must raise, in order, and no other.",
        },
        "expect_none": {
            "type": ["boolean", "array"],
            "items": TEXT,
            "description": "true: no alert at all. Names of rules: these must stay silent, others may speak.",
        },
    },
)
ACCEPTED: Final = _closed(
    "A mutant that may live.",
    ["rule", "mutant", "reason"],
    {
        "rule": {**TEXT, "description": "Name of the rule."},
        "mutant": {**TEXT, "description": "The mutant as `tiercel rules mutate` prints it: drop or negate, and the check."},
        "reason": {**TEXT, "description": "Why no test can tell it from the rule."},
    },
)
SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Tests of rules",
    **_closed(
        "Tests of rules for `tiercel rules test`.",
        ["tests"],
        {
            "rules": {
                **TEXTS,
                "minItems": 1,
                "description": "Rule files and directories, relative to this file, and bundle:NAME. By default NAME.yaml.",
            },
            "source": {**TEXT, "default": "syscall", "description": "Event source of the events."},
            "matching": {
                "enum": ["first", "all"],
                "default": "first",
                "description": "Whether the first rule that matches an event makes an alert, or each one.",
            },
            "lists": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": ["string", "number"]}},
                "description": "Lists that take the place of those of the rule files.",
            },
            "macros": {
                "type": "object",
                "additionalProperties": TEXT,
                "description": "Macros that take the place of those of the rule files.",
            },
            "contexts": {"type": "object", "additionalProperties": FACTS, "description": "Facts under a name, for `context`."},
            "context": CONTEXT,
            "tests": {"type": "array", "items": TEST, "minItems": 1, "description": "The tests."},
            "mutants_accepted": {"type": "array", "items": ACCEPTED, "description": "Mutants of rules that no test can kill."},
        },
    ),
}
