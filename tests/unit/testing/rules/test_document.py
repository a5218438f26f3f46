from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.errors import ConfigError
from tiercel.testing.rules import document
from tiercel.testing.rules.read import read_document

FINE = """\
tests:
  - name: n
    events: [{evt.type: open}]
    expect_none: true
"""


def wrong(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_document(text, "f")
    return [str(each) for each in caught.value.diagnostics]


def test_scalars_stay_text() -> None:
    value = document.parse("a: no\nb: 0777\nc: ~\nd: 'null'\nexpect_none: true\ne: [1.0, {f: true}]", "f").value
    assert value == {"a": "no", "b": "0777", "c": None, "d": "null", "expect_none": True, "e": ["1.0", {"f": "true"}]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "f:2:1: bad YAML"),
        ("", "f:1:1: expected one mapping (got no mapping); start with `tests:`"),
        ("- a", "f:1:1: expected one mapping (got no mapping)"),
        ("a: b\n---\nc: d", "f:3:1: expected one mapping (got 2 documents)"),
        ("a: b\na: c", 'f:2:1: duplicate key "a" (the first is in line 1)'),
        ("? [a]\n: b", "f:1:3: a key must be text (got a collection)"),
        ("a: &x [*x]", "f:1:8: bad YAML: an alias of something that it is part of"),
        ("a: b\x07", "f:1:5: bad YAML: character that YAML does not allow"),
        ("[" * 100, "f:1:51: bad YAML: nested too deep"),
    ],
)  # fmt: skip
def test_what_is_no_test_file(text: str, message: str) -> None:
    assert wrong(text)[0].startswith(message)


def test_a_file_is_bounded() -> None:
    assert "too long" in wrong("#" * (document.MAX_LENGTH + 1))[0]
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    assert "too large" in wrong(bomb)[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tests:", "test:", 'f:1:1: test: unknown option "test" (did you mean "tests"?)'),
        ("name: n", "nam: n", 'f:2:5: tests[0].nam: unknown option "nam" (did you mean "name"?)'),
        ("name: n", "line: n", 'f:2:5: tests[0]: missing option "name": What it shows; unique in the file.'),
        ("[{evt.type: open}]", "[]", "f:3:13: tests[0].events: expected at least 1 entries (got a list of 0)"),
        ("[{evt.type: open}]", "{evt.type: open}", "f:3:13: tests[0].events: expected a list (got a mapping)"),
        ("expect_none: true", "expect_none: yes", "f:4:18: tests[0].expect_none: expected true or false or a list (got text)"),
        ("expect_none: true", "expect: [{rule: a, prioity: b}]", 'f:4:24: tests[0].expect[0].prioity: unknown option "prioity"'),
        ("expect_none: true", "expect: [{priority: Critical}]", 'f:4:14: tests[0].expect[0]: missing option "rule"'),
        ("tests:", "matching: one\ntests:", 'f:1:11: matching: expected one of: first, all (got "one")'),
    ],
)  # fmt: skip
def test_the_shape_is_closed(old: str, new: str, message: str) -> None:
    assert any(each.startswith(message) for each in wrong(FINE.replace(old, new)))


TEXTS = st.sampled_from(
    ["tests", "name", "events", "expect", "rule", "context", "contexts", "ancestors", "at", "evt.type", "open", "+5s", "~"]
)
TREES = st.recursive(
    TEXTS | st.text(max_size=5) | st.none() | st.booleans() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(st.text() | TREES.map(str))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    try:
        read_document(text, "f")
    except ConfigError as error:
        assert all(each.file == "f" and each.code == "RULE_TEST" and each.message for each in error.diagnostics)
