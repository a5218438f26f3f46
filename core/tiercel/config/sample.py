"""A commented configuration with every option, made from the schema: what ``tiercel config init`` writes.

An option is behind one ``#``, words are behind ``# ``. Without the first ``#`` of its lines, a section is valid; what is still behind one
then is optional and has no default.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from tiercel.config.effective import scalar
from tiercel.config.keys import KEYS, OUTPUT_KEYS
from tiercel.config.schema import DEFAULTS, SECTIONS

if TYPE_CHECKING:
    from tiercel.plugins import PluginHost

__all__ = ["GRANT", "sample"]

WIDTH: Final = 100
GRANT: Final = "alerts"
"""Name of the grant in the sample, which options that want one refer to."""
COMMON_AT: Final = ("outputs", "stdout")
"""The component that shows the options that all outputs have."""
_GRANTS: Final = {GRANT: {"path": "/var/log/tiercel/alerts.json", "mode": "append"}}
_HEAD: Final = """\
Configuration of Tiercel. Every option is here, with its default; nothing is in force until you take away the # before it.
`tiercel config show` prints what is in force, `tiercel check` looks for mistakes. Files of the directory config.d go on with
this one."""


def sample(host: PluginHost) -> Iterator[str]:
    """The lines of the file.

    Args:
        host: the loaded plugins, whose options it has.
    """
    yield from _words(_HEAD, 0)
    for name, key in KEYS.items():
        yield ""
        yield from _option(name, _GRANTS if name == "grants" else None, key.schema, 0, hidden=1)
    for section in SECTIONS:
        yield ""
        registry: Any = {"sources": host.sources, "enrichers": host.enrichers, "outputs": host.outputs}[section]()
        words = f"The {registry.kind}s, by NAME or NAME/LABEL; these are all, with their options. Default: {scalar(DEFAULTS[section])}"
        if section == COMMON_AT[0]:
            words += f". Beside its own, each has {', '.join(OUTPUT_KEYS)}; see {COMMON_AT[1]}."
        yield from _words(words, 0)
        yield f"#{section}:" if len(registry) else f"#{section}: {{}}"
        for cls in registry:
            schema = cls.config_schema
            common = {name: key.schema for name, key in OUTPUT_KEYS.items()} if (section, cls.name) == COMMON_AT else {}
            properties = {**schema.get("properties", {}), **common}
            yield from _option(cls.name, None, {**schema, "properties": properties, "description": cls.summary}, 1, hidden=1)


def _option(name: str, value: Any, schema: Mapping[str, Any], depth: int, *, hidden: int) -> Iterator[str]:
    """The lines of one option.

    Args:
        name: its key.
        value: what it is set to; None for what the schema says.
        schema: of its value.
        depth: of its indentation.
        hidden: number of ``#`` before it.
    """
    indent = "  " * depth
    yield from _words(_description(schema), depth, hidden=hidden)
    properties = schema.get("properties", {})
    if value is None and properties and schema.get("type") == "object":
        yield f"{'#' * hidden}{indent}{name}:" + ("" if _visible(schema) else " {}")
        required = schema.get("required", ())
        for key, each in properties.items():
            has_value = key in required or "default" in each
            # A mapping without default is behind a # of its own with all that it has: only then what it requires is missing nowhere.
            yield from _option(key, None, each, depth + 1, hidden=hidden if has_value else hidden + 1)
        return
    yield f"{'#' * hidden}{indent}{name}: {scalar(_value(schema) if value is None else value)}"


def _visible(schema: Mapping[str, Any]) -> bool:
    """Whether a mapping has options that are no deeper behind # than itself."""
    return any(key in schema.get("required", ()) or "default" in each for key, each in schema.get("properties", {}).items())


def _value(schema: Mapping[str, Any]) -> Any:
    """A value that the schema allows: its default, an example, or the simplest."""
    if "default" in schema:
        return schema["default"]
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("x-tiercel") == "grant":
        return GRANT
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("type") == "array":
        return [_value(schema["items"])] * schema.get("minItems", 0)
    if schema.get("type") == "object":
        required = schema.get("required", ())
        return {name: _value(each) for name, each in schema.get("properties", {}).items() if name in required}
    text = "/PATH" if str(schema.get("pattern", "")).startswith("^/") else "TEXT"
    simple: dict[Any, Any] = {"string": text, "integer": schema.get("minimum", 1), "number": schema.get("minimum", 1), "boolean": True}
    return simple.get(schema.get("type"), "TEXT")


def _description(schema: Mapping[str, Any]) -> str:
    """What the option is, and what its values may be."""
    parts = [str(schema.get("description", ""))]
    if schema.get("enum"):
        parts.append(f"One of {', '.join(map(str, schema['enum']))}.")
    limits = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    if limits:
        parts.append(f"{' '.join(limits).capitalize()}.")
    if schema.get("writeOnly"):
        parts.append("A secret: env:NAME or file:/PATH.")
    if schema.get("examples") and "default" in schema:
        parts.append(f"Example: {scalar(schema['examples'][0])}")
    return " ".join(part for part in parts if part)


def _words(text: str, depth: int, *, hidden: int = 0) -> Iterator[str]:
    """Text as comments; within options that are hidden, behind their # and the indentation."""
    indent = "#" * hidden + "  " * depth if depth else ""
    for line in textwrap.wrap(text, WIDTH - len(indent), break_on_hyphens=False):
        yield f"{indent}# {line}"
