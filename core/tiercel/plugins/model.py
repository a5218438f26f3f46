"""A plugin as data: where it comes from, and what became of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["Plugin", "State"]


class State(enum.Enum):
    """What became of a plugin."""

    LOADED = "loaded"
    DENIED = "denied"
    """By the configuration; not imported."""
    REFUSED = "refused"
    """Requires other versions than there are, or is a file that others could change; not imported."""
    FAILED = "failed"
    """Imported, or tried to, and left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One plugin and where it comes from.

    Attributes:
        name: name of its entry point; of a plugin file, the file's name without ``.py``.
        distribution: name of the distribution; "" for a plugin file.
        version: version of the distribution; "" for a plugin file.
        target: the module or object that the entry point names; of a plugin file, its path as the configuration says it.
        state: what became of it.
        reason: why it was left out; "" if it was not.
        path: file that it was imported from; "" if it was not imported.
        requires: what its distribution requires of tiercel and of other plugins' distributions.
        hooks: the hooks that it implements.
        provides: what it registered: ``output stdout``, ``field demo.exe_depth``, ``rules tiercel``.
    """

    name: str
    distribution: str
    version: str
    target: str
    state: State
    reason: str = ""
    path: str = ""
    requires: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()

    @property
    def owner(self) -> str:
        """Distribution and version, or the plugin file, as messages name it."""
        return f"{self.distribution} {self.version}" if self.distribution else self.target
