"""Our configuration as it comes into being, and where its values are from."""

from __future__ import annotations

from typing import Any

from tiercel.config.document import Path

__all__ = ["Draft"]


class Draft:
    """A configuration that is being written. Attribute `value`: what it is by now."""

    def __init__(self) -> None:
        self.value: dict[str, Any] = {}
        self._sources: dict[Path, Path] = {}

    def put(self, at: Path, value: Any, source: Path) -> None:
        """Sets a value.

        Args:
            at: where.
            value: what.
            source: path of what it is made from.
        """
        inner: dict[str, Any] = self.value
        for step in at[:-1]:
            inner = inner.setdefault(str(step), {})
        inner[str(at[-1])] = value
        self._sources[at] = source

    def grant(self, name: str, path: str, mode: str, source: Path) -> str:
        """Has root open a file, and returns the grant's name."""
        self.put(("grants", name), {"path": path, "mode": mode}, source)
        return name

    def source(self, at: Path) -> Path:
        """What the value at a path, or the one that it is part of, is made from; () if that cannot be told."""
        while at and at not in self._sources:
            at = at[:-1]
        return self._sources.get(at, ())

    def drop(self, at: Path) -> None:
        """Takes a value away, and what becomes empty by that; of a list the entry."""
        inner: Any = self.value
        trail = [inner]
        for step in at[:-1]:
            inner = inner[step]
            trail.append(inner)
        del inner[at[-1]]
        if at[:-1] and not inner and at[:-1] != ("outputs",):
            self.drop(at[:-1])
