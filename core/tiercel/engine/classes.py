"""Classes of rules: what a source judges for one event type, one bit each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from tiercel.engine.tree import Tree, some
from tiercel.lang.ast import Check
from tiercel.plan import Atom

__all__ = ["Judged", "merge"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What can be judged of some rules ahead; the rules can match only if all three may hold.

    Attributes:
        rules: names of the rules.
        process: condition on the process.
        scalars: condition on scalars.
        places: condition on places.
    """

    rules: tuple[str, ...]
    process: Tree[Check]
    scalars: Tree[Atom]
    places: Tree[Atom]


def merge(rules: Sequence[Judged], limit: int) -> list[Judged]:
    """At most `limit` classes. Rules that are judged alike share one; beyond the limit, neighbours by what they judge do.

    A merged class may match where one of its rules may.
    """
    alike: dict[tuple[Tree[Atom], Tree[Atom], Tree[Check]], list[Judged]] = {}
    for rule in rules:
        alike.setdefault((rule.places, rule.scalars, rule.process), []).append(rule)
    classes = [_joined(group) for group in alike.values()]
    if len(classes) <= limit:
        return classes
    # Equal places first, then equal scalars: what is joined then loses the least. Order of appearance keeps it deterministic.
    places = {tree: number for number, tree in enumerate(dict.fromkeys(each.places for each in classes))}
    scalars = {tree: number for number, tree in enumerate(dict.fromkeys(each.scalars for each in classes))}
    classes.sort(key=lambda each: (places[each.places], scalars[each.scalars]))
    bounds = [number * len(classes) // limit for number in range(limit + 1)]
    return [_joined(classes[start:end]) for start, end in itertools.pairwise(bounds)]


def _joined(group: Sequence[Judged]) -> Judged:
    """One class for several."""
    if len(group) == 1:
        return group[0]
    return Judged(
        rules=tuple(name for each in group for name in each.rules),
        process=some(each.process for each in group),
        scalars=some(each.scalars for each in group),
        places=some(each.places for each in group),
    )
