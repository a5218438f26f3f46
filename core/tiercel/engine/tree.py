"""Conditions in negation normal form: and/or over leaves that may be negated.

`every` and `some` build nodes and fold constants, nested nodes of the same kind and repeated operands on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

__all__ = ["NO", "YES", "Constant", "Every", "Leaf", "Some", "Tree", "every", "leaves", "some", "transform"]

L = TypeVar("L")
M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Constant:
    """True or false for every event."""

    value: bool


YES: Final = Constant(value=True)
NO: Final = Constant(value=False)


@dataclass(frozen=True, slots=True)
class Leaf(Generic[L]):
    """One check, or its negation."""

    check: L
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Every(Generic[L]):
    """Conjunction of two or more parts, none of them a constant or another conjunction."""

    parts: tuple[Tree[L], ...]


@dataclass(frozen=True, slots=True)
class Some(Generic[L]):
    """Disjunction of two or more parts, none of them a constant or another disjunction."""

    parts: tuple[Tree[L], ...]


Tree: TypeAlias = Constant | Leaf[L] | Every[L] | Some[L]


def every(parts: Iterable[Tree[L]]) -> Tree[L]:
    """Conjunction of the parts, folded."""
    kept: dict[Tree[L], None] = {}
    for part in parts:
        if isinstance(part, Constant):
            if not part.value:
                return NO
        elif isinstance(part, Every):
            kept.update(dict.fromkeys(part.parts))
        else:
            kept[part] = None
    if len(kept) > 1:
        return Every(tuple(kept))
    return next(iter(kept), YES)


def some(parts: Iterable[Tree[L]]) -> Tree[L]:
    """Disjunction of the parts, folded."""
    kept: dict[Tree[L], None] = {}
    for part in parts:
        if isinstance(part, Constant):
            if part.value:
                return YES
        elif isinstance(part, Some):
            kept.update(dict.fromkeys(part.parts))
        else:
            kept[part] = None
    if len(kept) > 1:
        return Some(tuple(kept))
    return next(iter(kept), NO)


def leaves(tree: Tree[L]) -> Iterator[Leaf[L]]:
    """The leaves, from left to right."""
    if isinstance(tree, Leaf):
        yield tree
    elif not isinstance(tree, Constant):
        for part in tree.parts:
            yield from leaves(part)


def transform(tree: Tree[L], leaf: Callable[[Leaf[L]], Tree[M]]) -> Tree[M]:
    """The tree with every leaf replaced by what `leaf` makes of it, folded again."""
    if isinstance(tree, Leaf):
        return leaf(tree)
    if isinstance(tree, Every):
        return every(transform(part, leaf) for part in tree.parts)
    if isinstance(tree, Some):
        return some(transform(part, leaf) for part in tree.parts)
    return tree
