"""Specialises a condition on one event type: what the type decides becomes a constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tiercel.engine.tree import NO, YES, Leaf, Tree, transform
from tiercel.lang.ast import Check, FieldRef, ListValue, NumberValue, TextValue

__all__ = ["EVENT_TYPE", "decide_number", "specialise"]

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


def specialise(tree: Tree[Check], decide: Callable[[Check], bool | None]) -> Tree[Check]:
    """The tree with every check that `decide` knows replaced by its outcome, folded."""

    def leaf(this: Leaf[Check]) -> Tree[Check]:
        outcome = decide(this.check)
        if outcome is None:
            return this
        return YES if outcome is not this.negated else NO

    return transform(tree, leaf)
