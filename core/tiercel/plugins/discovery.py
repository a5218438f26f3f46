"""What the metadata of installed distributions says about plugins. Nothing here imports a plugin: importing is executing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, EntryPoint
from typing import Final

from tiercel.errors import PluginError
from tiercel.hookspecs import PROJECT

__all__ = ["OWN", "by_name", "claim", "entry_points", "normalised"]

OWN: Final = "tiercel"
"""The distribution of the host itself."""


def normalised(name: str) -> str:
    """The name of a distribution as names compare (packaging.python.org, name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def by_name(distributions: Iterable[Distribution]) -> dict[str, Distribution]:
    """Normalised name -> distribution; the first on the path wins, as it does for imports."""
    found: dict[str, Distribution] = {}
    for distribution in distributions:
        # Python 3.11: a broken .dist-info gives None where the type says text.
        name: str | None = distribution.metadata["Name"]
        if name:
            found.setdefault(normalised(name), distribution)
    return found


def entry_points(distributions: Iterable[Distribution]) -> dict[str, tuple[Distribution, EntryPoint]]:
    """Name -> distribution and entry point, of our group."""
    found: dict[str, tuple[Distribution, EntryPoint]] = {}
    for distribution in distributions:
        for entry_point in distribution.entry_points:
            if entry_point.group != PROJECT:
                continue
            owners = {name: f"{other.name} {other.version}" for name, (other, _) in found.items()}
            claim("plugin", entry_point.name, f"{distribution.name} {distribution.version}", owners)
            found[entry_point.name] = (distribution, entry_point)
    return found


def claim(kind: str, name: str, owner: str, owners: Mapping[str, str]) -> None:
    """Raises `tiercel.PluginError` if the name is taken."""
    if name in owners:
        msg = f'{kind} "{name}": registered by both {owners[name]} and {owner}; uninstall one of them'
        raise PluginError(msg)
