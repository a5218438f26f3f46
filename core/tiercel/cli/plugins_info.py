"""``tiercel plugins info``: everything about one plugin."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tiercel.errors import PluginError
from tiercel.registry import suggest

if TYPE_CHECKING:
    from tiercel.components.base import Component
    from tiercel.fields import Field
    from tiercel.plugins import PluginHost
    from tiercel.plugins.model import Plugin

__all__ = ["describe", "show"]


def describe(host: PluginHost, name: str) -> dict[str, Any]:
    """A plugin with its components, fields and rule bundles, for programs.

    Raises:
        tiercel.PluginError: there is no such plugin.
    """
    plugins = {plugin.name: plugin for plugin in host.plugins()}
    if name not in plugins:
        msg = f'plugin "{name}": not found{suggest(name, plugins)}; `tiercel plugins` lists those that are'
        raise PluginError(msg)
    plugin = plugins[name]
    provided = set(plugin.provides)
    fields = {field.name: field for source in ("*", *host.fields().sources()) for field in host.fields().fields(source)}
    return dataclasses.asdict(plugin) | {
        "state": plugin.state.value,
        "components": [_component(kind, cls) for kind, cls in _components(host) if f"{kind} {cls.name}" in provided],
        "fields": [_field(field) for _, field in sorted(fields.items()) if _is_of(field, plugin)],
        "rules": [
            {"bundle": bundle.name, "summary": bundle.summary, "files": [file for file, _ in bundle.files()]}
            for bundle in host.rules()
            if f"rules {bundle.name}" in provided
        ],
    }


def _components(host: PluginHost) -> Iterator[tuple[str, type[Component]]]:
    for registry in (host.sources(), host.decoders(), host.enrichers(), host.formatters(), host.outputs()):
        for cls in registry:
            yield registry.kind, cls


def _component(kind: str, cls: type[Component]) -> dict[str, Any]:
    found = {
        "kind": kind,
        "name": cls.name,
        "summary": cls.summary,
        "api_version": cls.api_version,
        "stability": cls.stability.value,
        "options": cls.config_schema,
    }
    event_source = getattr(cls, "event_source", None)
    return found if event_source is None else found | {"event_source": event_source}


def _is_of(field: Field, plugin: Plugin) -> bool:
    return field.owner == plugin.owner and f"field {field.name}" in plugin.provides


def _field(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "type": field.type.value,
        "is_list": field.is_list,
        "inputs": field.inputs,
        "description": field.description,
        "absent": field.absent,
    }


def show(found: Mapping[str, Any]) -> None:
    """Prints what `describe` says, for people."""
    print(found["name"])
    where = f"{found['distribution']} {found['version']}" if found["distribution"] else "a plugin file"
    for title, text in (
        ("from", where),
        ("state", found["state"]),
        ("why", found["reason"]),
        ("path", found["path"] or found["target"]),
        ("requires", ", ".join(found["requires"])),
        ("hooks", ", ".join(found["hooks"])),
    ):
        if text:
            print(f"  {title:<10}{text}")
    for each in found["components"]:
        print(f"\n{each['kind']} {each['name']} ({each['stability']}, API {each['api_version']})\n  {each['summary']}")
        for name, schema in each["options"].get("properties", {}).items():
            needed = " (required)" if name in each["options"].get("required", ()) else ""
            print(f"  {name}{needed}: {schema.get('description', '')}")
    if found["fields"]:
        print("\nfields")
        for each in found["fields"]:
            kind = f"list of {each['type']}" if each["is_list"] else each["type"]
            note = " (no value yet)" if each["absent"] else ""
            print(f"  {each['name']} ({kind}){note}: {each['description']}")
    for each in found["rules"]:
        print(f"\nrules bundle:{each['bundle']}\n  {each['summary']}".rstrip())
        for file in each["files"]:
            print(f"  {file}")
