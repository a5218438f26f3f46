"""The masks of one event type: one generated function of the event that says which rules can still match.

Process, scalar and place masks are remembered by what they depend on, and ANDed until nothing is left. Paths are often all different:
the exact mask of a place is made when it is seen the second time; the first time, one look-up for all rules gives a wider one.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from tiercel.engine.codegen import Generator
from tiercel.engine.cover import CoverMask, cover_mask
from tiercel.engine.few import Few, compared_values
from tiercel.engine.maskcode import mask_code
from tiercel.engine.memo import EventMemo, Memo, SecondSight
from tiercel.engine.narrow import MANY, Narrowing
from tiercel.engine.nodes import all_true, call, constant, load, store
from tiercel.engine.project import project
from tiercel.engine.tree import NO, Constant, Tree, leaves
from tiercel.fields import FactGroup
from tiercel.lang.ast import Check, FieldRef
from tiercel.plan import KnownMasks

__all__ = ["Masks", "by_bits", "mask_function", "raw_fields"]

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


class Masks(NamedTuple):
    """The mask of the rules of one event type.

    Attributes:
        function: the mask as a function of the event.
        known: what a decoder may know of it.
        groups: the masks that it is made of, by group of facts, in their order: to find out what drops a rule.
    """

    function: Callable[[Any], int]
    known: KnownMasks | None
    groups: tuple[tuple[str, Callable[[Any], int]], ...] = ()


class _Group(NamedTuple):
    """The mask that one group of facts gives."""

    value: ast.expr
    key: str
    memo: EventMemo | None


def mask_function(generator: Generator, trees: Sequence[Tree[Check]]) -> Masks:
    """The mask of the rules whose conditions these are."""
    groups = {group: made for group in _LIMITS if (made := _group_mask(generator, trees, group, last=group is FactGroup.PLACE)) is not None}
    steps = [each.value for each in groups.values()]
    if not steps:
        return Masks(generator.names.expression("masks", "event", constant((1 << len(trees)) - 1)), None)
    chain = [ast.NamedExpr(store("mask"), steps[0])]
    chain += [ast.NamedExpr(store("mask"), ast.BinOp(load("mask"), ast.BitAnd(), step)) for step in steps[1:]]
    body = all_true([*chain[:-1], chain[-1].value])
    if len(steps) == 1 and FactGroup.PLACE in groups:  # it asks for what is left: everything
        body = ast.BoolOp(ast.And(), [ast.NamedExpr(store("mask"), constant((1 << len(trees)) - 1)), body])
    everything = ast.NamedExpr(store("mask"), constant((1 << len(trees)) - 1))
    alone = tuple(
        (group.value, generator.names.expression("group_mask", "event", ast.BoolOp(ast.And(), [everything, made.value])))
        for group, made in groups.items()
    )
    return Masks(generator.names.expression("masks", "event", body), _known(groups), alone)


def _known(groups: Mapping[FactGroup, _Group]) -> KnownMasks | None:
    """What a decoder may know; None if one of the masks does not go by one attribute of the event."""
    if not all(each.memo is not None and each.key for each in groups.values()):
        return None

    def everything(_key: Any) -> int:
        return -1

    def look(group: FactGroup) -> Callable[[Any], int | None]:
        made = groups.get(group)
        return everything if made is None or made.memo is None else made.memo.get

    places = groups[FactGroup.PLACE].memo if FactGroup.PLACE in groups else None
    new = places.of_path if isinstance(places, SecondSight) else lambda _path, _asked: None
    process, scalar, place = (groups[group].key if group in groups else "" for group in _LIMITS)
    looks = (look(FactGroup.PROCESS), look(FactGroup.SCALAR), look(FactGroup.PLACE))
    return KnownMasks((process, scalar, place), *looks, new)


def _group_mask(generator: Generator, trees: Sequence[Tree[Check]], group: FactGroup, *, last: bool) -> _Group | None:
    """The mask that one group of facts gives; None if it cannot drop anything.

    Args:
        generator: makes the functions.
        trees: the conditions.
        group: the group.
        last: the local ``mask`` says what the other groups have left.
    """
    done: dict[Tree[Check], Tree[Check]] = {}
    projected = [project(tree, lambda check: generator.groups.of_check(check).group is group, done=done) for tree in trees]
    if all(tree == Constant(value=True) for tree in projected):
        return None
    raw = raw_fields(generator, projected)
    if not raw:
        return _Group(constant(by_bits(projected).get(Constant(value=True), 0)), "", None)
    limit, name = _LIMITS[group], generator.names.add
    # Processes of one image and user share what was computed; a key of the source's stands for one process.
    compute = _by_value(generator, projected, raw, limit) if group is FactGroup.PROCESS else _computed(generator, projected, raw)
    key, attribute = _key(generator, raw)
    memo: EventMemo
    if last:
        cover = cover_mask(projected, generator.groups.field, generator.value)
        if cover is not None and len(trees) >= MANY:
            compute = _covered(generator, projected, raw, cover)
        memo = places = SecondSight(compute, limit, cover)
        miss = call(name("sight", places.sight), load("event"), load("key"), load("mask"))
    else:
        memo = EventMemo(compute, limit)
        miss = call(name("miss", memo.miss), load("event"), load("key"))
    found = ast.NamedExpr(store("found"), call(name("known", memo.get), ast.NamedExpr(store("key"), key)))
    known = ast.Compare(found, [ast.IsNot()], [constant(None)])
    return _Group(ast.IfExp(known, load("found"), miss), attribute, memo)


def _key(generator: Generator, raw: Sequence[FieldRef]) -> tuple[ast.expr, str]:
    """What the mask is remembered by: the fields' keys, or their values where they have none; and the name of the key if it is one."""
    keys: dict[str | FieldRef, None] = dict.fromkeys(generator.groups.field(ref).key or ref for ref in raw)
    values = [ast.Attribute(load("event"), each, ast.Load()) if isinstance(each, str) else generator.key((each,)) for each in keys]
    if len(values) > 1:
        return ast.Tuple(values, ast.Load()), ""
    (only,) = keys
    return values[0], only if isinstance(only, str) else ""


