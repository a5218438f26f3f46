"""Mutants of a rule: its condition with one check dropped or negated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tiercel.lang.ast import And, Check, FieldRef, Node, Not, NumberValue, Or
from tiercel.lang.evttypes import event_types
from tiercel.ruleset.origins import CheckOrigin

if TYPE_CHECKING:
    from tiercel.ruleset.model import Rule

__all__ = ["KINDS", "Mutant", "mutants"]

ALWAYS: Final = Check(FieldRef("evt.num"), ">=", NumberValue("0"))
"""Stands for a condition of which nothing is left (rule language, section 10)."""
KINDS: Final[dict[str, Callable[[Node], Node | None]]] = {"drop": lambda _check: None, "negate": Not}

Step = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutant. It is the same in two loads of its rule if all but `altered` is equal.

    Attributes:
        rule: name of the rule.
        kind: ``drop`` or ``negate``.
        origin: the check.
        occurrence: from 1; a macro that a condition names twice brings its checks twice.
        altered: the rule with the altered condition.
    """

    rule: str
    kind: str
    origin: CheckOrigin
    occurrence: int
    altered: Rule

    @property
    def key(self) -> tuple[str, str, CheckOrigin, int]:
        """What identifies it."""
        return self.rule, self.kind, self.origin, self.occurrence

    @property
    def text(self) -> str:
        """The mutant as lists of accepted ones name it."""
        return f"{self.kind} {self.origin.text}"


def mutants(rule: Rule, *, known: frozenset[str] | None) -> Iterator[Mutant]:
    """All mutants of a rule that was loaded with its origins, in the order of its condition.

    Args:
        rule: the rule.
        known: event types of its source; None if they are not known.
    """
    seen: Counter[CheckOrigin] = Counter()
    for path, origin in zip(_paths(rule.condition, ()), rule.origins, strict=True):
        seen[origin] += 1
        for kind, alter in KINDS.items():
            condition = _altered(rule.condition, path, alter) or ALWAYS
            altered = replace(rule, condition=condition, event_types=event_types(condition, known=known))
            yield Mutant(rule.name, kind, origin, seen[origin], altered)


def _paths(node: Node, path: Step) -> Iterator[Step]:
    """Where the checks are in a tree, in the order of its text."""
    if isinstance(node, Not):
        yield from _paths(node.operand, (*path, 0))
    elif isinstance(node, And | Or):
        for number, operand in enumerate(node.operands):
            yield from _paths(operand, (*path, number))
    else:
        yield path


def _altered(node: Node, path: Step, alter: Callable[[Node], Node | None]) -> Node | None:
    """The tree with one check altered; None if nothing of it is left."""
    if not path:
        return alter(node)
    if isinstance(node, Not):
        operand = _altered(node.operand, path[1:], alter)
        return None if operand is None else Not(operand, node.position)
    assert isinstance(node, And | Or)
    changed = _altered(node.operands[path[0]], path[1:], alter)
    operands = [changed if number == path[0] else each for number, each in enumerate(node.operands)]
    left = tuple(each for each in operands if each is not None)
    return type(node)(left, node.position) if len(left) > 1 else left[0] if left else None
