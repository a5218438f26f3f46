"""Rule files that a plugin brings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["TEST_SUFFIX", "RuleBundle"]

TEST_SUFFIX: Final = ".test.yaml"
"""Ending of the names of files that hold tests of rules; they lie beside rule files and are none."""


@dataclass(frozen=True, slots=True)
class RuleBundle:
    """A directory of rule files inside a package; the configuration names it ``bundle:NAME``.

    Attributes:
        name: unique name.
        directory: the directory, usually ``importlib.resources.files(__name__)``. Its ``*.yaml`` files are loaded in order of their
            names, but for tests (``*.test.yaml``); sub-directories are not looked at.
        summary: one sentence for people.
    """

    name: str
    directory: Traversable
    summary: str = ""

    def files(self) -> list[tuple[str, str]]:
        """Names (paths, where the package is a directory) and texts of the rule files, in order."""
        entries = (each for each in self.directory.iterdir() if each.name.endswith(".yaml") and not each.name.endswith(TEST_SUFFIX))
        found = sorted(entries, key=lambda entry: entry.name)
        return [(str(entry), entry.read_text(encoding="utf-8")) for entry in found]
