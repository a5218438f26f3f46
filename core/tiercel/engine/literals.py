"""Literals of checks as Python values, by the type of the field that they are compared with."""

from __future__ import annotations

from typing import TypeAlias

from tiercel.fields import FieldType
from tiercel.lang.ast import Check, ListValue, NumberValue, TextValue
from tiercel.lang.literals import literal, parse_hex

__all__ = ["Value", "literals"]

Value: TypeAlias = int | bool | str | bytes | tuple[bytes, int]


def literals(check: Check, kind: FieldType) -> tuple[Value, ...]:
    """The literals on the right side of a check as values of that type.

    Raises:
        ValueError: the right side is no literal, or none of the type; rules are checked before they come here.
    """
    if check.operator in ("bcontains", "bstartswith"):
        return tuple(parse_hex(text) for text in _texts(check))
    return tuple(literal(text, kind) for text in _texts(check))


def _texts(check: Check) -> tuple[str, ...]:
    right = check.right
    if isinstance(right, TextValue | NumberValue):
        return (right.text,)
    if isinstance(right, ListValue):
        found = tuple(item.text for item in right.items if isinstance(item, TextValue | NumberValue))
        if len(found) == len(right.items):
            return found
    msg = f"check on {check.left}: the right side is no literal (got {right})"
    raise ValueError(msg)
