"""From a file to a valid `Config` and the loaded plugins."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import Distribution
from typing import Any, Protocol

from tiercel.config import plugin_choice
from tiercel.config.document import CODE, Document, parse
from tiercel.config.files import Files, why_unreadable
from tiercel.config.grants import LOADERS
from tiercel.config.keys import KEYS, OUTPUT_KEYS
from tiercel.config.model import DEFAULT_FILE, Config
from tiercel.config.overrides import overridden
from tiercel.config.schema import SECTIONS, compose, with_defaults
from tiercel.errors import ConfigError, Diagnostic, PluginError, UserError
from tiercel.plugins import PluginHost
from tiercel.registry import ComponentRegistry

__all__ = ["Validate", "examine", "load", "read"]


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
    chosen = plugin_choice.choose(document)
    host = PluginHost(allow=chosen.allow, deny=chosen.deny, distributions=distributions)
    host.load()
    value = _normalised(document.value, file)
    registries: dict[str, ComponentRegistry[Any]] = {"sources": host.sources(), "enrichers": host.enrichers(), "outputs": host.outputs()}
    granted = value.get("grants")
    schema = compose(host, grants=[name for name in granted if name != LOADERS] if isinstance(granted, Mapping) else [])
    hints = {section: _hint(registry) for section, registry in registries.items()}
    problems = validate(dataclasses.replace(document, value=value), schema, hints=hints) if value else []
    if problems:
        names = value.get("rules_files")
        known = isinstance(names, list) and all(isinstance(name, str) for name in names)
        return Config(file=file, rules_files=tuple(names) if known and names else () if names is not None else None), host, problems
    return _made(with_defaults(schema, value), file), host, []


def _made(value: Mapping[str, Any], file: str) -> Config:
    """The configuration of a valid value with defaults."""
    own: dict[str, Any] = {name: key.parse(value[name]) for name, key in KEYS.items() if name in value}
    outputs, delivery = {}, {}
    for component_id, options in value["outputs"].items():
        outputs[component_id] = {name: each for name, each in options.items() if name not in OUTPUT_KEYS}
        delivery[component_id] = {name: key.parse(options[name]) for name, key in OUTPUT_KEYS.items() if name in options}
    return Config(file=file, sources=value["sources"], enrichers=value["enrichers"], outputs=outputs, delivery=delivery, **own)


def _normalised(value: Mapping[str, Any], file: str) -> dict[str, Any]:
    """The value with ``name:`` meaning ``name: {}`` for components, priorities in any case, and rule files by their absolute paths.

    Args:
        value: the value, not validated yet.
        file: rule files are relative to its directory.
    """
    found = dict(value)
    for section in SECTIONS:
        if isinstance(found.get(section), Mapping):
            found[section] = {name: {} if options is None else options for name, options in found[section].items()}
    if isinstance(found.get("priority"), str):
        found["priority"] = found["priority"].lower()
    if isinstance(found.get("rules_files"), list):
        directory = pathlib.Path(file).absolute().parent
        found["rules_files"] = [_absolute(name, directory) for name in found["rules_files"]]
    return found


def _absolute(name: Any, directory: pathlib.Path) -> Any:
    """The path of a rule file; what is none as it is."""
    return name if not isinstance(name, str) or not name or name.startswith("bundle:") else str(directory / name)


def _hint(registry: ComponentRegistry[Any]) -> str:
    """What the registry says about plugins that were left out."""
    try:
        registry.get("")
    except PluginError as error:
        _, _, hint = str(error).partition("; plugin ")
        return f"plugin {hint}" if hint else ""
    return ""
