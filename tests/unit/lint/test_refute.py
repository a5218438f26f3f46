"""What can never hold, and what is never said to be so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import strategies
from tests.oracle.catalogue import CATALOGUE, FIELDS, values_of
from tests.oracle.reference import holds
from tiercel.engine.groups import Groups
from tiercel.engine.nnf import normal_form
from tiercel.fields import Field
from tiercel.lang.ast import And, Check, FieldRef, ListValue, Node, Not, Or, TextValue
from tiercel.lang.check import check_condition
from tiercel.lang.parser import parse
from tiercel.lint.refute import Refuter

EVENT_TYPES = strategies.EVENT_TYPES
TYPES = frozenset(EVENT_TYPES)


REFUTER = Refuter(Groups(CATALOGUE, "syscall").lookup, event_types=TYPES)


def reason(text: str) -> str | None:
    return REFUTER.refute(normal_form(check_condition(parse(text), CATALOGUE, "syscall", event_types=TYPES)))


IMPOSSIBLE = (
    "proc.name = a and proc.name = b",
    "proc.name in (a, b) and proc.name in (c, d)",
    "proc.name in (a, b) and not proc.name in (b, a, c)",
    "proc.name in (a, b) and not proc.name startswith a and proc.name != b",
    "proc.name = a and not proc.name exists",
    "not proc.name exists and (proc.exe = b or fd.name = c) and fd.name = d and proc.exe = a",
    "proc.name = a and (proc.name = b or proc.name = c)",
    "(proc.name = a or proc.name = b) and (proc.name = c or proc.name = d)",
    "proc.uid < 5 and proc.uid > 10",
    "proc.uid > 4 and proc.uid < 7 and proc.uid != 5 and not proc.uid = 6",
    "evt.res < 0 and evt.res >= 0",
    "evt.write = true and evt.write = false",
    "evt.write != true and evt.write != false",
    "evt.type = open and evt.type = openat",
    "evt.type = open and not evt.type in (open, openat)",
    "evt.type != open and evt.type != openat and evt.type != connect",
    "evt.type in (open, openat) and (proc.name = a or proc.name = b) and evt.type = connect",
    "fd.name startswith /etc and fd.name startswith /usr",
    "fd.name startswith /etc/ssh and not fd.name startswith /etc",
    "fd.name startswith /etc/ssh and not fd.name contains ssh",
    "fd.name endswith .conf and fd.name endswith .so",
    "fd.name contains passwd and not fd.name icontains PASS",
    "fd.name pmatch (/etc, /usr) and fd.name pmatch (/var, /opt)",
    "fd.name pmatch (/etc/ssh) and not fd.name pmatch (/etc)",
    "fd.name startswith anyof (/a, /b) and not fd.name startswith anyof (/a, /b, /c)",
    "fd.name startswith allof (/a, /b)",
    "proc.name glob a* and proc.name = b",
    "proc.name in ()",
    "proc.name glob a* and not proc.name glob a*",
    "proc.aname = a and not proc.aname in (a, b)",
    "fd.ip = 10.0.0.1 and fd.ip != 10.0.0.1",
    "fd.port = 80 and not fd.port in (80, 443)",
    "fd.snet = 10.0.0.0/8 and fd.snet = 192.168.0.0/16",
    "fd.snet = 10.1.0.0/16 and not fd.snet = 10.0.0.0/8",
    "fd.sip = 10.0.0.1 and fd.sip = 10.0.0.2",
    "proc.argv in (a, b) and proc.argv intersects (c)",
    "proc.name = val(proc.exe) and not proc.name = val(proc.exe)",
    "proc.name = val(proc.exe) and not proc.exe exists",
    "tolower(proc.name) = a and tolower(proc.name) = b",
)
POSSIBLE = (
    "proc.name = a",
    "not proc.name = a and not proc.name != a",  # a missing name
    "proc.aname = a and proc.aname = b",  # two ancestors
    "fd.ip = 10.0.0.1 and fd.ip = 10.0.0.2",  # both ends
    "fd.port = 80 and not fd.port = 443",
    "proc.argv intersects (a) and proc.argv intersects (b)",
    "proc.uid > 4 and proc.uid < 7 and proc.uid != 5",
    "not proc.uid < 5 and not proc.uid >= 5",  # missing
    "fd.name startswith /etc and fd.name startswith /etc/ssh and not fd.name startswith /etc/ssl",
    'fd.name startswith é and fd.name startswith "\\xc3"',  # one byte of it
    "fd.name startswith /a and fd.name endswith /b and fd.name contains c",
    "fd.name pmatch (/etc) and fd.name pmatch (/etc/ssh)",
    "fd.name pmatch (/e*) and fd.name pmatch (/usr)",
    "fd.name icontains A and not fd.name contains A",
    "evt.num = 0",  # means: never
    "evt.raw[x] = 1 and evt.raw[x] = true",
    "(proc.name = a or proc.name = b) and (proc.name = b or proc.name = c)",
)


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_impossible(text: str) -> None:
    assert reason(text) is not None


@pytest.mark.parametrize("text", POSSIBLE)
def test_possible(text: str) -> None:
    assert reason(text) is None


def test_the_reason_names_the_checks() -> None:
    assert reason("proc.exe = x and proc.name = a and proc.name = b") == "proc.name = a and proc.name = b cannot hold together"
    assert reason("proc.name in ()") == "proc.name in () cannot hold"
    many = " and ".join(f"proc.uid != {number}" for number in range(9))
    assert reason(f"{many} and proc.uid in (1, 2, 3, 4, 5, 6, 7, 8)") == (
        "proc.uid != 0 and proc.uid != 1 and proc.uid != 2 and proc.uid in (1, 2, 3, 4, ... 4 more) cannot hold together"
    )


def test_a_hard_question_is_given_up() -> None:
    parts = " and ".join(
        f"({' or '.join(f'(proc.name = a{m} and (fd.name = b{m} or fd.name = c{m}))' for m in range(30))})" for n in range(30)
    )
    assert reason(parts) is None


def test_very_many_checks_on_one_field_are_given_up() -> None:
    """Each is looked at with all the others, which would take minutes."""
    assert reason(" and ".join(f"proc.name != x{number}" for number in range(10_000))) is None


@st.composite
def on_one_field(draw: st.DrawFn) -> tuple[Field, str | None, Node]:
    """A condition all of whose checks read one field."""
    field = FIELDS[draw(st.sampled_from(sorted(FIELDS)))]
    argument = {"proc.env": "HOME", "evt.raw": "uid"}.get(field.name)
    kind = field.type_of(argument)

    def check(operator: str) -> st.SearchStrategy[Any]:
        literals = st.sampled_from(EVENT_TYPES if field.name == "evt.type" else strategies.literals_of(kind, operator))
        several = st.lists(literals.map(TextValue), max_size=3).map(lambda found: ListValue(tuple(found)))
        left = FieldRef(field.name, argument)
        if operator in ("in", "intersects", "pmatch"):
            return several.map(lambda right: Check(left, operator, right))
        one: st.SearchStrategy[Any] = literals.map(lambda text: Check(left, operator, TextValue(text)))
        if operator[0] in "<>":
            return one
        modifier = st.sampled_from(("oneof", "anyof", "allof"))
        return st.one_of(one, st.builds(lambda right, word: Check(left, operator, right, word), several, modifier))

    operators = strategies.operators_of(kind, is_list=field.is_list) if field.name != "evt.type" else ("=", "!=", "in")
    checks = st.one_of(st.just(Check(FieldRef(field.name, argument), "exists", None)), *map(check, operators))
    parts = st.one_of(checks, checks.map(Not), st.tuples(checks, checks).map(Or), st.tuples(checks, checks.map(Not)).map(Or))
    return field, argument, And(tuple(draw(st.lists(parts, min_size=2, max_size=4))))


@settings(max_examples=600, deadline=None)
@given(drawn=on_one_field())
def test_what_is_refuted_holds_for_no_value(drawn: tuple[Field, str | None, Node]) -> None:
    field, argument, tree = drawn
    if REFUTER.refute(normal_form(tree)) is None:
        return
    values = (
        EVENT_TYPES
        if field.name == "evt.type"
        else (None, *strategies.values_for(replace(field, type=field.type_of(argument))), *(("a",) if argument == "uid" else ()))
    )
    for value in values:

        def same(_ref: FieldRef, value: Any = value) -> Any:
            return value

        assert not holds(tree, same, FIELDS), value


@settings(max_examples=200, deadline=None)
@given(one=strategies.conditions(), other=strategies.conditions(), facts=strategies.facts())
def test_what_is_refuted_holds_for_no_event(one: Node, other: Node, facts: dict) -> None:
    for tree in (one, Not(one), And((one, other)), And((one, Not(other))), And((Not(one), Not(other)))):
        if REFUTER.refute(normal_form(tree)) is not None:
            for event_type in EVENT_TYPES:
                assert not holds(tree, values_of(event_type, facts), FIELDS)


@settings(max_examples=200, deadline=None)
@given(one=strategies.conditions(), other=strategies.conditions(), facts=strategies.facts())
def test_what_is_implied_holds_whenever_the_premise_does(one: Node, other: Node, facts: dict) -> None:
    if REFUTER.implies(normal_form(one), normal_form(other)):
        for event_type in EVENT_TYPES:
            values = values_of(event_type, facts)
            assert not holds(one, values, FIELDS) or holds(other, values, FIELDS)
