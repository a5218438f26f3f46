"""The schema of the whole file, composed from the core's own and those of all registered components; and their defaults."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from tiercel.config.keys import KEYS, OUTPUT_KEYS

if TYPE_CHECKING:
    from tiercel.components.base import Component
    from tiercel.plugins import PluginHost
    from tiercel.registry import ComponentRegistry

__all__ = ["DEFAULTS", "SECTIONS", "compose", "schema_of", "with_defaults"]

SECTIONS: Final = {"sources": "source", "enrichers": "enricher", "outputs": "output"}
"""Sections that hold components -> kind."""
REFERENCE: Final = "x-tiercel"
"""Keyword of properties that name something of the configuration: "formatter" or "grant"."""

DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {"sources": {"ebpf": {}}, "enrichers": {}, "outputs": {"stdout": {}}}
"""Components of a configuration that says nothing of their kind."""


def compose(host: PluginHost, *, grants: Iterable[str]) -> dict[str, Any]:
    """JSON Schema (2020-12) of the file.

    Args:
        host: the loaded plugins.
        grants: names that options may refer to.
    """
    names = {"formatter": [cls.name for cls in host.formatters()], "grant": sorted(grants)}
    registries: dict[str, ComponentRegistry[Any]] = {"sources": host.sources(), "enrichers": host.enrichers(), "outputs": host.outputs()}
    sections = {section: _section(section, registry, names) for section, registry in registries.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {**{name: _named(key.schema, names) for name, key in KEYS.items()}, **sections},
        "additionalProperties": False,
    }


def _section(section: str, registry: ComponentRegistry[Any], names: Mapping[str, list[str]]) -> dict[str, Any]:
    common = {name: key.schema for name, key in OUTPUT_KEYS.items()} if section == "outputs" else {}
    return {
        "type": "object",
        "default": DEFAULTS[section],
        "description": f"The {registry.kind}s, by NAME or NAME/LABEL.",
        "patternProperties": {f"^{re.escape(cls.name)}(/[A-Za-z0-9_.-]+)?$": _component(cls, names, common) for cls in registry},
        "additionalProperties": False,
    }


def _component(cls: type[Component], names: Mapping[str, list[str]], common: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a component with its references turned into the names that exist, and with the core's keys."""
    schema = _named(cls.config_schema, names)
    return {**schema, "properties": {**schema.get("properties", {}), **common}}


def _named(schema: Mapping[str, Any], names: Mapping[str, list[str]]) -> dict[str, Any]:
    """A schema whose references, also those of mappings inside, are turned into the names that exist."""
    found = dict(schema)
    if found.get(REFERENCE) in names:
        found["enum"] = names[found[REFERENCE]]
    if isinstance(found.get("properties"), Mapping):
        found["properties"] = {
            name: _named(each, names) if isinstance(each, Mapping) else each for name, each in found["properties"].items()
        }
    return found


def with_defaults(schema: Mapping[str, Any], value: Any) -> Any:
    """A valid value with the schema's defaults, also of what is inside mappings and lists; JSON Schema itself does not apply them.

    Alternatives (``anyOf`` and the like) have no defaults. What there is no schema for stays as it is.
    """
    if isinstance(value, Mapping):
        properties = schema.get("properties", {})
        absent = {name: each["default"] for name, each in properties.items() if name not in value and "default" in each}
        return {name: with_defaults(schema_of(schema, name), each) for name, each in {**value, **absent}.items()}
    if isinstance(value, list):
        items = schema.get("items")
        return [with_defaults(items, each) for each in value] if isinstance(items, Mapping) else list(value)
    return value


def schema_of(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The schema of one value of a mapping; an empty one if there is none."""
    if name in schema.get("properties", {}):
        found = schema["properties"][name]
    else:
        patterns = schema.get("patternProperties", {})
        found = next((each for pattern, each in patterns.items() if re.search(pattern, name)), schema.get("additionalProperties"))
    return found if isinstance(found, Mapping) else {}
