"""``plugins``: which plugins are imported. Looked at before the file is validated, because that needs the plugins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
        "allow": _NAMES | {"description": "Of other distributions, only these."},
        "deny": _NAMES | {"default": [], "description": "Not these."},
    },
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class PluginChoice:
    """Which plugins are imported.

    Attributes:
        allow: plugins of other distributions that may be imported; None for all.
        deny: plugins that must not be imported.
    """

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()


def parse(value: Mapping[str, Any]) -> PluginChoice:
    """The choice."""
    allow = value.get("allow")
    return PluginChoice(None if allow is None else tuple(allow), tuple(value.get("deny", ())))


def choose(document: Document) -> PluginChoice:
    """The choice of a file that is not validated yet. Checked by hand, because nothing may be imported before it is known to be right.

    Raises:
        tiercel.ConfigError: with what is wrong in the section.
    """
    section = document.value.get("plugins", {})
    if not isinstance(section, dict):
        raise ConfigError([document.problem(("plugins",), "expected a mapping with allow or deny")])
    problems = []
    for key, names in section.items():
        if key not in SCHEMA["properties"]:
            problems.append(document.problem(("plugins", key), f'unknown option "{key}"; known: allow, deny', at_key=True))
        elif not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            problems.append(document.problem(("plugins", key), "expected a list of plugin names"))
    if problems:
        raise ConfigError(problems)
    return parse(section)
