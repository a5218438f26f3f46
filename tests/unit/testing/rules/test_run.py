"""Tests of rules pass and fail as they must, and say why."""

from __future__ import annotations

import json
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from tests.unit.testing.rules.conftest import RULES
from tiercel.testing.rules.bench import Suite
from tiercel.testing.rules.report import as_data, junit, summary
from tiercel.testing.rules.run import Outcome, run

Outcomes = Callable[[str], list[Outcome]]

SHADOW = "{evt.type: open, fd.num: 3, fd.name: /etc/shadow, proc.name: vi, user.name: root}"
PASSWD = "{evt.type: open, fd.num: 3, fd.name: /etc/passwd, proc.name: vi}"


def one(events: str, expectation: str, before: str = "") -> str:
    return f"{before}tests:\n- name: n\n  events: [{events}]\n  {expectation}\n"


@pytest.mark.parametrize(
    "text",
    [
        one(SHADOW, "expect: [{rule: Shadow read}]"),
        one(SHADOW, "expect: [{rule: Shadow read, priority: WARNING, output: vi read /etc/shadow (uid=0), tags: [a, b]}]"),
        one(SHADOW, "expect: [{rule: Shadow read, output_contains: 'read /etc', fields: {user.uid: 0, fd.name: /etc/shadow}}]"),
        one(SHADOW, "expect: [{rule: Shadow read}, {rule: Anything in etc}]", "matching: all\n"),
        one(f"{SHADOW}, {PASSWD}", "expect: [{rule: Shadow read}, {rule: Anything in etc}]"),
        one(PASSWD, "expect_none: [Shadow read]"),
        one(PASSWD, "expect: [{rule: Anything in etc}]\n  expect_none: [Shadow read]"),
        one("{evt.type: execve, fd.name: /etc/passwd}", "expect_none: true"),
        one(SHADOW, "expect: [{rule: Anything in etc}]", "lists: {readers: [vi]}\n"),
        one(SHADOW, "expect_none: true", "macros: {opened: evt.type = execve}\n"),
    ],
)
def test_what_passes(outcomes: Outcomes, text: str) -> None:
    [outcome] = outcomes(text)
    assert outcome.problems == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            one(SHADOW, "expect: [{rule: Shadow read, priority: Notice, tags: [a]}]"),
            'alert of "Shadow read" (Warning) for event 1 differs:\n'
            "  priority: expected -, got +\n    - Notice\n    + Warning\n  tags: expected -, got +\n    - a\n    + a, b",
        ),
        (
            one(SHADOW, "expect: [{rule: Shadow read, output: vi read /etc/shadov (uid=0)}]"),
            'alert of "Shadow read" (Warning) for event 1 differs:\n  output: expected -, got +\n'
            "    - vi read /etc/shadov (uid=0)\n    ?                   ^\n    + vi read /etc/shadow (uid=0)\n    ?                   ^",
        ),
        (
            one(PASSWD, "expect: [{rule: Anything in etc, fields: {fd.name: ~}}]"),
            'alert of "Anything in etc" (Informational) for event 1 differs:\n  fd.name: expected -, got +\n    - null\n    + /etc/passwd',
        ),
        (one(SHADOW, "expect_none: true"), 'unexpected alert of "Shadow read" (Warning) for event 1:\n  vi read /etc/shadow (uid=0)'),
        (one(SHADOW, "expect_none: [Shadow read]"), 'unexpected alert of "Shadow read"'),
        (one(f"{PASSWD}, {SHADOW}", "expect: [{rule: Shadow read}]"), 'unexpected alert of "Anything in etc" (Informational) for event 1'),
        (
            one(SHADOW, "expect: [{rule: Shadow read}, {rule: Anything in etc}]"),
            'expected an alert of "Anything in etc", which did not come:\n'
            '  its condition holds for event 1 (open), but "Shadow read" comes before it (matching: first)',
        ),
        (
            one(SHADOW, "expect: [{rule: Shadow read}, {rule: Shadow read}]"),
            'expected an alert of "Shadow read", which did not come:\n  its condition holds for event 1 (open): it spoke, but more often',
        ),
    ],
)
def test_what_fails_says_how(outcomes: Outcomes, text: str, problem: str) -> None:
    [outcome] = outcomes(text)
    assert outcome.problems[0].startswith(problem)


