"""What transformers give, written for obviousness; shares no code with the engine."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final

from tiercel.fields import FAILED, PENDING

__all__ = ["transformed"]

ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def transformed(name: str, argument: str | None, values: list[Any]) -> Any:
    """The value of a transformer, from the values of its arguments: lists are tuples, an empty list of a field is None already."""
    if name in ("tolower", "toupper", "basename", "b64"):
        return _each(_SIMPLE[name], values[0])
    if name == "len":
        if values[0] is None or values[0] in (PENDING, FAILED):
            return values[0]
        return len(values[0]) if isinstance(values[0], tuple) else len(_bytes(values[0]))
    flat = [each for value in values for each in (value if isinstance(value, tuple) else (value,))]
    if None in flat:
        return None
    unknown = [each for each in flat if each in (PENDING, FAILED)]
    if unknown:
        return unknown[-1]
    if name == "concat":
        return "".join(values)
    if name == "join":
        return values[0].join(_printed(each) for each in _several(values[1]))
    found = _getopt(list(_several(values[0])), values[1])
    if argument is None:
        return tuple(text for letter, given in found for text in _listed(letter, given))
    last = [given for letter, given in found if letter == argument]
    return (argument if last[-1] is True else last[-1] or "") if last else None


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _bytes(value: Any) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def _each(function: Callable[[bytes], bytes | None], value: Any) -> Any:
    if isinstance(value, tuple):
        results = [_each(function, each) for each in value]
        return None if any(new is None and old is not None for old, new in zip(value, results, strict=True)) else tuple(results)
    if not isinstance(value, str | bytes):
        return value
    result = function(_bytes(value))
    return result if result is None or isinstance(value, bytes) else result.decode("utf-8", "surrogateescape")


def _decode(text: bytes) -> bytes | None:
    digits = text.rstrip(b"=")
    padding = len(text) - len(digits)
    if any(each not in ALPHABET for each in digits) or padding > 2 or (padding and len(text) % 4):
        return None
    try:
        return base64.b64decode(digits + b"=" * (-len(digits) % 4))
    except binascii.Error:
        return None


_SIMPLE: Final[dict[str, Callable[[bytes], bytes | None]]] = {
    "tolower": bytes.lower,
    "toupper": bytes.upper,
    "basename": lambda raw: raw.split(b"/")[-1],
    "b64": _decode,
}


def _printed(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _getopt(arguments: list[str], options: str) -> list[tuple[str, Any]]:
    """(letter, True) for an option without a value, (letter, value), or (letter, None) where the value is missing; ("?", True) else."""
    found: list[tuple[str, Any]] = []
    while arguments and arguments[0][:1] == "-" and arguments[0] not in ("-", "--"):
        letters = arguments.pop(0)[1:]
        if letters[0] == "-":
            continue
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter == ":" or letter not in options:
                found.append(("?", True))
                continue
            behind = options.split(letter, 1)[1]
            if behind[:2] == "::":
                found.append((letter, letters))
                letters = ""
            elif behind[:1] == ":":
                found.append((letter, letters or (arguments.pop(0) if arguments else None)))
                letters = ""
            else:
                found.append((letter, True))
    return found


def _listed(letter: str, given: Any) -> tuple[str, ...]:
    if given is True:
        return (letter,)
    return ("",) if given is None else (letter, given)
