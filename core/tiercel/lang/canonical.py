"""Canonical text of a condition: for reports, and the same for conditions that differ in blanks, quotes and brackets only."""

from __future__ import annotations

from tiercel.lang.ast import And, Call, Check, FieldRef, ListName, ListValue, MacroRef, Node, Not, NumberValue, Right, TextValue
from tiercel.lang.strings import escape

__all__ = ["canonical", "operand_text"]


def canonical(node: Node) -> str:
    """The text of a tree, as Falco prints it.

    Values are quoted where Falco quotes them, which is not everywhere where the grammar needs it (``(``, ``,``).
    """
    if isinstance(node, Check):
        return _check(node)
    if isinstance(node, MacroRef):
        return node.name
    if isinstance(node, Not):
        return f"not {canonical(node.operand)}"
    word = " and " if isinstance(node, And) else " or "
    return f"({word.join(map(canonical, node.operands))})"


def _check(node: Check) -> str:
    left = operand_text(node.left)
    if node.right is None:
        return f"{left} {node.operator}"
    modifier = f"{node.modifier} " if node.modifier else ""
    return f"{left} {node.operator} {modifier}{_right(node.right)}"


def _right(right: Right) -> str:
    if isinstance(right, ListValue):
        return f"({', '.join(map(operand_text, right.items))})"
    return right.name if isinstance(right, ListName) else operand_text(right)


def operand_text(item: FieldRef | Call | TextValue | NumberValue | ListValue | None) -> str:
    """The text of a field, transformer or value: ``proc.aname[2]``, ``toupper(proc.name)``."""
    if isinstance(item, FieldRef):
        return item.name if item.argument is None else f"{item.name}[{escape(item.argument)}]"
    if isinstance(item, Call):
        text = f"{item.name}({','.join(map(operand_text, item.arguments))})"
        return text if item.argument is None else f"{text}[{escape(item.argument)}]"
    if isinstance(item, ListValue):
        return f"({','.join(map(operand_text, item.items))})"
    if isinstance(item, TextValue):
        return escape(item.text)
    return "" if item is None else item.text
