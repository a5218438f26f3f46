"""Specialises a condition on one event type: what the type decides, or the want of a value, becomes a constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tiercel.engine.tree import NO, YES, Leaf, Tree, transform
from tiercel.fields import Field
from tiercel.lang.ast import Call, Check, FieldRef, ListValue
from tiercel.lang.evttypes import decide_number
from tiercel.lang.shapes import VALUE_OF

__all__ = ["EVENT_TYPE", "decide_absent", "decide_constant", "specialise"]

EVENT_TYPE: Final = "evt.type"


def decide_constant(check: Check) -> bool | None:
    """Decides checks that do not depend on the event: on `evt.num`, which is never 0, and on empty lists; None for the others."""
    right = check.right
    if isinstance(right, ListValue) and not right.items and (check.modifier or check.operator in {"in", "intersects", "pmatch"}):
        return False
    return decide_number(check)


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
