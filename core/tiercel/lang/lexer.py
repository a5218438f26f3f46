"""Words of the condition language (rule language, section 7) and a cursor over a text."""

from __future__ import annotations

import re
from typing import Final

from tiercel.lang.strings import find_end, unescape

__all__ = ["BARE", "FIELD", "HEX", "IDENTIFIER", "LIST_OPERATOR", "MODIFIER", "NUMBER", "TRANSFORMERS", "Cursor", "ParseError"]

_WORD: Final = "[A-Za-z][A-Za-z0-9_]*"
IDENTIFIER: Final = re.compile(_WORD)
FIELD: Final = re.compile(rf"{_WORD}(?:\.{_WORD})+")
CALL: Final = re.compile(rf"({_WORD})\(")
BARE: Final = re.compile("[^()\"'= \t\n\v\f\r,]+")
BARE_ARGUMENT: Final = re.compile("[^\\[\\]\"' \t\n\v\f\r]+")
HEX: Final = re.compile("0[xX][0-9A-Fa-f]+")
NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-][0-9]+)?")
BLANKS: Final = re.compile("[ \t\b\r\n]*")
NUMBER_OPERATOR: Final = re.compile("<=|<|>=|>")
SYMBOL_OPERATOR: Final = re.compile("==|=|!=")
WORD_OPERATOR: Final = re.compile("(iglob|glob|icontains|bcontains|contains|bstartswith|startswith|endswith|regex)(?=[ \t\b\r\n])")
LIST_OPERATOR: Final = re.compile("intersects|in|pmatch")
MODIFIER: Final = re.compile("(oneof|anyof|allof)[ \t\b\r\n]+(?=\\(|(?!(?:and|or|not)(?![A-Za-z0-9_]))[A-Za-z])")
TRANSFORMERS: Final = frozenset({"tolower", "toupper", "b64", "basename", "len", "join", "concat", "getopt"})


class ParseError(ValueError):
    """A condition that does not parse.

    Args:
        message: what is wrong and what was expected.
        offset: where in the text, in characters.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class Cursor:
    """A place in a text that moves on as words are recognised."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def blanks(self) -> bool:
        """Skips blanks; true if there were some."""
        match = BLANKS.match(self.text, self.at)
        assert match is not None  # the pattern takes nothing too
        start, self.at = self.at, match.end()
        return self.at > start

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """The text that the pattern matches here, and moves behind it; None if it does not match."""
        match = pattern.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[0]

    def skip(self, word: str) -> bool:
        """Moves behind `word` if it stands here."""
        if self.text.startswith(word, self.at):
            self.at += len(word)
            return True
        return False

    def quoted(self) -> str | None:
        """The value of a quoted text, if one starts here."""
        if self.text[self.at : self.at + 1] not in ('"', "'"):
            return None
        start = self.at
        end = find_end(self.text, start)
        if end < 0:
            raise ParseError(f"quoted text does not end (expected {self.text[start]})", start)
        self.at = end + 1
        try:
            return unescape(self.text[start + 1 : end], self.text[start])
        except ValueError as error:
            message, offset = error.args
            raise ParseError(message, start + 1 + offset) from None

    def shown(self) -> str:
        """What stands here, for messages."""
        rest = self.text[self.at : self.at + 40].split()
        return f'"{rest[0]}"' if rest else "the end"
