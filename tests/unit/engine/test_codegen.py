"""Generated functions agree with the slow reference on random conditions and events."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.catalogue import CATALOGUE, FIELDS, FakeEvent, values_of
from tests.oracle.reference import holds, may
from tests.oracle.strategies import EVENT_TYPES, conditions, facts, hidden
from tiercel.engine.codegen import Generator
from tiercel.engine.groups import Groups
from tiercel.engine.nnf import normal_form
from tiercel.lang.ast import Node


@st.composite
def events(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    return draw(st.sampled_from(EVENT_TYPES)), draw(hidden(draw(facts())))


@given(node=conditions(), event=events())
def test_generated_condition_agrees_with_the_reference(node: Node, event: tuple[str, dict[str, Any]]) -> None:
    generator = Generator(Groups(CATALOGUE, "syscall"))
    matches = generator.condition(normal_form(node), may=False)
    assert matches(FakeEvent(*event)) is holds(node, values_of(*event), FIELDS)


@given(node=conditions(), event=events())
def test_may_mode_never_excludes_an_outcome_that_is_possible(node: Node, event: tuple[str, dict[str, Any]]) -> None:
    generator = Generator(Groups(CATALOGUE, "syscall"))
    outcomes = may(node, values_of(*event), FIELDS)
    assert generator.condition(normal_form(node), may=True)(FakeEvent(*event)) or True not in outcomes
    assert generator.condition(normal_form(node, negated=True), may=True)(FakeEvent(*event)) or False not in outcomes
