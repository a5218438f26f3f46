"""The schema of the whole file, composed from the core's own and those of all registered components; and their defaults."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from tiercel.alert import Priority

if TYPE_CHECKING:
    from tiercel.components.base import Component
    from tiercel.plugins import PluginHost
    from tiercel.registry import ComponentRegistry

__all__ = ["SECTIONS", "compose", "with_defaults"]

SECTIONS: Final = {"sources": "source", "enrichers": "enricher", "outputs": "output"}
"""Sections that hold components -> kind."""
REFERENCE: Final = "x-tiercel"
"""Keyword of properties that name something of the configuration: "formatter" or "grant"."""

PLUGIN_NAMES: Final = {"type": "array", "items": {"type": "string", "minLength": 1}}
CHOICE: Final = {
    "type": "object",
    "description": "One of rule (a name, in which * stands for any text) and tag.",
    "properties": {"rule": {"type": "string", "minLength": 1}, "tag": {"type": "string", "minLength": 1}},
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
CORE: Final[Mapping[str, Any]] = {
    "rules_files": {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "description": "Rule files, directories of them, and bundles of plugins as bundle:NAME, in order. By default all bundles.",
    },
    "rule_matching": {
        "enum": ["first", "all"],
        "default": "first",
        "description": "Whether the first rule that matches an event makes an alert, or each one.",
    },
    "priority": {
        "enum": [priority.name.lower() for priority in Priority] + ["info"],
        "default": "debug",
        "description": "Rules that are less urgent are not loaded.",
    },
    "rules": {
        "type": "array",
        "description": "Enables and disables rules by name or tag, in order, on top of what the rules say themselves.",
        "items": {
            "type": "object",
            "properties": {"enable": CHOICE, "disable": CHOICE},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        },
    },
    "append_output": {
        "type": "array",
        "description": "What is added to the output and the fields of alerts.",
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
    },
    "grants": {
        "type": "object",
        "description": "What root does for the sensor: files to open for it, and loaders to start.",
        "properties": {"loaders": {"type": "array", "items": {"type": "string"}, "description": "Loaders of sources; by default ebpf."}},
        "additionalProperties": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "pattern": "^/", "description": "Absolute path of the file."},
                "mode": {"enum": ["append", "read"], "description": "How it is opened."},
            },
            "required": ["path", "mode"],
            "additionalProperties": False,
        },
    },
    "plugins": {
        "type": "object",
        "description": "Which plugins are imported, by the names that `tiercel plugins` lists.",
        "properties": {
            "allow": PLUGIN_NAMES | {"description": "Of other distributions, only these."},
            "deny": PLUGIN_NAMES | {"description": "Not these."},
        },
        "additionalProperties": False,
    },
}


def compose(host: PluginHost, *, grants: Iterable[str]) -> dict[str, Any]:
    """JSON Schema (2020-12) of the file.

    Args:
        host: the loaded plugins.
        grants: names that options may refer to.
    """
    names = {"formatter": [cls.name for cls in host.formatters()], "grant": sorted(grants)}
    registries: dict[str, ComponentRegistry[Any]] = {"sources": host.sources(), "enrichers": host.enrichers(), "outputs": host.outputs()}
    sections = {section: _section(registry, names) for section, registry in registries.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {**CORE, **sections},
        "additionalProperties": False,
    }


def _section(registry: ComponentRegistry[Any], names: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": f"The {registry.kind}s, by NAME or NAME/LABEL.",
        "patternProperties": {f"^{re.escape(cls.name)}(/[A-Za-z0-9_.-]+)?$": _component(cls, names) for cls in registry},
        "additionalProperties": False,
    }


def _component(cls: type[Component], names: Mapping[str, list[str]]) -> dict[str, Any]:
    """The schema of a component with its references turned into the names that exist."""
    schema = dict(cls.config_schema)
    schema["properties"] = {
        name: {**each, "enum": names[each[REFERENCE]]} if isinstance(each, Mapping) and each.get(REFERENCE) in names else each
        for name, each in schema.get("properties", {}).items()
    }
    return schema


def with_defaults(schema: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """The options with the schema's defaults, also of objects inside; JSON Schema itself does not apply them."""
    found = dict(value)
    for name, each in schema.get("properties", {}).items():
        if name not in found and "default" in each:
            found[name] = each["default"]
        if isinstance(found.get(name), Mapping):
            found[name] = with_defaults(each, found[name])
    return found
