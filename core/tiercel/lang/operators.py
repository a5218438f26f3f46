"""Which operators go with which types (rule language, section 9)."""

from __future__ import annotations

from typing import Final

from tiercel.fields import FieldType

__all__ = ["EQUALITY", "HEX_OPERATORS", "LIST_OPERATORS", "MODIFIABLE", "OPERATORS", "operators_of"]

EQUALITY: Final = ("=", "==", "!=", "in", "intersects")
HEX_OPERATORS: Final = frozenset({"bcontains", "bstartswith"})
"""Their right side is bytes in hexadecimal."""
_ORDER: Final = ("<", "<=", ">", ">=")
_PARTS: Final = ("contains", "startswith", "endswith")
_TEXT: Final = (*EQUALITY, *_ORDER, *_PARTS, "icontains", "glob", "iglob", "regex", "pmatch")
_BYTES: Final = (*EQUALITY, *_PARTS, "bcontains", "bstartswith")
_NUMBER: Final = (*EQUALITY, *_ORDER)
_LIST: Final = ("in", "intersects")
LIST_OPERATORS: Final = frozenset({"in", "intersects", "pmatch"})
"""Their right side is a list."""
MODIFIABLE: Final = frozenset(
    {"=", "==", "!=", "contains", "icontains", "bcontains", "startswith", "bstartswith", "endswith", "glob", "iglob", "regex"}
)
"""Those that go with ``oneof``, ``anyof`` and ``allof``."""
OPERATORS: Final = LIST_OPERATORS | MODIFIABLE | frozenset(_ORDER)
"""All that have a right side."""
_ALL: Final = (*_TEXT, "bcontains", "bstartswith")


def operators_of(kind: FieldType, *, is_list: bool) -> tuple[str, ...]:
    """The operators that a value of that type can stand left of; ``exists`` goes with all and is not named.

    All do where the type comes with the event: one that does not fit is false then.
    """
    if is_list:
        return _LIST
    if kind.is_text:
        return _TEXT
    if kind is FieldType.BY_PARAMETER:
        return _ALL
    if kind is FieldType.BYTES:
        return _BYTES
    return _NUMBER if kind.is_number else EQUALITY
