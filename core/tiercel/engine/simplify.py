"""Specialises a condition on one event type: what the type decides, or the want of a value, becomes a constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tiercel.engine.tree import NO, YES, Leaf, Tree, transform
from tiercel.fields import Field
from tiercel.lang.ast import Call, Check, FieldRef, ListValue, NumberValue, TextValue
from tiercel.lang.shapes import VALUE_OF

__all__ = ["EVENT_TYPE", "decide_absent", "decide_number", "specialise"]

EVENT_TYPE: Final = "evt.type"
_EVENT_NUMBER: Final = "evt.num"
_NEVER: Final = frozenset({("=", "0"), ("==", "0"), ("<", "1"), ("<", "0"), ("<=", "0"), ("in", "0")})
_ALWAYS: Final = frozenset({("!=", "0"), (">", "0"), (">=", "0"), (">=", "1")})


def decide_number(check: Check) -> bool | None:
    """Decides checks that do not depend on the event: on `evt.num`, which is never 0, and on empty lists; None for the others.

    Rule files write ``evt.num=0`` for "never" and ``evt.num>=0`` for "always" (rule-language reference, section 10).
    """
    right = check.right
    if isinstance(right, ListValue) and not right.items and (check.modifier or check.operator in {"in", "intersects", "pmatch"}):
        return False
    if not isinstance(check.left, FieldRef) or check.left.name != _EVENT_NUMBER or check.modifier:
        return None
    if isinstance(right, ListValue):
        texts = {item.text for item in right.items if isinstance(item, TextValue | NumberValue)}
        text = texts.pop() if len(texts) == 1 else ""
    else:
        text = right.text if isinstance(right, TextValue | NumberValue) else ""
    if (check.operator, text) in _NEVER:
        return False
    return True if (check.operator, text) in _ALWAYS else None


def decide_absent(check: Check, field: Callable[[FieldRef], Field]) -> bool:
    """True if a check reads a field that nothing gives a value yet: it is false then, whatever the operator."""
    right = check.right
    inner = right.arguments[0] if isinstance(right, Call) and right.name == VALUE_OF else None
    return any(isinstance(side, FieldRef) and field(side).absent for side in (check.left, inner))


def specialise(tree: Tree[Check], decide: Callable[[Check], bool | None]) -> Tree[Check]:
    """The tree with every check that `decide` knows replaced by its outcome, folded."""

    def leaf(this: Leaf[Check]) -> Tree[Check]:
        outcome = decide(this.check)
        if outcome is None:
            return this
        return YES if outcome is not this.negated else NO

    return transform(tree, leaf)
