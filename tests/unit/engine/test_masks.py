"""No mask, verdict or formula ever loses a rule that can match, whatever is still unknown."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.catalogue import CATALOGUE, FIELDS, FakeEvent, values_of
from tests.oracle.formulas import scalar_and_place_mask
from tests.oracle.reference import holds
from tests.oracle.strategies import EVENT_TYPES, checks, conditions, facts, hidden
from tests.unit.engine.planning import ABILITIES, plan_of, rule
from tiercel.engine.planner import build
from tiercel.fields import ChangePoint
from tiercel.lang.ast import Node, Not

Facts = dict[str, Any]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Facts, Facts]:
    """Facts, and the same facts with some of them unknown."""
    full = draw(facts())
    return full, draw(hidden(full))


@given(
    nodes=st.lists(conditions(), min_size=1, max_size=6),
    event_type=st.sampled_from(EVENT_TYPES),
    seen=st.lists(pairs(), min_size=1, max_size=4),
)
def test_what_judges_ahead_never_loses_a_rule(nodes: list[Node], event_type: str, seen: list[tuple[Facts, Facts]]) -> None:
    plan = build([rule(f"r{number}", node) for number, node in enumerate(nodes)], CATALOGUE, {"syscall": ABILITIES}, generation=1)
    program = plan.sources["syscall"].program(event_type)
    source = plan.source("syscall")
    assert source.guards in ABILITIES.compared
    for full, partly in seen * 3:  # again: from the memos
        matching = {f"r{number}" for number, node in enumerate(nodes) if holds(node, values_of(event_type, full), FIELDS)}
        for known in (full, partly):
            event = FakeEvent(event_type, known)
            mask = program.masks(event)
            survivors = {step.state.rule.name for number, step in enumerate(program.steps) if mask >> number & 1}
            assert matching <= survivors
            if known is full:
                assert matching == {step.state.rule.name for step in program.steps if step.matches(event)}
            verdict = source.verdict(event)
            assert len(verdict) == len(source.judged)
            for judged, process in zip(source.judged, verdict, strict=True):
                if judged.event_type == event_type:
                    left = process & scalar_and_place_mask(judged, values_of(event_type, known))
                    classes = {name for number, names in enumerate(judged.rules) if left >> number & 1 for name in names}
                    assert matching <= classes
        if matching:
            assert event_type in source.wanted_types


@given(nodes=st.lists(conditions(), min_size=1, max_size=6))
def test_plans_keep_within_what_the_source_can_do(nodes: list[Node]) -> None:
    plan = build([rule(f"r{number}", node) for number, node in enumerate(nodes)], CATALOGUE, {"syscall": ABILITIES}, generation=3)
    source = plan.source("syscall")
    assert source.generation == 3
    for judged in source.judged:
        assert len(judged.rules) == len(judged.scalars) == len(judged.places) <= ABILITIES.max_classes
        assert len(judged.place_atoms) <= ABILITIES.max_atoms
        assert all(atom.operator in ABILITIES.scalars[atom.field] for atom in judged.scalar_atoms)
        assert all(atom.operator in ABILITIES.places[atom.field] for atom in judged.place_atoms)
        assert {name for names in judged.rules for name in names} <= {f"r{number}" for number in range(len(nodes))}
    assert ChangePoint.TTY not in source.guards


@given(check=checks(), negated=st.booleans(), seen=st.lists(facts(), min_size=8, max_size=8))
def test_formulas_of_one_check_are_implied_by_it(check: Node, negated: bool, seen: list[Facts]) -> None:
    node = Not(check) if negated else check
    plan = build([rule("r", node)], CATALOGUE, {"syscall": ABILITIES}, generation=1)
    for judged in plan.source("syscall").judged:
        for known in seen:
            values = values_of(judged.event_type, known)
            assert scalar_and_place_mask(judged, values) or not holds(node, values, FIELDS)


def test_each_group_of_facts_drops_what_it_can() -> None:
    plan = plan_of(
        "evt.type = open and proc.name = a and evt.flags = 1 and fd.name = /x",
        "evt.type = open and proc.name = a and evt.flags = 2 and fd.name = /y",
        "evt.type = open and proc.name = b and evt.buffer = c",
    )
    masks = plan.sources["syscall"].program("open").masks

    def mask(name: str, flags: int, path: str) -> int:
        event = FakeEvent("open", {"proc.name": name, "evt.flags": flags, "fd.name": path})
        return [masks(event) for _ in range(3)][-1]  # places are judged from their second appearance on

    assert mask("a", 1, "/x") == 0b001
    assert mask("a", 2, "/y") == 0b010
    assert mask("a", 2, "/x") == mask("a", 3, "/x") == mask("c", 1, "/x") == 0
    assert mask("b", 1, "/z") == 0b100


def test_a_rule_that_nothing_judges_ahead_survives_every_event() -> None:
    masks = plan_of("evt.type = open and evt.buffer = c", "evt.type = open").sources["syscall"].program("open").masks
    assert masks(FakeEvent("open", {})) == 0b11
