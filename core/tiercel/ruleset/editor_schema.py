"""A JSON Schema of rule files for editors (``tiercel schema --rules``): what each key means, and what belongs together.

Stricter than the one that Falco's status comes from (`tiercel.ruleset.schema`): that one is flat and requires nothing. Draft 7
(https://json-schema.org/draft-07), which editors know best.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tiercel.alert import Priority
from tiercel.ruleset.schema import FALSE, TRUE

__all__ = ["EDITOR_SCHEMA"]

Schema = dict[str, Any]

KINDS: Final = ("required_engine_version", "required_plugin_versions", "list", "macro", "rule")
"""The first of these keys decides the kind of an item (rule language, section 1)."""
DEFINING: Final = ("condition", "output", "desc", "priority")
"""What a rule cannot do without."""
APPENDED: Final = ("condition", "output", "desc", "tags", "exceptions")
REPLACED: Final = (
    *APPENDED, "priority", "enabled", "capture", "capture_duration", "warn_evttypes", "skip-if-unknown-filter",
)  # fmt: skip
_SCALAR: Final = ["string", "number", "boolean"]


def _object(properties: Schema, *, required: Iterable[str], **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False, **more}


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "minLength": 1, "description": description, **more}


def _flag(description: str, **more: Any) -> Schema:
    """A flag; YAML 1.2 takes ``yes`` for a text."""
    return {"anyOf": [{"type": "boolean"}, {"enum": sorted(TRUE | FALSE)}], "description": description, **more}


def _override(keys: Iterable[str], appended: Iterable[str]) -> Schema:
    """``override``: what happens to each key that the item has."""
    both, one = set(appended), {"replace": "takes the place of what was there"}
    texts = {**one, "append": "is added to what was there"}
    return {
        "type": "object",
        "description": "Changes an item that exists: for each key of this item, whether its value is appended or replaces what was there.",
        "properties": {
            key: {"enum": ["append", "replace"] if key in both else ["replace"], "description": "; ".join(
                f"{word}: {text}" for word, text in (texts if key in both else one).items()
            )}
            for key in keys
        },
        "minProperties": 1,
        "additionalProperties": False,
    }  # fmt: skip


def _overridden(keys: Iterable[str]) -> list[Schema]:
    """What is named below ``override`` must be there, and the other way round."""
    found: list[Schema] = []
    for key in keys:
        named = {"properties": {"override": {"required": [key]}}}
        found.append({"if": {**named, "required": ["override"]}, "then": {"required": [key]}})
        found.append({"if": {"required": [key, "override"]}, "then": named})
    return found


_APPEND: Final = _flag("Old form of override: the values are appended to an item that exists.", deprecated=True)
_CONDITION: Final = _text("The condition, in the rule language; it may name lists and macros.")
_VERSION: Final = _text("Version x.y.z.", pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
_PLUGIN_NAME: Final = _text("Name of the plugin.")
_VALUE: Final[Schema] = {
    "anyOf": [
        {"type": _SCALAR},
        {"type": "array", "items": {"anyOf": [{"type": _SCALAR}, {"type": "array", "items": {"type": _SCALAR}}]}},
    ]
}  # fmt: skip
_ONE_OR_MORE: Final[Schema] = {
    "anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string", "minLength": 1}}]
}

ENGINE: Final = _object(
    {
        "required_engine_version": {
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+\.[0-9]+)?$"}],
            "description": "Lowest version of the rule language that the file needs: x.y.z, or n for 0.n.0.",
        }
    },
    required=["required_engine_version"],
)
PLUGINS: Final = _object(
    {
        "required_plugin_versions": {
            "type": "array",
            "description": "Plugins that the file needs: all entries, in each the plugin or one of its alternatives.",
            "items": _object(
                {
                    "name": _PLUGIN_NAME,
                    "version": _VERSION,
                    "alternatives": {
                        "type": "array",
                        "description": "Plugins that do as well.",
                        "items": _object({"name": _PLUGIN_NAME, "version": _VERSION}, required=["name", "version"]),
                    },
                },
                required=["name", "version"],
            ),
        }
    },
    required=["required_plugin_versions"],
)
LIST: Final = _object(
    {
        "list": _text("Name of the list.", pattern="^[^()\"'\\s=,]+$"),
        "items": {"type": "array", "items": {"type": _SCALAR}, "description": "Values, and names of lists defined before."},
        "append": _APPEND,
        "override": _override(["items"], ["items"]),
    },
    required=["list", "items"],
    allOf=_overridden(["items"]),
)
MACRO: Final = _object(
    {
        "macro": _text("Name of the macro.", pattern="^[a-zA-Z]+[a-zA-Z0-9_]*$"),
        "condition": _CONDITION,
        "append": _APPEND,
        "override": _override(["condition"], ["condition"]),
    },
    required=["macro", "condition"],
    allOf=_overridden(["condition"]),
)
EXCEPTION: Final = _object(
    {
        "name": _text("Name of the exception."),
        "fields": {**_ONE_OR_MORE, "description": "The field, or the fields, that are compared."},
        "comps": {**_ONE_OR_MORE, "description": "Operators: one for each field, by default =; for a single field by default in."},
        "values": {
            "type": "array",
            "items": _VALUE,
            "description": "What is excluded: values of the single field, or for each combination a list with one value for each field.",
        },
    },
    required=["name"],
)
_FULL: Final[Schema] = {
    "required": ["rule", *DEFINING],
    "properties": {"exceptions": {"items": {"required": ["name", "fields"]}}},
}
RULE: Final = _object(
    {
        "rule": _text("Name of the rule, unique over all event sources."),
        "condition": _CONDITION,
        "output": _text("Text of the alert; %field stands for the value of a field."),
        "desc": _text("What the rule detects, and why that matters."),
        "priority": {
            "enum": [form for name in [*(each.label for each in Priority), "Info"] for form in (name, name.upper(), name.lower())],
            "description": "How urgent an alert is.",
        },
        "source": _text("The event source.", default="syscall"),
        "enabled": _flag("Whether the rule runs.", default=True),
        "tags": {"type": "array", "items": {"type": "string"}, "description": "Tags, such as mitre_execution and T1059.004."},
        "exceptions": {"type": "array", "items": EXCEPTION, "description": "What the condition must not match."},
        "warn_evttypes": _flag("false silences the warning about a condition without evt.type.", default=True),
        "skip-if-unknown-filter": _flag("true leaves the rule out where a field or event type does not exist.", default=False),
        "capture": _flag("Whether a match starts a capture.", default=False),
        "capture_duration": {"type": "integer", "minimum": 0, "description": "Milliseconds; 0 for the configured default."},
        "append": _APPEND,
        "override": _override(REPLACED, APPENDED),
    },
    required=["rule"],
    **{
        "if": {"required": ["override"]},
        "then": {"allOf": _overridden(REPLACED)},
        "else": {
            "if": {"required": ["append"], "properties": {"append": {"enum": [True, *sorted(TRUE)]}}},
            "then": {"anyOf": [{"required": ["condition"]}, {"required": ["exceptions"]}]},
            "else": {
                "if": {"required": ["enabled"], "not": {"anyOf": [{"required": [key]} for key in DEFINING]}},
                "then": {},  # the old way to enable or disable a rule
                "else": _FULL,
            },
        },
    },
)


def _by_kind(kinds: Mapping[str, Schema]) -> Schema:
    """The schema of an item, chosen by its first key in this order: messages are then about the one kind that is meant."""
    chosen: Schema = {"anyOf": [{"required": [kind]} for kind in kinds]}
    for kind, schema in reversed(list(kinds.items())):
        chosen = {"if": {"required": [kind]}, "then": schema, "else": chosen}
    return chosen


EDITOR_SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Rules of Tiercel and Falco",
    "description": "Lists, macros and rules.",
    "type": ["array", "null"],
    "items": {
        "if": {"type": "object"},
        "then": _by_kind(dict(zip(KINDS, (ENGINE, PLUGINS, LIST, MACRO, RULE), strict=True))),
        "else": {"type": "null"},
    },
}
