from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel import ConfigError
from tiercel.config.document import parse

TEXT = """\
# a comment
outputs:
  stdout: {}
  "file/alerts":
    grant: alerts
rules_files: [a.yaml,
  b.yaml]
number: 3
"""


def test_values_and_places() -> None:
    document = parse(TEXT, "t.yaml")
    assert document.value == {
        "outputs": {"stdout": {}, "file/alerts": {"grant": "alerts"}},
        "rules_files": ["a.yaml", "b.yaml"],
        "number": 3,
    }
    assert document.keys["outputs", "file/alerts", "grant"] == (5, 5)
    assert document.values["outputs", "file/alerts", "grant"] == (5, 12)
    assert document.values["rules_files", 1] == (7, 3)


def test_problems_have_their_place() -> None:
    document = parse(TEXT, "t.yaml")
    assert str(document.problem(("rules_files", 1), "bad")) == "t.yaml:7:3: rules_files[1]: bad"
    assert str(document.problem(("outputs", "file/alerts"), "bad", at_key=True)) == "t.yaml:4:3: outputs.file/alerts: bad"
    assert str(document.problem(("number", "missing"), "bad")) == "t.yaml:8:9: number.missing: bad"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file_is_an_empty_configuration(text: str) -> None:
    assert parse(text, "t.yaml").value == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", "t.yaml:2:1: bad YAML: while parsing a flow sequence: did not find expected"),
        ("a: {b: 1\nc: 2", "t.yaml:2:2: bad YAML: "),
        ("a: 1\nb: 2\na: 3", 't.yaml:3:1: duplicate key "a" (the first is in line 1)'),
        ("- a\n- b", "t.yaml:1:1: expected options (got a list); start with `outputs:`"),
        ("text", "t.yaml:1:1: expected options (got text)"),
        ("a: !!python/name:os.system x", "t.yaml:1:4: unknown tag; put quotes around text that begins with an exclamation mark"),
        ("a: !!int x", "t.yaml:1:4: bad value (not a int)"),
        ("a: !hunter2", "t.yaml:1:4: unknown tag; put quotes"),
        ("a: !hunter2 [b]", "t.yaml:1:4: unknown tag (expected none, or !replace)"),
        ("a: *hunter2", "t.yaml:1:4: bad YAML: undefined alias; put quotes around text that begins with a star"),
        ("a: 1\n--- \nb: 1", "t.yaml:3:1: expected one document (got 2)"),
        ("? [a]\n: 1", "t.yaml:1:3: a key must be text (got a collection)"),
        ("a: &x [*x]", "t.yaml:1:8: bad YAML: an alias of something that it is part of"),
    ],
)
def test_what_is_no_configuration_is_an_error_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "t.yaml")
    assert str(caught.value).startswith(message)


def test_all_duplicates_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("a: 1\na: 2\nb: 1\nb: 1", "t.yaml")
    assert len(caught.value.diagnostics) == 2


def test_aliases_are_values() -> None:
    assert parse("a: &x [1]\nb: *x", "t.yaml").value == {"a": [1], "b": [1]}


@given(st.text())
def test_any_text_is_a_document_or_a_user_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(parse(text, "t.yaml").value, dict)
