"""Values as text and as JSON, the way Falco prints them (rule language, section 12)."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, Final

from tiercel.fields import FieldType, Quantifier, Unknown
from tiercel.lang.formats import Format, FormatField

__all__ = ["MISSING", "is_missing", "json_value", "plain_text", "render", "text_value"]

MISSING: Final = "<NA>"
"""Text of a missing value."""


def render(output: Format, values: Mapping[str, Any], *, stop_at_missing: bool = False) -> str:
    """The text of an output.

    Args:
        output: the parsed output.
        values: value of every field and transformer of the output by `FormatField.key`; what is not there is missing.
        stop_at_missing: end the text at the first missing value, as Falco does where no ``*`` leads; else it is ``<NA>``.
    """
    printed = []
    for part in output.parts:
        if isinstance(part, str):
            printed.append(part)
            continue
        value = values.get(part.key)
        if stop_at_missing and is_missing(value):
            break
        text = text_value(part, value)
        printed.append(text[: part.width].ljust(part.width) if part.width else text)
    return "".join(printed)


def is_missing(value: Any) -> bool:
    """True for a value that is missing or unknown."""
    return value is None or isinstance(value, Unknown)


def text_value(field: FormatField, value: Any) -> str:
    """The text of a value: lists as ``(a,b)``, ancestors with blanks between them, ``<NA>`` if it is missing or unknown."""
    if is_missing(value):
        return MISSING
    kind = field.shape.type
    if isinstance(value, tuple | list):
        if field.shape.quantifier is Quantifier.ANY:
            return " ".join(MISSING if is_missing(each) else plain_text(kind, each) for each in value)
        return f"({','.join(plain_text(kind, each) for each in value)})"
    return plain_text(kind, value)


def json_value(field: FormatField, value: Any) -> Any:
    """The JSON value: numbers and booleans as such, lists as lists, everything else as text; None if it is missing or unknown."""
    if is_missing(value):
        return None
    if isinstance(value, tuple | list):
        if field.shape.quantifier is Quantifier.ANY:
            return text_value(field, value)
        return [json_value(field, each) for each in value]
    if isinstance(value, bool | int | float | str) and field.shape.type is not FieldType.MODE:
        return value
    return plain_text(field.shape.type, value)


def plain_text(kind: FieldType, value: Any) -> str:
    """The text of one value of a type."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        if kind in (FieldType.IP, FieldType.NET):
            return socket.inet_ntop(socket.AF_INET if len(value) == len(b"ipv4") else socket.AF_INET6, value)
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, float):
        return f"{value:.1f}"
    return f"0{value:o}" if kind is FieldType.MODE else str(value)
