"""Versions that rule files require of the engine and of plugins (rule language, section 1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from tiercel.errors import Diagnostic

__all__ = ["ENGINE_VERSION", "PluginRequirement", "PluginVersion", "Version", "engine_version", "parse_version", "unmet"]

_VERSION: Final = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})")
_NUMBER: Final = re.compile("[0-9]{1,9}")


class Version(NamedTuple):
    """A version ``x.y.z``."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        """``x.y.z``."""
        return ".".join(map(str, self))

    def satisfies(self, required: Version) -> bool:
        """True if what asks for `required` can do with this version: same major number, and not older."""
        return self.major == required.major and self >= required


ENGINE_VERSION: Final = Version(0, 63, 0)
"""Version of Falco's engine whose rule language this is."""


@dataclass(frozen=True, slots=True)
class PluginVersion:
    """A plugin that a file asks for, by its name in Falco."""

    name: str
    version: Version

    def __str__(self) -> str:
        """``name x.y.z``."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRequirement:
    """One entry of ``required_plugin_versions``: one of the plugins is enough.

    Attributes:
        choices: the plugin, and its alternatives.
        file: file that asks for it.
        line: line of the entry, from 1.
        column: column of the entry, from 1.
    """

    choices: tuple[PluginVersion, ...]
    file: str = ""
    line: int = 0
    column: int = 0

    def met(self, plugins: Mapping[str, str]) -> bool:
        """True if one of the choices is loaded.

        Args:
            plugins: version of each loaded plugin by name.
        """
        for choice in self.choices:
            loaded = parse_version(plugins.get(choice.name, ""))
            if loaded is not None and loaded.satisfies(choice.version):
                return True
        return False


def parse_version(text: str) -> Version | None:
    """The version in a text ``x.y.z``; None if it is none."""
    match = _VERSION.fullmatch(text)
    return Version(int(match[1]), int(match[2]), int(match[3])) if match else None


def engine_version(text: str) -> Version | None:
    """As `parse_version`; a whole number n stands for ``0.n.0``."""
    return Version(0, int(text), 0) if _NUMBER.fullmatch(text) else parse_version(text)


def unmet(requirements: tuple[PluginRequirement, ...], plugins: Mapping[str, str]) -> list[Diagnostic]:
    """An error for each requirement that the loaded plugins do not meet.

    Args:
        requirements: of all files.
        plugins: version of each loaded plugin by name.
    """
    found = []
    for each in requirements:
        if not each.met(plugins):
            known = [f"{choice.name} {plugins[choice.name]}" for choice in each.choices if choice.name in plugins]
            message = (
                f"Plugin requirement not satisfied, must load one of: {' or '.join(map(str, each.choices))} "
                f"(got {', '.join(known) or 'none of them'}); load the plugin, or do without the file"
            )  # fmt: skip
            found.append(Diagnostic(each.file, each.line, each.column, "LOAD_ERR_VALIDATE", message))
    return found
