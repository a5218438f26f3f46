"""Generated functions agree with the slow reference on random conditions and events."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.catalogue import CATALOGUE, FIELDS, FakeEvent, values_of
from tests.oracle.reference import holds, may
from tests.oracle.strategies import EVENT_TYPES, conditions, facts, hidden, literals_of, operators_of, values_for
from tiercel.engine.codegen import Generator
from tiercel.engine.groups import Groups
from tiercel.engine.nnf import normal_form
from tiercel.engine.tree import Leaf
from tiercel.fields import FAILED, PENDING, Field, FieldType
from tiercel.lang.ast import Call, Check, FieldRef, ListValue, Node, TextValue
from tiercel.lang.parser import parse

_SAME = {"fd.net": "fd.ip", "fd.ip": "fd.net", "fd.snet": "fd.sip", "fd.sip": "fd.snet"}
"""Fields of the same facts."""


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


@pytest.mark.parametrize(
    "name", ["fd.name", "evt.res", "evt.write", "evt.ratio", "evt.buffer", "fd.port", "fd.ip", "fd.sip", "fd.net", "fd.snet", "evt.sizes"]
)
def test_every_operator_on_every_value(name: str) -> None:
    generator, field, wrong = Generator(Groups(CATALOGUE, "syscall")), FIELDS[name], []
    events = [("open", {name: value, _SAME.get(name, name): value}) for value in (*values_for(field), None, PENDING, FAILED)]
    for operator in operators_of(field.type, is_list=field.is_list):
        for literal in literals_of(field.type, operator):
            text = TextValue(literal)
            check = Check(FieldRef(name), operator, ListValue((text,)) if operator in ("in", "intersects", "pmatch") else text)
            matches = generator.condition(Leaf(check), may=False)
            wrong += [(check, event) for event in events if matches(FakeEvent(*event)) is not holds(check, values_of(*event), FIELDS)]
    assert not wrong[:5]


def checks_of(ref: FieldRef, operator: str) -> Iterator[Check]:
    """Checks with one literal, with none, two, and with every modifier."""
    texts = [TextValue(text) for text in literals_of(FieldType.BY_PARAMETER, operator)]
    lists = [ListValue(chosen) for chosen in ((), *itertools.combinations(texts, 1), *itertools.combinations(texts, 2))]
    if operator in ("in", "intersects", "pmatch"):
        yield from (Check(ref, operator, each) for each in lists)
        return
    yield from (Check(ref, operator, each) for each in texts)
    if operator[0] not in "<>":
        yield from (Check(ref, operator, each, modifier) for each in lists for modifier in ("oneof", "anyof", "allof"))


@pytest.mark.parametrize("operator", operators_of(FieldType.BY_PARAMETER))
def test_every_operator_on_parameters_of_every_type(operator: str) -> None:
    """What does not fit is false, and nothing raises."""
    generator, wrong = Generator(Groups(CATALOGUE, "syscall")), []
    events = [("open", {"evt.raw": (("x", value),)}) for value in (*values_for(FIELDS["evt.raw"]), None, PENDING)]
    for check in checks_of(FieldRef("evt.raw", "x"), operator):
        matches = generator.condition(Leaf(check), may=False)
        wrong += [(check, event) for event in events if matches(FakeEvent(*event)) is not holds(check, values_of(*event), FIELDS)]
    assert not wrong[:5]


@pytest.mark.parametrize("name", ["fd.name", "evt.write", "proc.aname", "evt.sizes", "fd.port"])
def test_a_field_exists_when_it_has_a_value(name: str) -> None:
    generator, leaf = Generator(Groups(CATALOGUE, "syscall")), Leaf(Check(FieldRef(name), "exists", None))
    exists, may_exist = generator.condition(leaf, may=False), generator.condition(leaf, may=True)
    for value in values_for(FIELDS[name]):
        assert exists(FakeEvent("open", {name: value})) is (value != ())
    assert not exists(FakeEvent("open", {name: None}))
    assert not may_exist(FakeEvent("open", {name: None}))
    assert not exists(FakeEvent("open", {name: PENDING}))
    assert may_exist(FakeEvent("open", {name: PENDING}))


@pytest.mark.parametrize("modifier", ["oneof", "anyof", "allof"])
def test_every_modifier_on_every_value(modifier: str) -> None:
    generator, wrong = Generator(Groups(CATALOGUE, "syscall")), []
    events = [("open", {"fd.name": value}) for value in (*values_for(FIELDS["fd.name"]), None, PENDING, FAILED)]
    for operator in ("=", "!=", "contains", "startswith", "endswith", "icontains", "glob", "iglob", "regex"):
        literals = ["a", "A", "/etc", "", "\udcc3", *literals_of(FieldType.STRING, operator)[:4]]
        for chosen in itertools.chain(itertools.product(literals, repeat=2), [(), ("a",), ("a", "ab", "/etc")]):
            check = Check(FieldRef("fd.name"), operator, ListValue(tuple(map(TextValue, chosen))), modifier)
            matches = generator.condition(Leaf(check), may=False)
            wrong += [(check, event) for event in events if matches(FakeEvent(*event)) is not holds(check, values_of(*event), FIELDS)]
    assert not wrong[:5]


@pytest.mark.parametrize(("left", "right"), [("fd.name", "proc.exe"), ("evt.flags", "proc.uid"), ("evt.sizes", "evt.sizes")])
def test_every_operator_between_two_fields(left: str, right: str) -> None:
    generator, field, wrong = Generator(Groups(CATALOGUE, "syscall")), FIELDS[left], []
    values = (*values_for(field), None, PENDING, FAILED)
    events = [("open", {left: one, right: other}) for one in values for other in values]
    for operator in set(operators_of(field.type, is_list=field.is_list)) - {"pmatch", "regex"}:
        check = Check(FieldRef(left), operator, Call("val", (FieldRef(right),)))
        matches, may_match = generator.condition(Leaf(check), may=False), generator.condition(Leaf(check, negated=True), may=True)
        for event in events:
            if matches(FakeEvent(*event)) is not holds(check, values_of(*event), FIELDS):
                wrong.append((check, event))
            assert may_match(FakeEvent(*event)) is (False in may(check, values_of(*event), FIELDS))
    assert not wrong[:5]


def test_values_read_more_than_once_are_read_once_per_event() -> None:
    reads = 0

    def get(_event: object) -> str:
        nonlocal reads
        reads += 1
        return "c"

    field = Field(name="demo.x", type=FieldType.STRING, description="", getter=get)
    catalogue: Any = SimpleNamespace(get=lambda _name, _source: field)
    text = "(demo.x = a and demo.x = b) or not demo.x != d or demo.x startswith anyof (e, f) or (demo.x exists and demo.x = c)"
    assert Generator(Groups(catalogue, "syscall")).condition(normal_form(parse(text)), may=False)(None)
    assert reads == 1
