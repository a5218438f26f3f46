"""Specialises the conditions of many rules on event types: parts that do not depend on the type are looked at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Final

from tiercel.engine.codegen import Generator
from tiercel.engine.simplify import decide_absent, decide_constant
from tiercel.engine.tree import NO, YES, Constant, Every, Leaf, Tree, every, some, transform
from tiercel.lang.ast import Check, reads

__all__ = ["Specialised"]

_TYPE_PATH: Final = ("type",)


class Specialised:
    """Conditions on event types.

    Args:
        generator: makes the functions of checks on the type.
        trees: the conditions.
    """

    def __init__(self, generator: Generator, trees: Iterable[Tree[Check]]) -> None:
        self._generator = generator
        done: dict[Tree[Check], Tree[Check]] = {}
        self._trees = tuple(transform(tree, self._settled, done) for tree in trees)
        seen: set[Tree[Check]] = set()
        self._typed: set[Tree[Check]] = set()
        """Nodes with a check on the event's type in them."""
        for tree in self._trees:
            self._note(tree, seen)

    def _settled(self, leaf: Leaf[Check]) -> Tree[Check]:
        """What a check is for every event type."""
        outcome = decide_constant(leaf.check)
        if outcome is None and decide_absent(leaf.check, self._generator.groups.field):
            outcome = False
        return leaf if outcome is None else YES if outcome is not leaf.negated else NO

    def _note(self, tree: Tree[Check], seen: set[Tree[Check]]) -> bool:
        if tree not in seen:
            seen.add(tree)
            if isinstance(tree, Leaf):
                check, field = tree.check, self._generator.groups.field
                typed = all(field(ref).path == _TYPE_PATH for ref in (*reads(check.left), *reads(check.right)))
            else:
                noted = [] if isinstance(tree, Constant) else [self._note(part, seen) for part in tree.parts]
                typed = any(noted)
            if typed:
                self._typed.add(tree)
        return tree in self._typed

    def on(self, event_type: str, asked: Callable[[int], bool]) -> dict[int, Tree[Check]]:
        """The conditions on events of a type, by their place; those that are false are left out.

        Args:
            event_type: the type.
            asked: whether the condition at a place is asked for.
        """
        event = SimpleNamespace(type=event_type)
        done: dict[Tree[Check], Tree[Check]] = {}

        def special(tree: Tree[Check]) -> Tree[Check]:
            if tree not in self._typed or isinstance(tree, Constant):
                return tree
            found = done.get(tree)
            if found is None:
                if isinstance(tree, Leaf):
                    outcome = bool(self._generator.condition(Leaf(tree.check), may=False)(event))
                    found = YES if outcome is not tree.negated else NO
                else:
                    found = (every if isinstance(tree, Every) else some)(map(special, tree.parts))
                done[tree] = found
            return found

        found = ((place, special(tree)) for place, tree in enumerate(self._trees) if asked(place))
        return {place: tree for place, tree in found if tree != NO}
