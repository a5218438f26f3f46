"""``plugins``: which plugins are imported. Looked at before the file is validated, because that needs the plugins."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tiercel.errors import ConfigError

if TYPE_CHECKING:
    from tiercel.config.document import Document

__all__ = ["SCHEMA", "PluginChoice", "choose", "parse"]

_NAMES: Final = {"type": "array", "items": {"type": "string", "minLength": 1}}
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "default": {},
    "description": "Which plugins are imported, by the names that `tiercel plugins` lists.",
    "properties": {
        "allow": _NAMES | {"examples": [[]], "description": "Of other distributions, only these."},
        "deny": _NAMES | {"default": [], "description": "Not these."},
        "paths": {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "default": [],
            "description": "Plugin files. Each must belong to root, or to the user who runs this, and so must the directories above it; "
            "nobody else may be able to write there. The user that the sensor runs as must be able to read it.",
        },
    },
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class PluginChoice:
    """Which plugins are imported.

    Attributes:
        allow: plugins of other distributions that may be imported; None for all.
        deny: plugins that must not be imported.
        paths: plugin files.
    """

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()


def parse(value: Mapping[str, Any]) -> PluginChoice:
    """The choice."""
    allow = value.get("allow")
    paths = tuple(Path(path) for path in value.get("paths", ()))
    return PluginChoice(None if allow is None else tuple(allow), tuple(value.get("deny", ())), paths)


def choose(document: Document) -> PluginChoice:
    """The choice of a file that is not validated yet. Checked by hand, because nothing may be imported before it is known to be right.

    Paths are made absolute: they are relative to the directory of the file that names them.

    Raises:
        tiercel.ConfigError: with what is wrong in the section.
    """
    section = document.value.get("plugins", {})
    if not isinstance(section, dict):
        raise ConfigError([document.problem(("plugins",), f"expected a mapping with {', '.join(SCHEMA['properties'])}")])
    problems = []
    for key, names in section.items():
        if key not in SCHEMA["properties"]:
            problems.append(
                document.problem(("plugins", key), f'unknown option "{key}"; known: {", ".join(SCHEMA["properties"])}', at_key=True)
            )
        elif not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            problems.append(document.problem(("plugins", key), f"expected a list of {'paths' if key == 'paths' else 'plugin names'}"))
    if problems:
        raise ConfigError(problems)
    found = parse(section)
    origins = [document.origin(("plugins", "paths", index)) for index in range(len(found.paths))]
    directories = [Path(at.file or document.file).absolute().parent for at in origins]
    return dataclasses.replace(found, paths=tuple(directory / path for directory, path in zip(directories, found.paths, strict=True)))
