"""Generates functions that tell which of many conditions may hold, as bit masks.

The bits of a part of a conjunction are cleared where it cannot hold; so what many rules have in common is tested once for all of them.
What else occurs several times is kept in a local.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tiercel.engine.codegen import Body, Generator, Known
from tiercel.engine.nodes import constant, load, negation, store
from tiercel.engine.tree import Constant, Every, Leaf, Tree
from tiercel.lang.ast import Check, FieldRef, reads

__all__ = ["mask_code"]


def mask_code(generator: Generator, projections: Iterable[Mapping[Tree[Check], int]], raw: Sequence[FieldRef]) -> Callable[[Any], Any]:
    """A function of a `Generator.key` that gives one mask for each mapping, alone or as a tuple.

    Args:
        generator: makes the expressions.
        projections: condition -> bits that survive where it may hold.
        raw: the fields of the key; the conditions read no other.
    """
    by_part = [_by_part(projection) for projection in projections]
    code = _Code(generator, raw, [part for parts, _ in by_part for part in parts])
    results: list[ast.expr] = []
    for number, (parts, everything) in enumerate(by_part):
        mask = f"mask_{number}"
        code.statements.append(ast.Assign([store(mask)], constant(everything)))
        for part, bits in parts.items():
            code.clear(mask, part, everything & ~bits)
        results.append(load(mask))
    return code.function(results[0] if len(results) == 1 else ast.Tuple(results, ast.Load()))


def _by_part(projection: Mapping[Tree[Check], int]) -> tuple[dict[Tree[Check], int], int]:
    """Part of a conjunction -> bits that need it; and all bits."""
    parts: dict[Tree[Check], int] = {}
    everything = 0
    for tree, bits in projection.items():
        if tree == Constant(value=False):
            continue
        everything |= bits
        for part in tree.parts if isinstance(tree, Every) else () if isinstance(tree, Constant) else (tree,):
            parts[part] = parts.get(part, 0) | bits
    return parts, everything


class _Code:
    """The function under construction."""

    def __init__(self, generator: Generator, raw: Sequence[FieldRef], parts: Iterable[Tree[Check]]) -> None:
        self.statements: list[ast.stmt] = []
        self._generator = generator
        self._body = Body(generator, may=True, bound=raw)
        self._known: Known = frozenset(raw)
        self._uses: Counter[Tree[Check]] = Counter()
        for part in parts:
            self._count(part)
        if raw:
            names: list[ast.expr] = [store(self._body.local(ref)) for ref in raw]
            self.statements.append(ast.Assign([names[0] if len(raw) == 1 else ast.Tuple(names, ast.Store())], load("key")))

    def _count(self, tree: Tree[Check]) -> None:
        self._uses[tree] += 1
        if self._uses[tree] == 1 and not isinstance(tree, Leaf | Constant):
            for part in tree.parts:
                self._count(part)

    def _keep(self, tree: Tree[Check]) -> None:
        """Computes what occurs again ahead, where that calls no function of a plugin: those are called in the order of the condition."""
        if tree in self._body.kept or isinstance(tree, Constant):
            return
        if not isinstance(tree, Leaf):
            for part in tree.parts:
                self._keep(part)
        if self._uses[tree] > 1 and self._plain(tree):
            value, true, false = self._body.condition(tree, self._known)
            self._known = true & false
            name = f"part_{len(self._body.kept)}"
            self.statements.append(ast.Assign([store(name)], value))
            self._body.kept[tree] = name

    def _plain(self, tree: Tree[Check]) -> bool:
        if isinstance(tree, Leaf):
            field = self._generator.groups.field
            return all(field(ref).function is None for ref in (*reads(tree.check.left), *reads(tree.check.right)))
        return isinstance(tree, Constant) or all(map(self._plain, tree.parts))

    def clear(self, mask: str, part: Tree[Check], rest: int) -> None:
        """Leaves only `rest` of a mask where a part cannot hold."""
        self._keep(part)
        test, true, false = self._body.condition(part, self._known)
        self._known = true & false
        test = test.operand if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) else negation(test)
        self.statements.append(ast.If(test, [ast.AugAssign(store(mask), ast.BitAnd(), constant(rest))], []))

    def function(self, result: ast.expr) -> Callable[[Any], Any]:
        """The compiled function."""
        statements = [*self.statements, ast.Return(result)]
        return self._generator.names.function("masks", "key", [self._body.finish(statement) for statement in statements])
