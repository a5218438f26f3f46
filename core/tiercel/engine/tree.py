"""Conditions in negation normal form: and/or over leaves that may be negated.

`every` and `some` build nodes and fold constants, nested nodes of the same kind and repeated operands on the way. Nodes know their hash,
and `shared` makes equal ones the same object: thousands of rules have most of their parts in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeAlias, TypeVar

__all__ = ["NO", "YES", "Constant", "Every", "Leaf", "Some", "Tree", "every", "leaves", "shared", "some", "transform"]

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
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Computes the hash once."""
        object.__setattr__(self, "_hash", hash((self.check, self.negated)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Every(Generic[L]):
    """Conjunction of two or more parts, none of them a constant or another conjunction."""

    parts: tuple[Tree[L], ...]
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Computes the hash once."""
        object.__setattr__(self, "_hash", hash(("every", self.parts)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Some(Generic[L]):
    """Disjunction of two or more parts, none of them a constant or another disjunction."""

    parts: tuple[Tree[L], ...]
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Computes the hash once."""
        object.__setattr__(self, "_hash", hash(("some", self.parts)))

    def __hash__(self) -> int:
        return self._hash


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


def shared(tree: Tree[L], known: dict[Tree[L], Tree[L]]) -> Tree[L]:
    """The tree of nodes that are the same object wherever they are equal; `known` are those so far."""
    if isinstance(tree, Every | Some):
        parts = tuple(shared(part, known) for part in tree.parts)
        if any(new is not old for new, old in zip(parts, tree.parts, strict=True)):
            tree = type(tree)(parts)
    return known.setdefault(tree, tree)


def transform(tree: Tree[L], leaf: Callable[[Leaf[L]], Tree[M]], done: dict[Tree[L], Tree[M]] | None = None) -> Tree[M]:
    """The tree with every leaf replaced by what `leaf` makes of it, folded again.

    Args:
        tree: the tree.
        leaf: the replacement; depends on nothing but the leaf.
        done: what earlier calls with the same `leaf` made of nodes.
    """
    if isinstance(tree, Constant):
        return tree
    if done is not None and (known := done.get(tree)) is not None:
        return known
    new: Tree[M]
    if isinstance(tree, Leaf):
        new = leaf(tree)
    else:
        new = (every if isinstance(tree, Every) else some)(transform(part, leaf, done) for part in tree.parts)
    if done is not None:
        done[tree] = new
    return new
