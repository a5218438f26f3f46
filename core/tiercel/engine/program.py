"""What runs for the events of one type: the mask function, and the full conditions of the rules, in rule order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tiercel.engine.cost import Decided

if TYPE_CHECKING:
    from tiercel.engine.codegen import Generator
    from tiercel.engine.tree import Tree
    from tiercel.lang.ast import Check
    from tiercel.plan import KnownMasks
    from tiercel.ruleset.model import Rule

__all__ = ["Program", "RuleState", "Step"]


@dataclass(slots=True, eq=False)
class RuleState:
    """A rule of one plan, with its counters.

    Attributes:
        rule: the rule.
        number: place among the rules of its source, from 0.
        matches: events that it matched.
        undecided: events that it did not match, but might have if all facts had been known.
        decided: what decided about the rule, over the sampled events (`tiercel.engine.cost`).
    """

    rule: Rule
    number: int
    matches: int = 0
    undecided: int = 0
    decided: Decided = field(default_factory=Decided)


@dataclass(slots=True, eq=False)
class Step:
    """A rule on one event type.

    Attributes:
        state: the rule.
        tree: its condition, specialised on the event type.
        generator: compiles the condition.
        matches: the condition as a function of the event. Compiled at the first call, if not before: masks keep events from most rules.
        may_match: whether the rule could match if all facts were known; compiled at the first call, too.
    """

    state: RuleState
    tree: Tree[Check]
    generator: Generator
    matches: Callable[[Any], bool] = field(init=False)
    may_match: Callable[[Any], bool] = field(init=False)

    def __post_init__(self) -> None:
        """Puts what compiles in the place of what is compiled."""
        self.matches = self._first
        self.may_match = self._first_may

    def compile(self) -> None:
        """Compiles the condition."""
        self.matches = self.generator.condition(self.tree, may=False)

    def _first(self, event: Any) -> bool:
        self.compile()
        return self.matches(event)

    def _first_may(self, event: Any) -> bool:
        self.may_match = self.generator.condition(self.tree, may=True)
        return self.may_match(event)


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """The rules that events of one type can match.

    Attributes:
        masks: function of the event: bit i is set if step i may match.
        known: what a decoder may know of the masks.
        narrow: function of the event and the rules that are left: those that can match. None if the rules are few.
        narrow_pending: the same for events of which some facts are not known: those that could match.
        steps: the rules, in matching order.
        groups: the masks of each group of facts, of which `masks` is made.
    """

    masks: Callable[[Any], int]
    steps: tuple[Step, ...]
    known: KnownMasks | None = None
    narrow: Callable[[Any, int], int] | None = None
    narrow_pending: Callable[[Any, int], int] | None = None
    groups: tuple[tuple[str, Callable[[Any], int]], ...] = ()
