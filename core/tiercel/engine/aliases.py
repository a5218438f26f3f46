"""Literal paths of rules that lead through a symbolic link are compared resolved as well: ``/bin/`` also means ``/usr/bin/``.

Rules are written for many hosts, and the kernel knows objects by one path. Only fields that say so (`Field.names_file`) take part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tiercel.lang.ast import And, Check, FieldRef, ListValue, Node, Not, Or, TextValue

if TYPE_CHECKING:
    from tiercel.lang.view import FieldsView

__all__ = ["Resolve", "with_aliases"]

Resolve = Callable[[str], str | None]
"""The other path of a literal on this host, or None if there is none."""
_LISTS: Final = frozenset({"in", "intersects", "pmatch"})
_ONE: Final = {"=": "in", "==": "in"}


def with_aliases(node: Node, catalogue: FieldsView, source: str, resolve: Resolve) -> Node:
    """The condition with the resolved paths beside the literal ones."""

    def walk(this: Node) -> Node:
        match this:
            case And(operands=operands) | Or(operands=operands):
                return replace(this, operands=tuple(walk(each) for each in operands))
            case Not(operand=operand):
                return replace(this, operand=walk(operand))
            case Check(left=FieldRef(name=name)) if (field := catalogue.get(name, source)) is not None and field.names_file:
                return _widen(this, resolve)
        return this

    return walk(node)


def _widen(check: Check, resolve: Resolve) -> Node:
    right = check.right
    if isinstance(right, TextValue) and (other := resolve(right.text)) is not None:
        both = ListValue((right, replace(right, text=other)), right.position)
        if check.operator in _ONE:
            return replace(check, operator=_ONE[check.operator], right=both)
        if check.operator == "startswith":
            return replace(check, modifier="anyof", right=both)
        if check.operator == "!=":
            return And((check, replace(check, right=both.items[1])), check.position)  # type: ignore[arg-type]  # both are texts
    if isinstance(right, ListValue) and (check.operator in _LISTS or (check.operator == "startswith" and check.modifier == "anyof")):
        known = {item.text for item in right.items if isinstance(item, TextValue)}
        others = {other for text in sorted(known) if (other := resolve(text)) is not None} - known
        if others:
            more = tuple(TextValue(text, right.position) for text in sorted(others))
            return replace(check, right=replace(right, items=(*right.items, *more)))
    return check
