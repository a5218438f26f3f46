"""Brings a parsed condition to negation normal form: `not` only at the leaves.

Two-valued evaluation is the same before and after, since a check on a missing value is false and its negation true, wherever the
negation stands. For masks the form matters: each leaf can be asked whether it *may* hold in the polarity that it has.
"""

from __future__ import annotations

from tiercel.engine.tree import Leaf, Tree, every, some
from tiercel.lang.ast import And, Check, MacroRef, Node, Not, Or

__all__ = ["normal_form"]


def normal_form(node: Node, *, negated: bool = False) -> Tree[Check]:
    """The condition, or its negation, in negation normal form.

    Raises:
        ValueError: the tree still has a macro in it; rules come here with macros filled in.
    """
    match node:
        case Check():
            return Leaf(node, negated)
        case Not(operand=operand):
            return normal_form(operand, negated=not negated)
        case And(operands=operands) | Or(operands=operands):
            parts = (normal_form(operand, negated=negated) for operand in operands)
            return every(parts) if isinstance(node, And) is not negated else some(parts)
        case MacroRef(name=name):
            msg = f"condition: macro {name!r} is not filled in"
            raise ValueError(msg)
