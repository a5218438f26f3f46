"""Values as text and as JSON, the way Falco prints them (rule language, section 12)."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from tiercel.fields import FieldType, Quantifier, Unknown
from tiercel.lang.formats import Format, FormatField

__all__ = ["MISSING", "json_value", "render", "text_value"]

MISSING: Final = "<NA>"
"""Text of a missing value."""
SECOND: Final = 1_000_000_000
"""Nanoseconds."""


def render(output: Format, values: Mapping[str, Any]) -> str:
    """The text of an output.

    Args:
        output: the parsed output.
        values: value of every field of the output by `FormatField.key`; what is not there is missing.
    """
    printed = []
    for part in output.parts:
        if isinstance(part, str):
            printed.append(part)
            continue
        text = text_value(part, values.get(part.key))
        printed.append(text[: part.width].ljust(part.width) if part.width else text)
    return "".join(printed)


def text_value(field: FormatField, value: Any) -> str:
    """The text of a field's value: lists as ``(a,b)``, ancestors with blanks between them, ``<NA>`` if it is missing or unknown."""
    if value is None or isinstance(value, Unknown):
        return MISSING
    if isinstance(value, tuple | list):
        if field.quantifier is Quantifier.ANY:
            return " ".join(_text(field, each) for each in value)
        return f"({','.join(_text(field, each) for each in value)})"
    return _text(field, value)


def json_value(field: FormatField, value: Any) -> Any:
    """The JSON value: numbers and booleans as such, lists as lists, everything else as text; None if it is missing or unknown."""
    if value is None or isinstance(value, Unknown):
        return None
    if isinstance(value, tuple | list):
        if field.quantifier is Quantifier.ANY:
            return text_value(field, value)
        return [json_value(field, each) for each in value]
    if isinstance(value, bool | int | float | str):
        return value
    return _text(field, value)


def _text(field: FormatField, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        if field.type in (FieldType.IP, FieldType.NET):
            return socket.inet_ntop(socket.AF_INET if len(value) == len(b"ipv4") else socket.AF_INET6, value)
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, float):
        return f"{value:.1f}"
    if field.name in _CLOCKS and isinstance(value, int):
        return _clock(field.name, value)
    return str(value)


_CLOCKS: Final = {
    "evt.time": ("%H:%M:%S", time.localtime, ""),
    "evt.datetime": ("%Y-%m-%d %H:%M:%S", time.localtime, ""),
    "evt.time.iso8601": ("%Y-%m-%dT%H:%M:%S", time.gmtime, "+0000"),
}
"""Times that are printed by the clock: format of the seconds, zone, what follows the nanoseconds."""


def _clock(name: str, nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, SECOND)
    return f"{_seconds(name, seconds)}.{rest:09d}{_CLOCKS[name][2]}"


@lru_cache(maxsize=64)
def _seconds(name: str, seconds: int) -> str:
    pattern, zone, _ = _CLOCKS[name]
    return time.strftime(pattern, zone(seconds))
