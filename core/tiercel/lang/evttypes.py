"""The set of event types that a condition can match (rule language, section 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tiercel.lang.ast import And, Check, FieldRef, ListName, ListValue, Node, Not, NumberValue, Or, TextValue
from tiercel.lang.operands import EVENT_TYPE_FIELDS

__all__ = ["decide_number", "event_types"]


@dataclass(frozen=True, slots=True)
class _Types:
    """A set of names, or everything but them."""

    names: frozenset[str]
    except_names: bool = False

    def inverted(self) -> _Types:
        return _Types(self.names, not self.except_names)

    def __and__(self, other: _Types) -> _Types:
        if self.except_names:
            if other.except_names:
                return _Types(self.names | other.names, except_names=True)
            return _Types(other.names - self.names)
        return _Types(self.names - other.names if other.except_names else self.names & other.names)

    def __or__(self, other: _Types) -> _Types:
        return (self.inverted() & other.inverted()).inverted()


_NONE: Final = _Types(frozenset())
_ALL: Final = _NONE.inverted()
_EQUAL: Final = frozenset({"=", "==", "in"})
_EVENT_NUMBER: Final = "evt.num"
_NEVER: Final = frozenset({("=", "0"), ("==", "0"), ("<", "0"), ("<", "1"), ("<=", "0")})
_ALWAYS: Final = frozenset({("!=", "0"), (">", "0"), (">=", "0"), (">=", "1")})


def event_types(node: Node, *, known: frozenset[str] | None) -> frozenset[str] | None:
    """The event types that a condition can match.

    Args:
        node: the condition; a macro that is not expanded counts as "all".
        known: all types of the event source, for complements; None if they are not known.

    Returns:
        The names; None for all.
    """
    types = _types(node, negated=False)
    if not types.except_names:
        return types.names
    if not types.names or known is None:
        return None
    rest = known - types.names
    return None if rest == known else rest


def _types(node: Node, *, negated: bool) -> _Types:
    if isinstance(node, Not):
        return _types(node.operand, negated=not negated)
    if isinstance(node, And | Or):
        meet = isinstance(node, And) is not negated
        result = _ALL if meet else _NONE
        for operand in node.operands:
            part = _types(operand, negated=negated)
            result = result & part if meet else result | part
        return result
    decided = _leaf(node) if isinstance(node, Check) else None
    if decided is None:
        return _ALL
    return decided.inverted() if negated else decided


def _leaf(check: Check) -> _Types | None:
    """What a check decides; None if nothing."""
    if not isinstance(check.left, FieldRef) or check.modifier:
        return None
    if check.left.name in EVENT_TYPE_FIELDS:
        if check.operator == "exists":
            return _ALL
        names = _texts(check)
        if names is None:
            return None
        if check.operator in _EQUAL:
            return _Types(names)
        return _Types(names, except_names=True) if check.operator == "!=" else None
    outcome = decide_number(check)
    return None if outcome is None else _ALL if outcome else _NONE


def decide_number(check: Check) -> bool | None:
    """The outcome of a check on ``evt.num``, which is never 0; None if that does not decide it, and for other checks.

    Rule files write ``evt.num=0`` for "never" and ``evt.num>=0`` for "always" (rule language, section 10).
    """
    if not isinstance(check.left, FieldRef) or check.left.name != _EVENT_NUMBER or check.modifier:
        return None
    values = _texts(check)
    if values is None:
        return None
    if check.operator == "in":
        return False if values <= {"0"} else None
    pair = check.operator, next(iter(values)) if len(values) == 1 else ""
    return False if pair in _NEVER else True if pair in _ALWAYS else None


def _texts(check: Check) -> frozenset[str] | None:
    """The literals on the right side; None if there are none."""
    right = check.right
    if isinstance(right, TextValue | NumberValue):
        return frozenset({right.text})
    if isinstance(right, ListName):
        return frozenset({right.name})
    if isinstance(right, ListValue):
        return frozenset(item.text for item in right.items if isinstance(item, TextValue | NumberValue))
    return None
