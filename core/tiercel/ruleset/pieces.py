"""A text put together from texts of rule files, whose characters lead back to their places."""

from __future__ import annotations

from bisect import bisect_right

from tiercel.ruleset.items import Located, Written
from tiercel.ruleset.places import Reports, SourceFile
from tiercel.ruleset.yamltree import Scalar, YamlNode

__all__ = ["Pieces"]


class Pieces:
    """Builds the text.

    Attributes:
        length: characters so far.
    """

    __slots__ = ("_offsets", "_sources", "_starts", "_texts", "length")

    def __init__(self) -> None:
        self.length = 0
        self._texts: list[str] = []
        self._starts: list[int] = []
        self._sources: list[tuple[SourceFile, YamlNode]] = []
        self._offsets: list[int] = []
        """Offset in the source's value where the piece starts; -1 if all of it counts as where the source starts."""

    @property
    def text(self) -> str:
        """The text."""
        return "".join(self._texts)

    def add(self, written: Written, *, trim: bool = False) -> None:
        """Adds a text as it was written."""
        value = written.scalar.value
        before = len(value) - len(value.lstrip()) if trim else 0
        self._put(value.strip() if trim else value, (written.file, written.scalar), before)

    def put(self, text: str, where: Located) -> None:
        """Adds a text that stands for something at a place."""
        self._put(text, (where.file, where.node), -1)

    def _put(self, text: str, source: tuple[SourceFile, YamlNode], offset: int) -> None:
        self._texts.append(text)
        self._starts.append(self.length)
        self._sources.append(source)
        self._offsets.append(offset)
        self.length += len(text)

    def place(self, offset: int) -> tuple[SourceFile, int, int]:
        """File, line and column, from 1, of a character of the text."""
        piece = max(bisect_right(self._starts, offset) - 1, 0)
        file, node = self._sources[piece]
        first = self._offsets[piece]
        if first < 0 or not isinstance(node, Scalar):
            return file, node.place.line + 1, node.place.column + 1
        inside = offset - self._starts[piece]
        return (file, *file.line_column(file.position(node, first + inside)))

    def report(self, reports: Reports, offset: int, code: str, message: str, *, warning: bool = False) -> None:
        """A problem at a character of the text."""
        file, line, column = self.place(offset)
        reports.at(file, line, column, code, message, warning=warning)
