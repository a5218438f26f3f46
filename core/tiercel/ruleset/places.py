"""From an offset in the value of a YAML scalar back to line and column of the file."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from tiercel.errors import Diagnostic
from tiercel.registry import suggest
from tiercel.ruleset.yamltree import Scalar, YamlNode

__all__ = ["MAX_ERRORS", "MAX_WARNINGS", "Reports", "SourceFile"]

SNIPPET: Final = 120
"""Characters of a line that a report shows."""
MAX_ERRORS: Final = 300
"""After so many errors loading stops."""
MAX_WARNINGS: Final = 1000
"""More warnings than these are counted only."""
MAX_SUGGESTIONS: Final = 100
"""Looking for near names takes time; later reports do without."""
_BREAK: Final = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_ESCAPE_LENGTHS: Final = {"x": 4, "u": 6, "U": 10}
_ESCAPED_BLANKS: Final = frozenset("abtnvfre0N_LP \t\n\r")
"""What stands behind a backslash of double-quoted YAML and is white space, or nothing that conditions hold."""


class SourceFile:
    """A rule file.

    Args:
        name: its name as the user gave it.
        text: its text.
    """

    __slots__ = ("_lines", "_positions", "_scalar", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._lines: array[int] = array("L")
        self._scalar: Scalar | None = None
        self._positions: array[int] = array("L")

    def position(self, scalar: Scalar, offset: int) -> int:
        """Offset in the file's text of the character at `offset` in the scalar's value."""
        first = scalar.place.start + (scalar.style in ("'", '"'))
        if self.text.startswith(scalar.value, first):
            return first + min(offset, len(scalar.value))
        if self._scalar is not scalar:
            self._scalar, self._positions = scalar, self._follow(scalar)
        return self._positions[min(offset, len(scalar.value))]

    def _follow(self, scalar: Scalar) -> array[int]:
        """Offset in the text of each character of the value, and of its end.

        Quotes, escapes and folding change blanks and add characters, but leave everything else in order: so the characters that
        are no blanks are followed one by one.
        """
        text, at = self.text, scalar.place.start
        end = min(scalar.place.end, len(text))
        if scalar.style in ("|", ">"):
            line_end = _BREAK.search(text, at)
            at = line_end.end() if line_end else end
        elif scalar.style:
            at += 1
        escapes = scalar.style == '"'
        positions = array("L")
        for character in scalar.value:
            if character.isspace():
                positions.append(at)
            else:
                found = self._find(character, at, end, escapes=escapes)
                positions.append(found)
                at = found + 1
        positions.append(at)
        return positions

    def _find(self, character: str, at: int, end: int, *, escapes: bool) -> int:
        """Offset of the next place from `at` on that stands for the character; the last of its characters if it is escaped."""
        text = self.text
        while at < end:
            if escapes and text[at] == "\\" and at + 1 < end:
                code = text[at + 1]
                length = _ESCAPE_LENGTHS.get(code, 2)
                if code == character and length == 2:
                    return at + 1
                if length > 2 or code not in _ESCAPED_BLANKS:
                    return at + length - 1
                at += length
            elif text[at] == character:
                return at
            else:
                at += 1
        return max(end - 1, 0)

    def line_column(self, position: int) -> tuple[int, int]:
        """Line and column, from 1, of an offset in the text."""
        starts = self._starts()
        line = bisect_right(starts, position)
        return line, position - starts[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """Offset in the text of a line and column, from 1; within the text, whatever they are."""
        starts = self._starts()
        start = starts[min(max(line, 1), len(starts)) - 1]
        return min(start + max(column, 1) - 1, len(self.text))

    def snippet(self, line: int, column: int) -> str:
        """The line with a caret below the column; part of it if it is long."""
        starts = self._starts()
        if not 0 < line <= len(starts):
            return ""
        end = starts[line] if line < len(starts) else len(self.text)
        first, caret = starts[line - 1], column - 1
        if end - first > SNIPPET:
            skipped = max(0, min(caret - SNIPPET // 2, end - first - SNIPPET))
            first, caret = first + skipped, caret - skipped
        shown = _BREAK.sub("", self.text[first : min(end, first + SNIPPET)])
        return f"{shown}\n{' ' * caret}^"

    def _starts(self) -> array[int]:
        """Offsets of the first characters of all lines."""
        if not self._lines:
            self._lines = array("L", [0, *(match.end() for match in _BREAK.finditer(self.text))])
        return self._lines


class Reports:
    """Collects diagnostics."""

    def __init__(self) -> None:
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        self.dropped = 0
        """Warnings beyond `MAX_WARNINGS`."""
        self._suggestions = 0

    @property
    def full(self) -> bool:
        """True if there are so many errors that looking for more is of no use."""
        return len(self.errors) >= MAX_ERRORS

    def suggest(self, name: str, known: Iterable[str]) -> str:
        """As `tiercel.registry.suggest`, for the first `MAX_SUGGESTIONS` reports."""
        self._suggestions += 1
        return suggest(name, known) if self._suggestions <= MAX_SUGGESTIONS else ""

    def at_node(self, file: SourceFile, node: YamlNode, code: str, message: str, *, warning: bool = False) -> None:
        """A problem with a node of the YAML tree."""
        self.at(file, node.place.line + 1, node.place.column + 1, code, message, warning=warning)

    def at_offset(self, file: SourceFile, scalar: Scalar, offset: int, code: str, message: str, *, warning: bool = False) -> None:
        """A problem at an offset of the value of a scalar."""
        line, column = file.line_column(file.position(scalar, offset))
        self.at(file, line, column, code, message, warning=warning)

    def at(self, file: SourceFile, line: int, column: int, code: str, message: str, *, warning: bool = False) -> None:
        """A problem at a line and column, from 1."""
        if warning and len(self.warnings) >= MAX_WARNINGS:
            self.dropped += 1
            return
        found = self.warnings if warning else self.errors
        found.append(Diagnostic(file.name, line, column, code, message, file.snippet(line, column), warning))

    def take(self, other: Reports) -> None:
        """Moves the diagnostics of `other` here."""
        self.errors += other.errors
        self.warnings += other.warnings
        self.dropped += other.dropped
        other.errors, other.warnings, other.dropped = [], [], 0
