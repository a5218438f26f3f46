"""The masks of one event type: one generated function of the event that says which rules can still match.

Process, scalar and place masks are remembered by what they depend on, and ANDed until nothing is left. Paths are often all different:
the exact mask of a place is made when it is seen the second time; the first time, one look-up for all rules gives a wider one.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from tiercel.engine.codegen import Generator
from tiercel.engine.cover import cover_mask
from tiercel.engine.memo import EventMemo, Memo, SecondSight
from tiercel.engine.nodes import all_true, call, constant, load, store
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
        step = _group_mask(generator, trees, group, before=bool(steps))
        if step is not None:
            steps.append(step)
    if not steps:
        return generator.names.expression("masks", "event", constant((1 << len(trees)) - 1))
    chain = [ast.NamedExpr(store("mask"), steps[0])]
    chain += [ast.NamedExpr(store("mask"), ast.BinOp(load("mask"), ast.BitAnd(), step)) for step in steps[1:]]
    return generator.names.expression("masks", "event", all_true([*chain[:-1], chain[-1].value]))


def _group_mask(generator: Generator, trees: Sequence[Tree[Check]], group: FactGroup, *, before: bool) -> ast.expr | None:
    """Expression of the mask that one group of facts gives; None if it cannot drop anything.

    Args:
        generator: makes the functions.
        trees: the conditions.
        group: the group.
        before: there is a local ``mask`` of other groups.
    """
    projected = [project(tree, lambda check: generator.groups.of_check(check).group is group) for tree in trees]
    if all(tree == Constant(value=True) for tree in projected):
        return None
    raw = raw_fields(generator, projected)
    if not raw:
        return constant(by_bits(projected).get(Constant(value=True), 0))
    compute, limit, name = _computed(generator, projected, raw), _LIMITS[group], generator.names.add
    if group is FactGroup.PROCESS:
        # Processes of one image and user share what was computed; a key of the source's stands for one process.
        compute = _by_value(generator, projected, raw, limit)
    everything = (1 << len(trees)) - 1
    if group is FactGroup.PLACE:
        first = cover_mask(projected, generator.groups.field, generator.value) or (lambda _event, _asked: everything)
        memo: EventMemo = (places := SecondSight(compute, limit, first))
        miss = call(name("sight", places.sight), load("event"), load("key"), load("mask") if before else constant(everything))
    else:
        memo = EventMemo(compute, limit)
        miss = call(name("miss", memo.miss), load("event"), load("key"))
    found = ast.NamedExpr(store("found"), call(name("known", memo.get), ast.NamedExpr(store("key"), _key(generator, raw))))
    known = ast.Compare(found, [ast.IsNot()], [constant(None)])
    return ast.IfExp(known, load("found"), miss)


def _key(generator: Generator, raw: Sequence[FieldRef]) -> ast.expr:
    """What the mask is remembered by: the fields' keys, or their values where they have none."""
    keys: dict[str | FieldRef, None] = dict.fromkeys(generator.groups.field(ref).key or ref for ref in raw)
    values = [
        ast.Attribute(load("event"), each, ast.Load()) if isinstance(each, str) else generator.key((each,)) for each in keys
    ]  # fmt: skip
    return values[0] if len(values) == 1 else ast.Tuple(values, ast.Load())


def _computed(generator: Generator, projected: Sequence[Tree[Check]], raw: Sequence[FieldRef]) -> Callable[[Any], int]:
    """The mask as a function of the event."""
    values = generator.names.expression("values", "event", generator.key(raw))
    masks = generator.masks([by_bits(projected)], raw)
    return lambda event: masks(values(event))


def _by_value(generator: Generator, projected: Sequence[Tree[Check]], raw: Sequence[FieldRef], limit: int) -> Callable[[Any], int]:
    """The mask as a function of the event, remembered by the values of the fields."""
    values = generator.names.expression("values", "event", generator.key(raw))
    memo = Memo(generator.masks([by_bits(projected)], raw), limit)
    return lambda event: memo[values(event)]
