"""What many rules have in common is tested once for all of them; nobody can tell from the alerts or the counters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.catalogue import CATALOGUE, FIELDS, FakeEvent, values_of
from tests.oracle.reference import holds
from tests.oracle.strategies import EVENT_TYPES, conditions, facts, hidden
from tests.unit.engine.planning import ABILITIES, plan_of, rule
from tiercel.engine import masks, narrow, source
from tiercel.engine.codegen import Generator
from tiercel.engine.engine import Engine
from tiercel.engine.groups import Groups
from tiercel.engine.narrow import MANY, Narrowing
from tiercel.engine.nnf import normal_form
from tiercel.engine.planner import build
from tiercel.fields import PENDING
from tiercel.lang.ast import And, Node
from tiercel.lang.check import check_condition
from tiercel.lang.parser import parse

Facts = dict[str, Any]


@contextmanager
def as_if_many() -> Iterator[None]:
    """A few rules are planned as thousands are."""
    with (
        patch.object(source, "MANY", 1), patch.object(masks, "MANY", 1), patch.object(source, "_MAX_EAGER", 0),
        patch.object(narrow, "FEW", 1), patch.object(narrow, "_SHARED", 1),
    ):  # fmt: skip
        yield


@st.composite
def families(draw: st.DrawFn) -> list[Node]:
    """Conditions with parts in common."""
    parts = draw(st.lists(conditions(), min_size=2, max_size=4))
    chosen = draw(st.lists(st.lists(st.sampled_from(parts), min_size=1, max_size=3), min_size=2, max_size=8))
    return [And(tuple(each)) if len(each) > 1 else each[0] for each in chosen]


@st.composite
def known(draw: st.DrawFn) -> Facts:
    """Facts, some of them unknown now and then."""
    full = draw(facts())
    return full if draw(st.booleans()) else draw(hidden(full))


@given(nodes=families(), event_type=st.sampled_from(EVENT_TYPES), seen=st.lists(known(), min_size=1, max_size=3))
def test_alerts_and_counters_are_those_of_the_conditions(nodes: list[Node], event_type: str, seen: list[Facts]) -> None:
    rules = [rule(f"r{number}", node) for number, node in enumerate(nodes)]
    matches = dict.fromkeys((each.name for each in rules), 0)
    one_by_one = Engine(build(rules, CATALOGUE, {"syscall": ABILITIES}, generation=1), matching="all", hostname="h", origin="o")
    for given_facts in seen * 3:
        one_by_one.evaluate(FakeEvent(event_type, given_facts))
    with as_if_many():
        every, first = (
            Engine(build(rules, CATALOGUE, {"syscall": ABILITIES}, generation=1), matching=matching, hostname="h", origin="o")
            for matching in ("all", "first")
        )  # fmt: skip
        for given_facts in seen * 3:
            values = values_of(event_type, given_facts)
            event = FakeEvent(event_type, given_facts)
            expected = [each.name for each in rules if holds(each.condition, values, FIELDS)]
            assert [alert.rule for alert in every.evaluate(event)] == expected
            assert [alert.rule for alert in first.evaluate(event)] == expected[:1]
            for name in expected:
                matches[name] += 1
    counters = every.counters()
    assert {name: each.matches for name, each in counters.items()} == matches
    # The reference's "may" is wider than the engine's: it does not fold what can never match.
    assert {name: each.pending for name, each in counters.items()} == {name: each.pending for name, each in one_by_one.counters().items()}


@given(
    nodes=families(), paths=st.lists(st.sampled_from(("/etc", "/etc/x", "/tmp/a", "a", "/")), min_size=2, max_size=3), given_facts=known()
)
def test_views_are_narrowed_one_by_one(nodes: list[Node], paths: list[str], given_facts: Facts) -> None:
    rules = [rule(f"r{number}", node) for number, node in enumerate(nodes)]
    known_of = [values_of("open", {**given_facts, "fd.name": path}) for path in paths]
    expected = [each.name for each in rules if any(holds(each.condition, values, FIELDS) for values in known_of)]
    with as_if_many():
        engine = Engine(build(rules, CATALOGUE, {"syscall": ABILITIES}, generation=1), matching="all", hostname="h", origin="o")
        for _ in range(3):
            event = FakeEvent("open", given_facts)
            event.views, event.paths = len(paths), tuple(paths)
            event.select(0)
            assert [alert.rule for alert in engine.evaluate(event)] == expected


def narrowing(*texts: str, may_match: bool = False) -> tuple[Narrowing, Generator]:
    generator = Generator(Groups(CATALOGUE, "syscall"))
    trees = [normal_form(check_condition(parse(text), CATALOGUE, "syscall", event_types=None)) for text in texts]
    return Narrowing(generator, trees, may=may_match), generator


EVERYTHING = (1 << 12) - 1


@pytest.mark.parametrize(
    ("text", "facts", "left"),
    [
        ("proc.aname[1] = p{}", {"proc.aname": ("p3",)}, 1 << 3),
        ("proc.aname[1] in (p{}, q)", {"proc.aname": ("q",)}, EVERYTHING),
        ("not proc.aname[1] in (p{}, q)", {"proc.aname": ("q",)}, 0),
        ("not proc.aname[1] = p{}", {"proc.aname": ("p3",)}, EVERYTHING ^ 1 << 3),
        ("not proc.aname[1] = p{}", {}, EVERYTHING),
        ("proc.aname[1] = p{}", {}, 0),
        ("proc.aname[1] = p{}", {"proc.aname": PENDING}, 0),
        ("proc.name = p{} and evt.buffer contains x", {"evt.buffer": b"axb"}, EVERYTHING),
        ("proc.name = p{} and evt.buffer contains x", {"evt.buffer": b"ab"}, 0),
        ("proc.aname[1] = oneof (p{}, p{})", {"proc.aname": ("p3",)}, EVERYTHING),
        ("not proc.aname[1] = allof (p{}, q)", {"proc.aname": ("q",)}, EVERYTHING),
    ],
)  # fmt: skip
def test_one_test_stands_for_many_rules(text: str, facts: Facts, left: int) -> None:
    narrow_down, _ = narrowing(*(text.replace("{}", str(number)) for number in range(12)))
    event = FakeEvent("open", facts)
    assert narrow_down(event, EVERYTHING) == left
    assert narrow_down(event, EVERYTHING) == left  # from the tests that are made


def test_what_is_unknown_is_left_where_facts_are_missing() -> None:
    narrow_down, _ = narrowing(*(f"evt.buffer contains x and proc.name = p{number}" for number in range(12)), may_match=True)
    assert narrow_down(FakeEvent("open", {"evt.buffer": PENDING}), EVERYTHING) == EVERYTHING
    assert narrow_down(FakeEvent("open", {"evt.buffer": b"a"}), EVERYTHING) == 0


def test_few_rules_are_left_to_their_conditions_until_they_come_again() -> None:
    narrow_down, _ = narrowing(*["evt.buffer contains x"] * 5)
    event = FakeEvent("open", {"evt.buffer": b"a"})
    found = [narrow_down(event, 0b11111) for _ in range(narrow.SIGHTS + 1)]
    assert found == [0b11111] * (narrow.SIGHTS - 1) + [0, 0]


def test_sets_of_rules_are_bounded() -> None:
    narrow_down, _ = narrowing(*["evt.buffer contains x"] * 20)
    event = FakeEvent("open", {"evt.buffer": b"a"})
    for _ in range(2):
        for asked in range(1, 3000):
            assert narrow_down(event, asked << 8) in (0, asked << 8)
    assert len(narrow_down._tests) <= narrow._MAX_SETS
    assert len(narrow_down._counts) <= narrow._MAX_SETS


def test_a_field_that_failed_is_only_read_in_the_order_of_the_conditions() -> None:
    guarded = [f"evt.buffer contains x{number} and evt.mixed > 0" for number in range(12)]
    narrow_down, generator = narrowing(*guarded)
    fails = FakeEvent("open", {"evt.buffer": b"", "evt.flags": "no number", "proc.uid": 1})
    for _ in range(5):
        narrow_down(fails, EVERYTHING)
        assert generator.guards["evt.mixed"].failures == 1


def test_planned_rules_are_narrowed_where_they_are_many() -> None:
    many = [f"evt.type = open and evt.buffer contains x and proc.name != p{number}" for number in range(MANY)]
    program = plan_of(*many).sources["syscall"].program("open")
    event = FakeEvent("open", {"proc.name": "a", "evt.buffer": b"a"})
    assert program.masks(event) == (1 << MANY) - 1
    assert program.narrow is not None
    assert program.narrow(event, program.masks(event)) == 0
    few = plan_of(*many[1:]).sources["syscall"].program("open")
    assert few.narrow is None