def _computed(generator: Generator, projected: Sequence[Tree[Check]], raw: Sequence[FieldRef]) -> Callable[[Any], int]:
    """The mask as a function of the event."""
    values = generator.names.expression("values", "event", generator.key(raw))
    masks = mask_code(generator, [by_bits(projected)], raw)
    return lambda event: masks(values(event))


def _covered(generator: Generator, projected: Sequence[Tree[Check]], raw: Sequence[FieldRef], cover: CoverMask) -> Callable[[Any], int]:
    """The mask as a function of the event, where rules are many: of those that have a cover, what it leaves is narrowed."""
    always = cover.always
    others = _computed(generator, [tree if always >> number & 1 else NO for number, tree in enumerate(projected)], raw)
    narrow = Narrowing(generator, projected, may=True)

    def mask(event: Any) -> int:
        left = cover(event, -1) & ~always
        return others(event) | (narrow(event, left) if left else 0)

    return mask


def _by_value(generator: Generator, projected: Sequence[Tree[Check]], raw: Sequence[FieldRef], limit: int) -> Callable[[Any], int]:
    """The mask as a function of the event, remembered by the values of the fields.

    Of a field of which conditions only ask whether it is one of some values, any other value will do: process ids are all different.
    """
    names = generator.names
    memo = Memo(mask_code(generator, [by_bits(projected)], raw), limit)
    compared = compared_values(generator, projected)
    values: list[ast.expr] = []
    for ref in raw:
        value = generator.key((ref,))
        values.append(call(names.add("few", Few(*compared[ref])), value) if ref in compared else value)
    key = values[0] if len(values) == 1 else ast.Tuple(values, ast.Load())
    return names.expression("by_value", "event", ast.Subscript(load(names.add("memo", memo)), key, ast.Load()))
