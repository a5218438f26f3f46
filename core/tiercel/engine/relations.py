"""Relations between two values, for checks that compare a field with a field. Rare, hence functions and no generated code."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from tiercel.engine.matchers import cached_glob
from tiercel.engine.text import encoded, lower
from tiercel.fields import FieldType

__all__ = ["relation"]

_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PARTS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "contains": operator.contains,
    "startswith": lambda left, right: left.startswith(right),
    "endswith": lambda left, right: left.endswith(right),
}


def relation(kind: FieldType, name: str, types: tuple[type, ...]) -> Callable[[Any, Any], bool]:
    """The operator between two values of one type; false if one of them has another type.

    Args:
        kind: type of both sides.
        name: operator of the condition language.
        types: Python types of the values.

    Raises:
        ValueError: the operator cannot compare fields; conditions are checked before they come here.
    """
    decide = _decide(kind, name)
    return lambda left, right: type(left) in types and type(right) in types and decide(left, right)


def _decide(kind: FieldType, name: str) -> Callable[[Any, Any], bool]:
    if name in ("=", "==", "in", "intersects"):
        return operator.eq
    if name == "!=":
        return operator.ne
    if name in _ORDER:
        order = _ORDER[name]
        return (lambda left, right: order(encoded(left), encoded(right))) if kind.is_text else order
    if name in _PARTS:
        part = _PARTS[name]
        return (lambda left, right: part(encoded(left), encoded(right))) if kind.is_text else part
    if name == "icontains":
        return lambda left, right: encoded(lower(right)) in encoded(lower(left))
    if name in ("glob", "iglob"):
        return lambda left, right: cached_glob(right, name == "iglob")(left)
    if name in ("bcontains", "bstartswith"):
        return _PARTS[name[1:]]
    msg = f"operator {name!r} cannot compare a field with a field"
    raise ValueError(msg)
