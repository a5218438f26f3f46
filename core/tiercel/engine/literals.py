"""Literals of checks as Python values, by the type of the field that they are compared with."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from tiercel.engine.text import encoded
from tiercel.fields import FieldType
from tiercel.lang.ast import Check, ListValue, NumberValue, TextValue

__all__ = ["literals", "texts"]


def texts(check: Check) -> tuple[str, ...]:
    """The literals on the right side of a check, as text.

    Raises:
        ValueError: the right side is no literal.
    """
    right = check.right
    if isinstance(right, TextValue | NumberValue):
        return (right.text,)
    if isinstance(right, ListValue):
        found = tuple(item.text for item in right.items if isinstance(item, TextValue | NumberValue))
        if len(found) == len(right.items):
            return found
    msg = f"check on {check.left}: the right side is no literal (got {right})"
    raise ValueError(msg)


def literals(check: Check, kind: FieldType) -> tuple[Any, ...]:
    """The literals on the right side as values of that type; text for operators on text."""
    return tuple(_value(text, kind) for text in texts(check))


def _value(text: str, kind: FieldType) -> Any:
    if kind.is_text:
        return text
    if kind is FieldType.BYTES:
        return encoded(text)
    if kind is FieldType.BOOL:
        return text == "true"
    if kind is FieldType.IP:
        return ipaddress.ip_address(text).packed
    if kind is FieldType.NET:
        network = ipaddress.ip_network(text, strict=False)
        return network.network_address.packed, network.prefixlen
    if kind is FieldType.PORT and not text[:1].isdigit():
        return socket.getservbyname(text)
    value = int(text, 0)
    return value if value >= 0 or kind not in (FieldType.UINT32, FieldType.UINT64) else value % (1 << 64)
