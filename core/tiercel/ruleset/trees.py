"""Macros put into the trees of conditions, within limits (rule language, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from tiercel.lang.ast import And, MacroRef, Node, Not, Or

__all__ = ["MAX_CHECKS", "MAX_DEPTH", "Size", "expand", "measure", "over_limit"]

MAX_DEPTH: Final = 100
"""Levels of a tree with its macros. What walks trees recurses; rules have a dozen levels."""
MAX_CHECKS: Final = 20_000
"""Checks of a condition with its macros. Macros that use others twice each double it with every step."""


class Size(NamedTuple):
    """How large a tree is with its macros: levels, and checks."""

    depth: int
    checks: int


def measure(node: Node, macros: Callable[[str], Size]) -> Size:
    """The size of a tree, of any depth.

    Args:
        node: the tree.
        macros: size of a macro.
    """
    depth = checks = 0
    pending: list[tuple[Node, int]] = [(node, 1)]
    while pending:
        current, level = pending.pop()
        if isinstance(current, And | Or):
            pending.extend((operand, level + 1) for operand in current.operands)
        elif isinstance(current, Not):
            pending.append((current.operand, level + 1))
        else:
            size = macros(current.name) if isinstance(current, MacroRef) else Size(1, 1)
            depth = max(depth, level - 1 + size.depth)
            checks += size.checks
    return Size(depth, checks)


def over_limit(size: Size) -> str:
    """What is wrong with the size; "" if it is within the limits."""
    if size.depth > MAX_DEPTH:
        return f"nested too deep, macros included (got {size.depth} levels, expected at most {MAX_DEPTH})"
    if size.checks > MAX_CHECKS:
        return f"too large, macros included (got {size.checks} checks, expected at most {MAX_CHECKS})"
    return ""


def expand(node: Node, macros: Mapping[str, Node]) -> Node:
    """The tree with the trees of macros in place of their names."""
    if isinstance(node, MacroRef):
        return macros[node.name]
    if isinstance(node, Not):
        return Not(expand(node.operand, macros), node.position)
    if isinstance(node, And | Or):
        return type(node)(tuple([expand(operand, macros) for operand in node.operands]), node.position)
    return node
