"""From a file to a valid `Config` and the loaded plugins."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import Distribution
from typing import Any, Final, Protocol

from tiercel.alert import Priority
from tiercel.config.document import CODE, Document, parse
from tiercel.config.files import Files, why_unreadable
from tiercel.config.model import DEFAULT_FILE, Config, Grant
from tiercel.config.overrides import overridden
from tiercel.config.schema import SECTIONS, compose, with_defaults
from tiercel.errors import ConfigError, Diagnostic, PluginError, UserError
from tiercel.plugins import PluginHost
from tiercel.registry import ComponentRegistry
from tiercel.ruleset.extra_output import ExtraOutput
from tiercel.ruleset.selection import Choice

__all__ = ["DEFAULTS", "Validate", "examine", "load", "read"]

DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {"sources": {"ebpf": {}}, "enrichers": {}, "outputs": {"stdout": {}}}
"""Components of a configuration that says nothing of their kind."""


class Validate(Protocol):
    """`tiercel.config.validate.validate`, or `apart` of the same module."""

    def __call__(self, document: Document, schema: Mapping[str, Any], *, hints: Mapping[str, str]) -> list[Diagnostic]:
        """All problems of the document."""


def read(path: pathlib.Path | None, *, files: Files) -> tuple[str, str]:
    """Name and text of the configuration.

    Args:
        path: the file; None for `DEFAULT_FILE` if it exists, else the built-in configuration, which is empty and has no name.
        files: how files are read.

    Raises:
        tiercel.ConfigError: it cannot be read.
    """
    if path is None:
        if not DEFAULT_FILE.exists():
            return "", ""
        path = DEFAULT_FILE
    try:
        return str(path), files.read(path)
    except (OSError, UnicodeDecodeError, UserError) as error:
        raise ConfigError([Diagnostic(str(path), 0, 0, CODE, f"cannot be read: {why_unreadable(error)}")]) from error


def load(
    text: str, file: str, *, validate: Validate, distributions: Iterable[Distribution] | None = None, options: Sequence[str] = ()
) -> tuple[Config, PluginHost]:  # fmt: skip
    """Parses a configuration, loads the plugins that it allows, and validates it against their schemas.

    Args:
        text: the YAML.
        file: name for messages.
        validate: how to check it against the schema: in this process, or in a child.
        distributions: where to look for plugins; by default all that are installed.
        options: ``KEY=VALUE`` of the command line (`tiercel.config.overrides`).

    Raises:
        tiercel.ConfigError: with all problems of the file.
        tiercel.PluginError: two plugins clash.
    """
    config, host, problems = examine(text, file, validate=validate, distributions=distributions, options=options)
    if problems:
        raise ConfigError(problems)
    return config, host


def examine(
    text: str, file: str, *, validate: Validate, distributions: Iterable[Distribution] | None = None, options: Sequence[str] = ()
) -> tuple[Config, PluginHost, list[Diagnostic]]:  # fmt: skip
    """`load` for those who go on to look for more problems: returns those of the file, and then only its rule files, if any.

    Raises:
        tiercel.ConfigError: it is no YAML, or does not say clearly which plugins may be loaded.
        tiercel.PluginError: two plugins clash.
    """
    document = overridden(parse(text, file), options)
    allow, deny = _plugin_choice(document)
    host = PluginHost(allow=allow, deny=deny, distributions=distributions)
    host.load()
    value = _normalised(document.value)
    registries: dict[str, ComponentRegistry[Any]] = {"sources": host.sources(), "enrichers": host.enrichers(), "outputs": host.outputs()}
    grants = value.get("grants")
    schema = compose(host, grants=[name for name in grants if name != "loaders"] if isinstance(grants, Mapping) else [])
    hints = {section: _hint(registry) for section, registry in registries.items()}
    problems = validate(dataclasses.replace(document, value=value), schema, hints=hints) if value else []
    if problems:
        names = value.get("rules_files")
        known = isinstance(names, list) and all(isinstance(name, str) for name in names)
        return Config(file=file, rules_files=_rules_files(value, file) if known else ()), host, problems
    components = {section: _components(value.get(section, DEFAULTS[section]), registry) for section, registry in registries.items()}
    config = Config(
        file=file,
        rules_files=_rules_files(value, file),
        rule_matching=value.get("rule_matching", "first"),
        priority=Priority.parse(value.get("priority", "debug")),
        rules=tuple(Choice(enable=action == "enable", **what) for each in value.get("rules", ()) for action, what in each.items()),
        append_output=tuple(_extra_output(each) for each in value.get("append_output", ())),
        grants={name: Grant(each["path"], each["mode"]) for name, each in value.get("grants", {}).items() if name != "loaders"},
        allow=allow,
        deny=deny,
        sources=components["sources"],
        enrichers=components["enrichers"],
        outputs=components["outputs"],
    )
    return config, host, []


def _plugin_choice(document: Document) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """``plugins.allow`` and ``plugins.deny``. Checked by hand, because nothing may be imported before they are known to be right."""
    section = document.value.get("plugins", {})
    if not isinstance(section, dict):
        raise ConfigError([document.problem(("plugins",), "expected a mapping with allow or deny")])
    problems = []
    found: dict[str, tuple[str, ...]] = {}
    for key, names in section.items():
        if key not in ("allow", "deny"):
            problems.append(document.problem(("plugins", key), f'unknown option "{key}"; known: allow, deny', at_key=True))
        elif not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            problems.append(document.problem(("plugins", key), "expected a list of plugin names"))
        else:
            found[key] = tuple(names)
    if problems:
        raise ConfigError(problems)
    return found.get("allow"), found.get("deny", ())


def _normalised(value: Mapping[str, Any]) -> dict[str, Any]:
    """The value with ``name:`` meaning ``name: {}`` for components, and priorities in any case."""
    found = dict(value)
    for section in SECTIONS:
        if isinstance(found.get(section), Mapping):
            found[section] = {name: {} if options is None else options for name, options in found[section].items()}
    if isinstance(found.get("priority"), str):
        found["priority"] = found["priority"].lower()
    return found


def _rules_files(value: Mapping[str, Any], file: str) -> tuple[str, ...] | None:
    """The rule files; relative paths are relative to the configuration file."""
    names: list[str] | None = value.get("rules_files")
    if names is None:
        return None
    directory = pathlib.Path(file).absolute().parent
    return tuple(name if name.startswith("bundle:") else str(directory / name) for name in names)


def _extra_output(entry: Mapping[str, Any]) -> ExtraOutput:
    match = entry.get("match", {})
    fields = [item for each in entry.get("extra_fields", ()) for item in (each.items() if isinstance(each, Mapping) else ((each, None),))]
    return ExtraOutput(
        source=match.get("source", ""),
        rule=match.get("rule", ""),
        tags=tuple(match.get("tags", ())),
        output=entry.get("extra_output", ""),
        fields=tuple(fields),
        suggested=entry.get("suggested_output", False),
    )


def _components(section: Mapping[str, Any], registry: ComponentRegistry[Any]) -> dict[str, dict[str, Any]]:
    """Options of the components with their defaults. A default component that is not installed is found missing when it is built."""
    found = {}
    for component_id, options in section.items():
        name = component_id.partition("/")[0]
        found[component_id] = with_defaults(registry.get(name).config_schema, options) if name in registry else dict(options)
    return found


def _hint(registry: ComponentRegistry[Any]) -> str:
    """What the registry says about plugins that were left out."""
    try:
        registry.get("")
    except PluginError as error:
        _, _, hint = str(error).partition("; plugin ")
        return f"plugin {hint}" if hint else ""
    return ""
