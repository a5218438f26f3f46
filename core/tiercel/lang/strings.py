r"""Quoted text of the condition language, and its escapes (rule language, section 8).

Text stands for bytes: a byte that is no UTF-8 is a surrogate escape (`surrogateescape`), and ``\xHH`` writes any byte.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["escape", "find_end", "unescape"]

_SIMPLE: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b"/": b"/", b" ": b"\\"}
"""The byte behind the backslash -> what the two stand for. Backslash and blank are a backslash: kept for old rules."""
_ESCAPE: Final = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.|$)", re.DOTALL)
_NEEDS_QUOTES: Final = re.compile("[\x00-\x20\x7f=\\\\\"'\ud800-\udfff]")
_SHORT: Final = {"\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", '"': r"\"", "\\": r"\\"}
_ESCAPED: Final = re.compile('[\x00-\x1f\x7f"\\\\\ud800-\udfff]')


def find_end(text: str, start: int) -> int:
    r"""Offset of the delimiter that ends the quoted text whose delimiter stands at `start`; -1 if it does not end.

    Only the character before a delimiter is looked at, as Falco does: ``'a\\'`` does not end at its last character.
    """
    quote = text[start]
    end = text.find(quote, start + 1)
    while end > 0 and text[end - 1] == "\\":
        end = text.find(quote, end + 1)
    return end


def unescape(body: str, quote: str) -> str:
    """The value of what stands between two delimiters.

    Args:
        body: the text between the delimiters.
        quote: the delimiter, ``'`` or ``"``.

    Raises:
        ValueError: an escape that does not exist; the second argument is its offset in characters.
    """
    if "\\" not in body:
        return body
    raw = body.encode("utf-8", "surrogateescape")
    delimiter = quote.encode()

    def replace(match: re.Match[bytes]) -> bytes:
        code = match[1]
        if code == delimiter:
            return delimiter
        if code in _SIMPLE:
            return _SIMPLE[code]
        if len(code) > 1:
            return bytes.fromhex(code[1:].decode())
        shown = match[0].decode("utf-8", "replace")
        msg = f'unknown escape in quoted text (got "{shown}", expected one of \\b \\f \\n \\r \\t \\\\ \\/ \\{quote} or \\xHH)'
        raise ValueError(msg, len(raw[: match.start()].decode("utf-8", "surrogateescape")))

    return _ESCAPE.sub(replace, raw).decode("utf-8", "surrogateescape")


def _code(match: re.Match[str]) -> str:
    character = match[0]
    short = _SHORT.get(character)
    return short or "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def escape(value: str) -> str:
    """The value as canonical text: in double quotes with escapes if it is empty or has blanks, ``=``, quotes and the like."""
    if value and not _NEEDS_QUOTES.search(value):
        return value
    return f'"{_ESCAPED.sub(_code, value)}"'
