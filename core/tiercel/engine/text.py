"""Text as bytes: length, order and case of the rule language are those of the bytes behind a text."""

from __future__ import annotations

__all__ = ["clean", "encoded", "has_fragments", "lower", "upper"]


def encoded(text: str) -> bytes:
    """The bytes behind a text that was decoded by surrogateescape."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate, from JSON
        return text.encode("utf-8", "surrogatepass")


def has_fragments(text: str) -> bool:
    """True if the bytes behind the text are no UTF-8: they may lie inside the characters of another text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def lower(text: str) -> str:
    """ASCII letters in lower case, everything else as it is."""
    return text.lower() if text.isascii() else encoded(text).lower().decode("utf-8", "surrogateescape")


def upper(text: str) -> str:
    """ASCII letters in upper case, everything else as it is."""
    return text.upper() if text.isascii() else encoded(text).upper().decode("utf-8", "surrogateescape")


def clean(text: str) -> str:
    """The text with bytes that are no UTF-8 as U+FFFD, for regular expressions."""
    return text if text.isascii() else encoded(text).decode("utf-8", "replace")
