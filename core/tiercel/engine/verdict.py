"""Verdicts: the process masks of all judged event types, made from one event of the process."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, Final

from tiercel.engine.codegen import Generator
from tiercel.engine.maskcode import mask_code
from tiercel.engine.masks import by_bits, raw_fields
from tiercel.engine.memo import Memo
from tiercel.engine.nodes import load
from tiercel.engine.tree import Tree
from tiercel.fields import ChangePoint, FactGroup
from tiercel.lang.ast import Check

__all__ = ["EXCHANGED", "believable", "guards_of", "verdict_function"]

EXCHANGED: Final = ChangePoint.EXEC | ChangePoint.FORK
"""Change points that every source compares: the identity of the process image (docs/design.md, 1.1)."""
_LIMIT: Final = 8192


def believable(generator: Generator, check: Check, compared: ChangePoint) -> bool:
    """True if a verdict may use the check: it is about the process, and the source sees all that can change it."""
    facts = generator.groups.of_check(check)
    return facts.group is FactGroup.PROCESS and not facts.changes & ~(compared | EXCHANGED)


def guards_of(generator: Generator, checks: Sequence[Check]) -> ChangePoint:
    """What the source must compare before it believes a verdict that uses these checks."""
    guards = ChangePoint.NEVER
    for check in checks:
        guards |= generator.groups.of_check(check).changes
    return guards & ~EXCHANGED


def verdict_function(generator: Generator, types: Sequence[Sequence[Tree[Check]]]) -> Callable[[Any], tuple[int, ...]]:
    """The function of an event that gives one mask for each type: bit i is set if its process can satisfy condition i.

    What is unknown satisfies every check on it, so the memo by value stays right: the unknown is part of the key.
    """
    distinct = {tuple(trees): number for number, trees in enumerate(dict.fromkeys(map(tuple, types)))}
    raw = raw_fields(generator, [tree for trees in distinct for tree in trees])
    masks = mask_code(generator, [by_bits(trees) for trees in distinct], raw)
    places = [distinct[tuple(trees)] for trees in types]

    def compute(key: Any) -> tuple[int, ...]:
        found = masks(key)
        return tuple([found[place] for place in places]) if len(distinct) > 1 else (found,) * len(places)

    if not raw:
        always = compute(()) if types else ()
        return lambda _event: always
    memo = generator.names.add("memo", Memo(compute, _LIMIT))
    return generator.names.expression("verdict", "event", ast.Subscript(load(memo), generator.key(raw), ast.Load()))