def test_a_rule_that_is_silent_says_which_checks_were_false(outcomes: Outcomes) -> None:
    events = "{evt.type: execve, proc.name: vi}, {evt.type: open, fd.num: -13, fd.name: /etc/shadow, proc.name: cat}"
    [outcome] = outcomes(one(events, "expect: [{rule: Shadow read}]"))
    [problem] = outcome.problems
    path = str(outcome.suite.file.path).removesuffix(".test.yaml")
    assert problem.splitlines() == [
        'expected an alert of "Shadow read", which did not come:',
        "  event 2 (open) came closest; false of the condition are",
        f"    fd.num >= 0 ({path}.yaml:4:45)",
        "      fd.num is -13",
        f"    not proc.name in (readers) ({path}.yaml:7:55)",
        '      proc.name is "cat"',
    ]


def test_of_alternatives_the_nearest_is_shown(suite: Callable[..., Suite]) -> None:
    rules = RULES.replace("fd.name startswith /etc/", "(fd.name startswith /etc/ or (fd.sip = 10.0.0.1 and fd.sport = 1))")
    made = suite(one("{evt.type: open, fd.num: 3, fd.sip: 10.0.0.2, fd.sport: 1}", "expect: [{rule: Anything in etc}]"), rules)
    text = run(made, made.file.tests[0]).problems[0]
    assert "fd.name startswith /etc/" in text
    assert "fd.name is missing" in text
    assert "fd.sip" not in text
    made = suite(
        one("{evt.type: open, fd.num: 3, fd.sip: 10.0.0.1}", "expect: [{rule: Anything in etc}]"),
        rules.replace("fd.name s", "proc.name = a and fd.name s"),
    )
    assert "fd.sport is missing" in run(made, made.file.tests[0]).problems[0]


BOTH = f"""\
tests:
- name: good
  events: [{SHADOW}]
  expect: [{{rule: Shadow read}}]
- name: "bad <&\\x01 ä"
  events: [{SHADOW}]
  expect_none: true
"""


def test_junit_is_valid_xml(outcomes: Outcomes) -> None:
    found = outcomes(BOTH)
    root = ET.fromstring(junit(found))
    assert (root.tag, root.attrib["tests"], root.attrib["failures"]) == ("testsuites", "2", "1")
    [suite] = root
    assert suite.attrib["name"] == str(found[0].suite.file.path)
    good, bad = suite
    assert (good.attrib["name"], list(good), good.attrib["line"]) == ("good", [], "2")
    assert bad.attrib["name"] == "bad <&\N{REPLACEMENT CHARACTER} ä"
    [failure] = bad
    assert failure.attrib["message"].startswith("unexpected alert")
    assert failure.text == found[1].problems[0]


def test_summary_and_data(outcomes: Outcomes) -> None:
    found = outcomes(BOTH)
    assert summary(found) == "1 passed, 1 failed"
    data = json.loads(json.dumps(as_data(found)))
    assert [each["passed"] for each in data["tests"]] == [True, False]
    assert data["tests"][1]["line"] == 5
    assert data["tests"][1]["problems"] == list(found[1].problems)


def test_tests_do_not_influence_each_other(outcomes: Outcomes) -> None:
    text = "tests:\n" + "".join(f"- name: n{n}\n  events: [{SHADOW}]\n  expect: [{{rule: Shadow read}}]\n" for n in range(3))
    assert [each.passed for each in outcomes(text)] == [True] * 3


def test_text_of_times_does_not_depend_on_the_zone(suite: Callable[..., Suite], monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        rules = RULES.replace('"%fd.name"', '"%evt.time.s %evt.datetime %evt.rawtime.s"')
        text = "2026-01-01T10:00:00.5"
        event = PASSWD.replace("evt.type", f"at: {text}, evt.type")
        made = suite(one(event, "expect: [{rule: Anything in etc, output: 10:00:00 2026-01-01 10:00:00.500000000 1767261600}]"), rules)
        assert run(made, made.file.tests[0]).problems == ()
    finally:
        monkeypatch.undo()
        time.tzset()
