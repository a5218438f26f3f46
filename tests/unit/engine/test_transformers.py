"""What transformers give: stated cases, and agreement with the slow reference."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.catalogue import CATALOGUE, FakeEvent
from tests.oracle.transformers import transformed
from tests.unit.engine.planning import plan_of
from tiercel.engine.codegen import Generator
from tiercel.engine.groups import Groups
from tiercel.engine.transformers import transformer
from tiercel.fields import FAILED, PENDING, FieldType
from tiercel.lang.check import check_condition
from tiercel.lang.parser import parse, parse_operand

SINGLE = ("tolower", "toupper", "basename", "b64", "len")
TEXT = (FieldType.STRING,)


def value_of(text: str, **facts: Any) -> Any:
    """The value of a transformer for an event with these facts; ``__`` stands for the dot."""
    operand, _ = parse_operand(text, 0)
    given = {name.replace("__", "."): value for name, value in facts.items()}
    return Generator(Groups(CATALOGUE, "syscall")).value(operand)(FakeEvent("open", given))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b64('aGVsbG8=')", "hello"),
        ("b64('aGVsbG8')", "hello"),
        ("b64('')", ""),
        ("b64('/+8=')", "\udcff\udcef"),
        ("b64('aGVsbG8==')", None),
        ("b64('aGVsb')", None),
        ("b64('aGV sbG8=')", None),
        ("b64('aGVsbG8=a')", None),
        ("b64(('YQ', 'Yg=='))", ("a", "b")),
        ("b64(('YQ', '?'))", None),
        ("basename('/hello/')", ""),
        ("basename('hello')", "hello"),
        ("toupper('aéZ')", "AéZ"),
        ("len('é')", 2),
        ("len(('a', 'b'))", 2),
        ("len(())", 0),
        ("len(getopt(('x'), 'a'))", 0),
        ("join(',', (1, 0x10, 'a b'))", "1,0x10,a b"),
        ("join(',', ())", ""),
        ("concat('a', 'b', 'c')", "abc"),
        ("getopt(('-a', '-bv', '-c', 'w', '-d'), 'ab:c:d:')", ("a", "b", "v", "c", "w", "")),
        ("getopt(('-x', '--long', '-a', 'file', '-a'), 'a')", ("?", "a")),
        ("getopt(('-a', '--', '-a'), 'a')", ("a",)),
        ("getopt(('-', '-a'), 'a')", ()),
        ("getopt(('-t', 'v1', '-t', 'v2'), 't:')[t]", "v2"),
        ("getopt(('-t', 'v1', '-t'), 't:')[t]", ""),
        ("getopt(('-n'), 'n')[n]", "n"),
        ("getopt(('-n'), 'nt:')[t]", None),
        ("getopt(('-o', 'x', '-oy'), 'o::')", ("o", "")),
    ],
)
def test_of_literals(text: str, expected: Any) -> None:
    assert value_of(text) == expected


@pytest.mark.parametrize(
    ("text", "facts", "expected"),
    [
        ("toupper(ka.images)", {"ka__images": ("a", "b")}, ("A", "B")),
        ("len(ka.images)", {"ka__images": ()}, None),
        ("len(evt.sizes)", {"evt__sizes": (1, 2)}, 2),
        ("len(evt.buffer)", {"evt__buffer": b"abc"}, 3),
        ("b64(evt.buffer)", {"evt__buffer": b"YQ=="}, b"a"),
        ("join('-', evt.sizes)", {"evt__sizes": (1, 2)}, "1-2"),
        ("join('-', (fd.sip, evt.flags))", {"fd__sip": bytes(15) + b"\1", "fd__snet": bytes(15) + b"\1", "evt__flags": 5}, "::1-5"),
        ("join('-', (evt.write, evt.ratio))", {"evt__write": True, "evt__ratio": 0.5}, "true-0.5"),
        ("join(proc.name, (proc.exe, 'x'))", {"proc__name": "+", "proc__exe": "a"}, "a+x"),
        ("join('-', (proc.name, 'a'))", {}, None),
        ("concat(proc.name, 'a')", {}, None),
        ("concat(proc.name, fd.name)", {"proc__name": PENDING, "fd__name": None}, None),
        ("concat(proc.name, fd.name)", {"proc__name": PENDING, "fd__name": "a"}, PENDING),
        ("join('-', (proc.name, 'a'))", {"proc__name": FAILED}, FAILED),
        ("getopt(proc.argv, 'c:')[c]", {"proc__argv": ("-c", "id")}, "id"),
        ("getopt(proc.argv, 'c:')", {"proc__argv": PENDING}, PENDING),
        ("getopt(proc.argv, 'c:')", {"proc__argv": ()}, None),
        ("toupper(tolower(concat(proc.name, 'b')))", {"proc__name": "a"}, "AB"),
    ],
)
def test_of_fields(text: str, facts: dict[str, Any], expected: Any) -> None:
    assert value_of(text, **facts) == expected


ARGUMENTS = st.lists(st.text("-abx:", max_size=4), max_size=5).map(tuple)
OPTIONS = st.text("ab:x-", max_size=6)


@given(items=ARGUMENTS, options=OPTIONS, letter=st.sampled_from([None, "a", "b", "x", "?", ":", "-"]))
def test_getopt_agrees_with_the_reference(items: tuple[str, ...], options: str, letter: str | None) -> None:
    assert transformer("getopt", letter, TEXT)(items, options) == transformed("getopt", letter, [items, options])


@given(st.one_of(st.text("YQab/+= ?", max_size=10), st.binary(max_size=8), st.text(max_size=4)), st.sampled_from(SINGLE))
def test_transformers_of_one_value_agree_with_the_reference(value: str | bytes, name: str) -> None:
    if isinstance(value, str) or name in ("b64", "len"):
        assert transformer(name, None, TEXT)(value) == transformed(name, None, [value])


def test_a_condition_without_fields_is_decided_when_it_is_planned() -> None:
    """No step is left of a rule that can never match, and no check of one that always does."""
    always = "evt.type = open and getopt(('-a'), 'a') intersects (a)"
    never = "evt.type = open and concat('a', 'b') = c"
    rules = plan_of(always, never).sources["syscall"]
    (planned,) = rules.conditions("open")
    assert planned.state.number == 0
    assert not hasattr(planned.tree, "check")


def test_all_transformers_go_through_the_type_check() -> None:
    text = "join('-', (proc.name, evt.num)) startswith concat(proc.name, tolower(fd.name)) and getopt(proc.argv, 'a:')[a] = b64(proc.name)"
    assert check_condition(parse(text), CATALOGUE, "syscall", event_types=None) == parse(text)
