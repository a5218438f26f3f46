"""The masks of one event type: one generated function of the event that says which rules can still match.

Process, scalar and place masks are memoised by the values that they depend on, and ANDed until nothing is left. Paths are often all
different: the mask of a place is made when it is seen the second time; before, the full conditions of the surviving rules cost less.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from tiercel.engine.codegen import Generator
from tiercel.engine.memo import Memo, SecondSight
from tiercel.engine.nodes import all_true, constant, load, store
from tiercel.engine.project import project
from tiercel.engine.tree import Constant, Tree, leaves
from tiercel.fields import FactGroup
from tiercel.lang.ast import Check, FieldRef

__all__ = ["by_bits", "mask_function", "raw_fields"]

Projection: TypeAlias = Mapping[Tree[Check], int]

_LIMITS: Final = {FactGroup.PROCESS: 8192, FactGroup.SCALAR: 4096, FactGroup.PLACE: 8192}


def by_bits(trees: Sequence[Tree[Check]]) -> dict[Tree[Check], int]:
    """Condition -> bits of the rules that have it, rule i being bit i. False ones are left out."""
    bits: dict[Tree[Check], int] = {}
    for number, tree in enumerate(trees):
        if tree != Constant(value=False):
            bits[tree] = bits.get(tree, 0) | 1 << number
    return bits


def raw_fields(generator: Generator, trees: Sequence[Tree[Check]]) -> tuple[FieldRef, ...]:
    """The fields of the event that the conditions depend on."""
    checks = (leaf.check for tree in trees for leaf in leaves(tree))
    return tuple(dict.fromkeys(ref for check in checks for ref in generator.groups.of_check(check).raw))


def mask_function(generator: Generator, trees: Sequence[Tree[Check]]) -> Callable[[Any], int]:
    """The function of the event that gives the mask of the rules whose conditions these are."""
    steps: list[ast.expr] = []
    for group in _LIMITS:
        step = _group_mask(generator, trees, group)
        if step is not None:
            steps.append(step)
    if not steps:
        return generator.names.expression("masks", "event", constant((1 << len(trees)) - 1))
    chain = [ast.NamedExpr(store("mask"), steps[0])]
    chain += [ast.NamedExpr(store("mask"), ast.BinOp(load("mask"), ast.BitAnd(), step)) for step in steps[1:]]
    return generator.names.expression("masks", "event", all_true([*chain[:-1], chain[-1].value]))


def _group_mask(generator: Generator, trees: Sequence[Tree[Check]], group: FactGroup) -> ast.expr | None:
    """Expression of the mask that one group of facts gives; None if it cannot drop anything."""
    projected = [project(tree, lambda check: generator.groups.of_check(check).group is group) for tree in trees]
    if all(tree == Constant(value=True) for tree in projected):
        return None
    raw = raw_fields(generator, projected)
    if not raw:
        return constant(by_bits(projected).get(Constant(value=True), 0))
    compute = generator.masks([by_bits(projected)], raw)
    memo: Memo | SecondSight = (
        SecondSight(compute, _LIMITS[group], (1 << len(trees)) - 1) if group is FactGroup.PLACE else Memo(compute, _LIMITS[group])
    )
    return ast.Subscript(load(generator.names.add("memo", memo)), generator.key(raw), ast.Load())
