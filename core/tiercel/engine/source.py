"""The rules of one event source, planned: a program for each event type, and the plan that the source itself gets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from tiercel.components.source import Abilities
from tiercel.engine.aliases import Resolve, with_aliases
from tiercel.engine.classes import Judged, merge
from tiercel.engine.codegen import Generator
from tiercel.engine.formula import atom_tree, numbered
from tiercel.engine.groups import Groups
from tiercel.engine.masks import mask_function
from tiercel.engine.narrow import MANY, Narrowing
from tiercel.engine.nnf import normal_form
from tiercel.engine.program import Program, RuleState, Step
from tiercel.engine.project import project
from tiercel.engine.simplify import decide_absent
from tiercel.engine.special import Specialised
from tiercel.engine.tree import Tree, leaves, shared
from tiercel.engine.verdict import believable, guards_of, verdict_function
from tiercel.fields import ChangePoint
from tiercel.lang.ast import Check, reads
from tiercel.lang.view import FieldsView
from tiercel.plan import Atom, JudgedType, SourcePlan
from tiercel.ruleset.model import Rule

__all__ = ["Planned", "SourceRules"]

_MAX_PROGRAMS: Final = 1024
"""Programs of event types that were not known ahead; sources have a few hundred types."""


_MAX_EAGER: Final = 200
"""Rules up to which all conditions are compiled ahead; of more, most are never asked."""
_Memos: TypeAlias = tuple[dict[Tree[Check], Tree[Check]], dict[Tree[Check], Tree[Atom]], dict[Tree[Check], Tree[Atom]]]


@dataclass(frozen=True, slots=True)
class Planned:
    """A condition on one event type.

    Attributes:
        state: the rule.
        tree: the condition, specialised.
    """

    state: RuleState
    tree: Tree[Check]


class SourceRules:
    """Everything that is planned for the rules of one source.

    Attributes:
        name: name of the event source.
        states: the rules with their counters, in matching order.
        generator: makes the functions; has the guards of computed fields.
        abilities: what the source can judge.
        wanted: event types that a rule can match.
        judged: classes of each judged event type.
        plan: what the source gets.
    """

    def __init__(
        self, name: str, rules: Sequence[Rule], catalogue: FieldsView, *,
        abilities: Abilities, generation: int, extra: Iterable[str], resolve: Resolve,
    ) -> None:  # fmt: skip
        self.name = name
        self.abilities = abilities
        self.generator = Generator(Groups(catalogue, name))
        self.states = tuple(RuleState(rule, number) for number, rule in enumerate(rules))
        known: dict[Tree[Check], Tree[Check]] = {}
        self._trees = [shared(normal_form(with_aliases(rule.condition, catalogue, name, resolve)), known) for rule in rules]
        self._special = Specialised(self.generator, self._trees)
        self._programs: dict[tuple[Planned, ...], Program] = {}
        self._readers: dict[str, tuple[str, ...]] = {}
        self._by_type: dict[str, Program] = {}
        alike: dict[tuple[Planned, ...], tuple[Planned, ...]] = {}
        planned = {each: self._specialised(each) for each in self._known_types()}
        self._conditions = {each: alike.setdefault(those, those) for each, those in planned.items()}
        self.wanted = frozenset(each for each, planned in self._conditions.items() if planned)
        self.judged = self._judge_types()
        self.plan = self._plan(generation, frozenset(extra))
        for each in self.wanted:
            self.program(each)

    # ---------------------------------------------------------------------------------------------------- event types

    def _known_types(self) -> frozenset[str]:
        """The event types that the source can produce, or if it does not say, those that rules name."""
        if self.abilities.event_types is not None:
            return self.abilities.event_types
        return frozenset[str]().union(*(state.rule.event_types or frozenset() for state in self.states))

    def conditions(self, event_type: str) -> tuple[Planned, ...]:
        """The rules that can match events of a type, with their conditions specialised on it, in matching order."""
        known = self._conditions.get(event_type)
        return self._specialised(event_type) if known is None else known

    def _specialised(self, event_type: str) -> tuple[Planned, ...]:
        types = [state.rule.event_types for state in self.states]
        found = self._special.on(event_type, lambda number: (names := types[number]) is None or event_type in names)
        return tuple(Planned(self.states[number], tree) for number, tree in found.items())

    def program(self, event_type: str) -> Program:
        """The program for events of a type; types with the same conditions share one."""
        program = self._by_type.get(event_type)
        if program is None:
            if len(self._by_type) >= _MAX_PROGRAMS + len(self.wanted):
                self._by_type.clear()
            planned = self.conditions(event_type)
            program = self._programs.get(planned)
            if program is None:
                program = self._programs[planned] = self._compile(planned)
            self._by_type[event_type] = program
        return program

    def _compile(self, planned: Sequence[Planned]) -> Program:
        for each in planned:
            self.generator.prepare(each.tree)
        steps = tuple(Step(each.state, each.tree, self.generator) for each in planned)
        if len(self.states) <= _MAX_EAGER:
            for step in steps:
                step.compile()
        trees = [each.tree for each in planned]
        masks = mask_function(self.generator, trees)
        if len(trees) < MANY:
            return Program(masks.function, steps, masks.known, groups=masks.groups)
        narrow, pending = (Narrowing(self.generator, trees, may=may) for may in (False, True))
        return Program(masks.function, steps, masks.known, narrow, pending, masks.groups)

    # ------------------------------------------------------------------------------------------------- the source's plan

    def _judge_types(self) -> dict[str, list[Judged]]:
        """The classes of each judged event type; types with the same conditions share them."""
        memos: _Memos = ({}, {}, {})
        alike: dict[int, list[Judged]] = {}
        judged = {}
        for each in sorted(self.wanted & self.abilities.judged_types):
            conditions = self.conditions(each)
            if id(conditions) not in alike:
                alike[id(conditions)] = merge([self._judge(planned, memos) for planned in conditions], self.abilities.max_classes)
            judged[each] = alike[id(conditions)]
        return judged

    def _judge(self, planned: Planned, memos: _Memos) -> Judged:
        """What can be judged ahead of a condition; `memos` has the projections so far."""
        lookup = self.generator.groups.lookup
        return Judged(
            rules=(planned.state.rule.name,),
            process=project(planned.tree, self.believes, done=memos[0]),
            scalars=atom_tree(planned.tree, self.abilities.scalars, lookup, done=memos[1]),
            places=atom_tree(planned.tree, self.abilities.places, lookup, done=memos[2]),
        )

    def believes(self, check: Check) -> bool:
        """True if a process verdict may use the check."""
        return believable(self.generator, check, self.abilities.compared)

    def _plan(self, generation: int, extra: frozenset[str]) -> SourcePlan:
        types = [[each.process for each in classes] for classes in self.judged.values()]
        used = [leaf.check for trees in types for tree in trees for leaf in leaves(tree)]
        return SourcePlan(
            event_source=self.name,
            generation=generation,
            wanted_types=self.wanted,
            judged=tuple(self._judged_type(event_type, classes) for event_type, classes in self.judged.items()),
            fields=self._closure(extra),
            guards=guards_of(self.generator, used) if used else ChangePoint.NEVER,
            verdict=verdict_function(self.generator, types),
            known=lambda event_type: self.program(event_type).known,
        )

    def _judged_type(self, event_type: str, classes: Sequence[Judged]) -> JudgedType:
        scalar_atoms, scalars = numbered([each.scalars for each in classes], limit=self.abilities.max_atoms)
        place_atoms, places = numbered([each.places for each in classes], limit=self.abilities.max_atoms)
        return JudgedType(event_type, tuple(each.rules for each in classes), scalar_atoms, scalars, place_atoms, places)

    def _closure(self, extra: frozenset[str]) -> frozenset[str]:
        """Names of all fields that conditions, outputs and others read, with all that they are computed from."""
        names = frozenset[str]().union(*(self.generator.groups.closure(name) for name in extra))
        return names.union(*(self.names_of(state) for state in self.states))

    def failures_of(self, state: RuleState) -> int:
        """Failures of the computed fields that a rule reads or prints."""
        return sum(guard.failures for name, guard in self.generator.guards.items() if guard.failures and name in self.names_of(state))

    def readers(self, field: str) -> tuple[str, ...]:
        """Names of the rules that read or print a field, or one that is computed from it."""
        known = self._readers.get(field)
        if known is None:
            known = self._readers[field] = tuple(state.rule.name for state in self.states if field in self.names_of(state))
        return known

    def without_value(self, state: RuleState) -> tuple[Check, ...]:
        """Checks of a rule that are false whatever the event, because nothing gives their field a value yet."""
        checks = dict.fromkeys(leaf.check for leaf in leaves(self._trees[state.number]))
        return tuple(check for check in checks if decide_absent(check, self.generator.groups.field))

    def not_collected(self, state: RuleState) -> frozenset[str]:
        """Event types that a rule matches and that its source does not produce; none if the source does not know its types ahead."""
        produced = self.abilities.event_types
        return (state.rule.event_types or frozenset()) - produced if produced is not None else frozenset()

    def names_of(self, state: RuleState) -> frozenset[str]:
        """Names of all fields that a rule reads or prints, with all that they are computed from."""
        groups = self.generator.groups
        printed = (groups.of_field(ref).names for field in state.rule.printed for ref in reads(field.operand))
        return frozenset[str]().union(*(groups.of_check(leaf.check).names for leaf in leaves(self._trees[state.number])), *printed)
