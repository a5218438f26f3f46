"""Enabling and disabling rules by name and tag."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.planning import rule
from tiercel.ruleset.names import metric_name
from tiercel.ruleset.selection import Choice, matches_wildcard, select

RULES = [
    rule("first", "evt.type = open", tags=("a", "b")),
    rule("second", "evt.type = open", tags=("b",), enabled=False),
    rule("third rule", "evt.type = open"),
]


def enabled(*choices: Choice) -> tuple[list[str], list[str]]:
    rules, unused = select(RULES, choices)
    return [each.name for each in rules if each.enabled], [str(each) for each in unused]


def test_choices_apply_in_order_on_top_of_the_flags() -> None:
    every = Choice(enable=False, rule="*")
    assert enabled() == (["first", "third rule"], [])
    assert enabled(Choice(enable=True, tag="b")) == (["first", "second", "third rule"], [])
    assert enabled(every, Choice(enable=True, tag="b")) == (["first", "second"], [])
    assert enabled(Choice(enable=True, tag="b"), every) == ([], [])
    assert enabled(Choice(enable=False, rule="*r*"), Choice(enable=True, rule="third rule")) == (["third rule"], [])


def test_choices_that_mean_nothing_are_told() -> None:
    found = enabled(Choice(enable=False, rule="Third rule"), Choice(enable=True, tag="c"), Choice(enable=False, tag="a"))
    assert found == (["third rule"], ['disable rule "Third rule"', 'enable tag "c"'])


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("", "", True), ("", "a", False), ("*", "", True), ("**", "any", True), ("a", "a", True), ("a", "ab", False), ("a*", "ab", True),
        ("*b", "ab", True), ("a*a", "a", False), ("a*a", "aa", True), ("*a*b*", "xaxbx", True), ("*b*a*", "ab", False), ("a?", "ab", False),
        ("[a]", "a", False), ("*ab*ab", "abab", True), ("*ab*ab", "ab", False), ("a.*", "a.b", True), ("a.*", "ab", False),
    ],
)  # fmt: skip
def test_wildcards(pattern: str, text: str, matches: bool) -> None:
    assert matches_wildcard(pattern, text) is matches


@given(st.text(alphabet="ab*", max_size=8), st.text(alphabet="ab", max_size=10))
def test_wildcards_match_as_a_regular_expression_would(pattern: str, text: str) -> None:
    assert matches_wildcard(pattern, text) is (re.fullmatch(pattern.replace("*", ".*"), text) is not None)


@pytest.mark.parametrize(
    ("name", "metric"), [("Read a file", "Read_a_file"), ("a__b:2)", "a_b:2"), ("(x)", "_x"), ("", ""), ("é", ""), ("a-_-b", "a_b")]
)
def test_names_in_metrics(name: str, metric: str) -> None:
    assert metric_name(name) == metric
