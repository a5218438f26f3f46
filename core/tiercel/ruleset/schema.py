"""The JSON schema that Falco holds rule files against (rule language, section 1). It gives a status, and never stops a file from loading.

jsonschema is big and is imported by `validate` only; the running sensor does not call it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from tiercel.ruleset import yamltree

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

__all__ = ["FALSE", "RULE_SCHEMA", "TRUE", "SchemaResult", "validate"]

TRUE: Final = frozenset(form for word in ("y", "yes", "true", "on") for form in (word, word.capitalize(), word.upper()))
"""What means true in rule files."""
FALSE: Final = frozenset(form for word in ("n", "no", "false", "off") for form in (word, word.capitalize(), word.upper()))
"""What means false in rule files."""
MAX_MESSAGES: Final = 100
"""Messages that a result carries at most."""
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}|0x[0-9a-fA-F]{1,15}|0o?[0-7]{1,18}")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")

_TEXT: Final[Mapping[str, Any]] = {"type": "string"}
_FLAG: Final[Mapping[str, Any]] = {"type": "boolean"}
_OPERATION: Final[Mapping[str, Any]] = {"type": "string", "enum": ["append", "replace"]}
_PLUGIN: Final[Mapping[str, Any]] = {"name": _TEXT, "version": _TEXT}

RULE_SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            **dict.fromkeys(("required_engine_version", "macro", "condition", "list", "rule", "desc", "output", "source"), _TEXT),
            **dict.fromkeys(("enabled", "append", "capture", "warn_evttypes", "skip-if-unknown-filter"), _FLAG),
            "capture_duration": {"type": "integer"},
            "priority": {
                "type": "string",
                "enum": ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "INFORMATIONAL", "DEBUG"],
            },
            "items": {"type": "array", "items": {"type": ["string", "integer"]}},
            "tags": {"type": "array", "items": _TEXT},
            "exceptions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": _TEXT, "fields": {}, "comps": {}, "values": {}},
                    "required": ["name"],
                    "additionalProperties": False,
                },
            },
            "override": {
                "type": "object",
                "properties": dict.fromkeys(
                    (
                        "items", "desc", "condition", "output", "priority", "enabled", "exceptions", "capture", "capture_duration",
                        "tags", "warn_evttypes", "skip-if-unknown-filter",
                    ),
                    _OPERATION,
                ),
                "minProperties": 1,
                "additionalProperties": False,
            },
            "required_plugin_versions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        **_PLUGIN,
                        "alternatives": {
                            "type": "array",
                            "items": {
                                "type": "object", "properties": _PLUGIN, "required": ["name", "version"], "additionalProperties": False,
                            },
                        },
                    },
                    "required": ["name", "version"],
                    "additionalProperties": False,
                },
            },
        },
        "additionalProperties": False,
    },
}  # fmt: skip
"""The schema, as Falco has it: flat, nothing required; what it does not refuse may still be wrong."""


@dataclass(frozen=True, slots=True)
class SchemaResult:
    """What the schema says of a text.

    Attributes:
        status: ``none`` if there was nothing to hold against it: no YAML, or no document.
        messages: what does not fit, where, the first `MAX_MESSAGES`.
    """

    status: Literal["ok", "failed", "none"]
    messages: tuple[str, ...] = ()


def validate(text: str) -> SchemaResult:
    """Holds the text of a rule file against `RULE_SCHEMA`."""
    roots, error = yamltree.documents(text)
    values = [_value(root) for root in roots]
    values = [value for value in values if value is not None]
    if error is not None or not values:
        return SchemaResult("none")
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(RULE_SCHEMA)
    messages: list[str] = []
    for value in values:
        for problem in validator.iter_errors(value):
            messages.append(_message(problem))
            if len(messages) == MAX_MESSAGES:
                return SchemaResult("failed", tuple(messages))
    return SchemaResult("failed" if messages else "ok", tuple(messages))


def _value(node: yamltree.YamlNode) -> Any:
    """The JSON value of a node. Quoted texts are text; plain ones are what they look like, ``yes`` a boolean."""
    if isinstance(node, yamltree.Sequence):
        return [_value(item) for item in node.items]
    if isinstance(node, yamltree.Mapping):
        return {key.value if isinstance(key, yamltree.Scalar) else "?": _value(value) for key, value in node.pairs}
    text = node.value
    if node.style:
        return text
    if node.is_null:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    if _INTEGER.fullmatch(text):
        return int(text, 16 if text.startswith("0x") else 10)
    return float(text) if _NUMBER.fullmatch(text) else text


def _message(problem: ValidationError) -> str:
    """The place of a problem, and what was expected; values are not shown beyond their kind."""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem.absolute_path).lstrip(".") or "the file"
    kind, wanted, got = str(problem.validator), problem.validator_value, problem.instance
    if kind == "additionalProperties" and isinstance(got, Mapping) and isinstance(problem.schema, Mapping):
        return f"{where}: unknown key {', '.join(repr(name) for name in got if name not in problem.schema['properties'])}"
    if kind == "required" and isinstance(got, Mapping) and isinstance(wanted, Sequence):
        return f"{where}: missing key {', '.join(repr(name) for name in wanted if name not in got)}"
    if kind == "enum" and isinstance(wanted, Sequence):
        return f"{where}: expected one of {', '.join(map(str, wanted))} (got {got!r:.60})"
    if kind == "type":
        expected = " or ".join(map(str, wanted)) if isinstance(wanted, list) else wanted
        return f"{where}: expected {expected} (got {_kind(got)})"
    return f"{where}: expected at least {wanted} key"  # minProperties is the last keyword that the schema has


def _kind(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")
