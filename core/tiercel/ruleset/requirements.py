"""Versions that rule files require of the engine and of plugins (rule language, section 1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from tiercel.errors import Diagnostic
from tiercel.ruleset import yamltree
from tiercel.ruleset.keys import Broken, Keys

__all__ = [
    "ENGINE_VERSION", "PluginRequirement", "PluginVersion", "Version", "parse_version", "read_engine_version", "read_plugin_requirements",
    "unmet",
]  # fmt: skip

VALIDATE: Final = "LOAD_ERR_VALIDATE"

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


def read_engine_version(keys: Keys) -> Version:
    """The version that ``required_engine_version`` asks for; a whole number n stands for ``0.n.0``. Reports it if we do not meet it.

    Raises:
        Broken: there is none.
    """
    text = keys.text("required_engine_version")
    written = text.value.strip()
    wanted = Version(0, int(written), 0) if _NUMBER.fullmatch(written) else parse_version(written)
    if wanted is None:
        keys.error(text, f"Unable to parse engine version '{text.value:.60}' as a semver string. Expected \"x.y.z\" semver format.")
        raise Broken
    if not ENGINE_VERSION.satisfies(wanted):
        keys.error(text, f"Rules require engine version {wanted}, but engine version is {ENGINE_VERSION}", code=VALIDATE)
    return wanted


def read_plugin_requirements(keys: Keys) -> tuple[PluginRequirement, ...]:
    """The entries of ``required_plugin_versions`` that are right.

    Raises:
        Broken: it is no sequence.
    """
    value = keys.found["required_plugin_versions"][1]
    if not isinstance(value, yamltree.Sequence):
        keys.error(value, "Value is not a sequence (key 'required_plugin_versions')")
        raise Broken
    return tuple(found for entry in value.items if (found := _requirement(keys, entry)) is not None)


def _requirement(keys: Keys, entry: yamltree.YamlNode) -> PluginRequirement | None:
    """One entry; None if it is broken."""
    main = _mapping(keys, entry)
    if main is None:
        return None
    main.unknown(("name", "version", "alternatives"))
    choices = [_plugin(main)]
    if "alternatives" in main:
        others = main.found["alternatives"][1]
        if not isinstance(others, yamltree.Sequence):
            keys.error(others, "Value is not a sequence (key 'alternatives')")
            return None
        for other in others.items:
            inner = _mapping(keys, other)
            if inner is not None:
                inner.unknown(("name", "version"))
                choices.append(_plugin(inner))
    found: dict[str, PluginVersion] = {}
    for choice, node in choices:
        if choice is None:
            return None
        if choice.name in found:
            message = f"Defined multiple alternative version requirements for plugin '{choice.name}'"
            keys.error(node, message, code=VALIDATE)
            return None
        found[choice.name] = choice
    place = entry.place
    return PluginRequirement(choices=tuple(found.values()), file=keys.file.name, line=place.line + 1, column=place.column + 1)


def _mapping(keys: Keys, node: yamltree.YamlNode) -> Keys | None:
    if isinstance(node, yamltree.Mapping):
        return Keys(keys.file, node, keys.reports)
    keys.error(node, "Plugin version must be a mapping (expected name and version)")
    return None


def _plugin(keys: Keys) -> tuple[PluginVersion | None, yamltree.YamlNode]:
    """Name and version of one plugin, and where it stands."""
    name, text = keys.needed_text("name"), keys.needed_text("version")
    if name is None or text is None:
        return None, keys.element
    version = parse_version(text.value)
    if version is None:
        message = f"Invalid version '{text.value:.60}' of plugin '{name.value:.60}' (expected x.y.z)"
        keys.error(text, message, code=VALIDATE)
        return None, text
    return PluginVersion(name.value, version), name


def unmet(requirements: Iterable[PluginRequirement], plugins: Mapping[str, str]) -> list[Diagnostic]:
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
