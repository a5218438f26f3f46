"""Checks on fields that have several values at once, and on pairs of fields. Called from generated code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiercel.fields import Unknown

__all__ = ["any_of", "each_of", "elements", "exists", "pair_any", "pair_each", "pair_may", "undecided"]

Predicate = Callable[[Any], bool]
Relation = Callable[[Any, Any], bool]


def elements(value: Any) -> tuple[Any, ...]:
    """The values of a field that may have several: none if it is missing or unknown."""
    if type(value) is tuple:
        return value
    return () if value is None or type(value) is Unknown else (value,)


def exists(value: Any) -> bool:
    """True if a field has a value; an empty list counts as missing."""
    return value is not None and type(value) is not Unknown and value != ()


def any_of(value: Any, predicate: Predicate) -> bool:
    """True if one of the values satisfies the predicate."""
    return any(predicate(element) for element in elements(value))


def each_of(value: Any, predicate: Predicate) -> bool:
    """True if there are values, and all that are known satisfy the predicate."""
    known = [element for element in elements(value) if element is not None]
    return bool(known) and all(predicate(element) for element in known)


def undecided(value: Any) -> bool:
    """True if the value of a field that may have several, or one of its values, is unknown."""
    return type(value) is Unknown or (type(value) is tuple and any(type(element) is Unknown for element in value))


def pair_any(left: Any, right: Any, relation: Relation) -> bool:
    """True if a value on the left is in relation to one on the right."""
    return any(relation(one, other) for one in elements(left) for other in elements(right))


def pair_each(left: Any, right: Any, relation: Relation) -> bool:
    """True if there are values on the left, and each is in relation to one on the right."""
    known = elements(left)
    return bool(known) and all(any(relation(one, other) for other in elements(right)) for one in known)


def pair_may(left: Any, right: Any, outcome: Callable[[Any, Any], bool]) -> bool:
    """True if a check on two fields may have the outcome: always, when one of them is unknown."""
    return undecided(left) or undecided(right) or outcome(left, right)
