"""What distributions require of tiercel and of each other: checked on their metadata, before anything is imported.

Only requirements of tiercel and of distributions with plugins are looked at; all others are the installer's business. Plugins do not import
each other, so a missing one would not show at import: its fields would be missing, or be those of another version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution
from typing import TYPE_CHECKING, Final

from tiercel.plugins.discovery import OWN, normalised

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["conflict", "of_plugins"]

CONVENTION: Final = "tiercel-"
"""Beginning of the names of distributions with plugins, by convention."""


def of_plugins(distribution: Distribution, plugins: Mapping[str, Distribution]) -> tuple[str, ...]:
    """The requirements of a distribution that are looked at here, as texts.

    Args:
        distribution: the distribution.
        plugins: normalised name -> distribution, of those with plugins.
    """
    return tuple(f"{each.name}{each.specifier}" for each in _requirements(distribution) if _concerns(each, plugins))


def conflict(
    distribution: Distribution, *, host_version: str, plugins: Mapping[str, Distribution], left_out: Mapping[str, str]
) -> str:  # fmt: skip
    """Why the requirements of a distribution are not met; "" if they are.

    Args:
        distribution: the distribution.
        host_version: version of tiercel.
        plugins: normalised name -> distribution, of those with plugins.
        left_out: normalised name -> why, of those whose plugins are all left out so far.
    """
    unreadable = _unreadable(distribution)
    if unreadable:
        return f'its requirement "{unreadable}" cannot be understood'
    for each in _requirements(distribution):
        name = normalised(each.name)
        if name == OWN:
            if not each.specifier.contains(host_version, prereleases=True):
                return f"requires tiercel{each.specifier}, this is {host_version}"
        elif not _concerns(each, plugins):
            continue
        elif name not in plugins:
            return f"requires {each.name}{each.specifier}, which is not installed"
        elif not each.specifier.contains(plugins[name].version, prereleases=True):
            return f"requires {each.name}{each.specifier}, installed is {plugins[name].version}"
        elif name in left_out:
            return f"requires {each.name}{each.specifier}, which was left out: {left_out[name]}"
    return ""


def _concerns(requirement: Requirement, plugins: Mapping[str, Distribution]) -> bool:
    name = normalised(requirement.name)
    return name == OWN or name in plugins or name.startswith(CONVENTION)


def _requirements(distribution: Distribution) -> Iterator[Requirement]:
    """Those that hold here, without those of extras."""
    from packaging.requirements import InvalidRequirement, Requirement

    for text in distribution.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def _unreadable(distribution: Distribution) -> str:
    """A requirement of tiercel that cannot be parsed; others that cannot are the installer's business."""
    from packaging.requirements import InvalidRequirement, Requirement

    for text in distribution.requires or ():
        try:
            Requirement(text)
        except InvalidRequirement:
            if re.match(r"\s*tiercel\b(?![-_.])", text, re.IGNORECASE):
                return text
    return ""
