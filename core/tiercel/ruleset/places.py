"""From an offset in the value of a YAML scalar back to line and column of the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tiercel.errors import Diagnostic
from tiercel.ruleset.yamltree import Scalar, YamlNode

__all__ = ["Reports", "SourceFile"]

SNIPPET: Final = 120
"""Characters of a line that a report shows."""
_BREAK: Final = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_ESCAPE_LENGTHS: Final = {"x": 4, "u": 6, "U": 10}
_ESCAPED_BLANKS: Final = frozenset("abtnvfre0N_LP \t\n\r")
"""What stands behind a backslash of double-quoted YAML and is white space, or nothing that conditions hold."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A rule file: its name as the user gave it, and its text."""

    name: str
    text: str

    def position(self, scalar: Scalar, offset: int) -> int:
        """Offset in the file's text of the character at `offset` in the scalar's value.

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
        wanted = min(offset, len(scalar.value))
        for character in scalar.value[:wanted]:
            if not character.isspace():
                at = self._find(character, at, end, escapes=scalar.style == '"') + 1
        if wanted == len(scalar.value):
            return at
        if scalar.value[wanted].isspace():
            return at
        return self._find(scalar.value[wanted], at, end, escapes=scalar.style == '"')

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
        line, start = 1, 0
        for match in _BREAK.finditer(self.text, 0, position):
            line += 1
            start = match.end()
        return line, position - start + 1

    def snippet(self, line: int, column: int) -> str:
        """The line with a caret below the column; part of it if it is long."""
        lines = _BREAK.split(self.text)
        if not 0 < line <= len(lines):
            return ""
        shown, caret = lines[line - 1], column - 1
        if len(shown) > SNIPPET:
            first = max(0, min(caret - SNIPPET // 2, len(shown) - SNIPPET))
            shown, caret = shown[first : first + SNIPPET], caret - first
        return f"{shown}\n{' ' * caret}^"


class Reports:
    """Collects diagnostics."""

    def __init__(self) -> None:
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []

    def at_node(self, file: SourceFile, node: YamlNode, code: str, message: str, *, warning: bool = False) -> None:
        """A problem with a node of the YAML tree."""
        self.at(file, node.place.line + 1, node.place.column + 1, code, message, warning=warning)

    def at_offset(self, file: SourceFile, scalar: Scalar, offset: int, code: str, message: str, *, warning: bool = False) -> None:
        """A problem at an offset of the value of a scalar."""
        line, column = file.line_column(file.position(scalar, offset))
        self.at(file, line, column, code, message, warning=warning)

    def at(self, file: SourceFile, line: int, column: int, code: str, message: str, *, warning: bool = False) -> None:
        """A problem at a line and column, from 1."""
        found = self.warnings if warning else self.errors
        found.append(Diagnostic(file.name, line, column, code, message, file.snippet(line, column), warning))
