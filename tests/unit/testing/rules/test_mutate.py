from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.testing.rules.conftest import RULES
from tiercel.errors import UserError
from tiercel.lang.canonical import canonical
from tiercel.testing.rules.bench import Suite
from tiercel.testing.rules.mutants import mutants
from tiercel.testing.rules.mutate import mutate

Load = Callable[..., Suite]

FIRES = "{evt.type: open, fd.num: 3, fd.name: /etc/shadow, proc.name: vi}"
COMPLETE = f"""\
context: {FIRES}
tests:
- name: fires
  events: [{{}}]
  expect: [{{rule: Shadow read}}]
- name: silent
  events: [{{evt.type: execve}}, {{fd.num: -13}}, {{fd.name: /x}}]
  expect_none: true
- name: readers
  events: [{{proc.name: cat}}]
  expect_none: [Shadow read]
"""


def rules(condition: str) -> str:
    return f"- rule: R\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n"


def test_each_check_is_dropped_and_negated(suite: Load) -> None:
    made = suite(
        "tests: [{name: n, events: [{evt.type: open}], expect_none: true}]", rules("evt.type = open and not (fd.num = 1 or fd.name = a)")
    )
    found = [(each.text, canonical(each.altered.condition)) for each in mutants(made.rules[0], known=made.event_types)]
    assert found == [
        ("drop evt.type = open", "not (fd.num = 1 or fd.name = a)"),
        ("negate evt.type = open", "(not evt.type = open and not (fd.num = 1 or fd.name = a))"),
        ("drop fd.num = 1", "(evt.type = open and not fd.name = a)"),
        ("negate fd.num = 1", "(evt.type = open and not (not fd.num = 1 or fd.name = a))"),
        ("drop fd.name = a", "(evt.type = open and not fd.num = 1)"),
        ("negate fd.name = a", "(evt.type = open and not (fd.num = 1 or not fd.name = a))"),
    ]
    dropped = next(iter(mutants(made.rules[0], known=made.event_types)))
    assert dropped.altered.event_types is None


def test_of_a_single_check_nothing_is_left(suite: Load) -> None:
    made = suite("tests: [{name: n, events: [{evt.type: execve}], expect_none: true}]", rules("evt.type = open"))
    assert [each.text for each in mutate([made])[0].killed] == ["drop evt.type = open", "negate evt.type = open"]


def test_complete_tests_kill_every_mutant(suite: Load) -> None:
    [verdicts] = mutate([suite(COMPLETE)], ["Shadow read"])
    assert verdicts.fine
    assert len(verdicts.killed) == 8
    assert verdicts.living == verdicts.accepted == []


@pytest.mark.parametrize(
    ("lacks", "alive"),
    [
        ("{evt.type: execve}, ", ["drop evt.type in (open, openat)"]),
        ("{fd.num: -13}, ", ["drop fd.num >= 0"]),
        (", {fd.name: /x}", ["drop fd.name = /etc/shadow"]),
        ("- name: readers\n  events: [{proc.name: cat}]\n  expect_none: [Shadow read]\n", ["drop proc.name in (readers)"]),
    ],
)
def test_what_no_test_notices_lives(suite: Load, lacks: str, alive: list[str]) -> None:
    assert lacks in COMPLETE
    [verdicts] = mutate([suite(COMPLETE.replace(lacks, ""))], ["Shadow read"])
    assert [each.text for each in verdicts.living] == alive
    assert not verdicts.fine
    assert verdicts.living[0].origin.line in (4, 7)


def test_a_mutant_that_hides_another_rule_is_noticed(suite: Load) -> None:
    # Without its last check the first rule takes the second one's event: only the second one's test says so.
    text = f"context: {FIRES}\ntests:\n- {{name: n, events: [{{proc.name: cat}}], expect: [{{rule: Anything in etc}}]}}\n"
    [verdicts] = mutate([suite(text)], ["Shadow read"])
    assert "drop proc.name in (readers)" in [each.text for each in verdicts.killed]


def test_a_mutant_that_fires_for_another_event_is_noticed_by_the_output(suite: Load) -> None:
    text = "tests:\n- {name: n, events: [{evt.type: open, fd.name: a}, {evt.type: open, fd.name: b}], expect: [{rule: R, fields: {fd.name: a}}]}\n"
    own = rules("evt.type = open and fd.name = a").replace("output: o", 'output: "%fd.name"')
    [verdicts] = mutate([suite(text, own)])
    assert "negate fd.name = a" in [each.text for each in verdicts.killed]


def accepting(mutant: str, test: str = COMPLETE) -> str:
    return f"{test}mutants_accepted:\n- {{rule: Shadow read, mutant: {mutant}, reason: because}}\n"


def test_accepted_mutants_may_live(suite: Load) -> None:
    [verdicts] = mutate([suite(accepting("drop fd.num >= 0", COMPLETE.replace("{fd.num: -13}, ", "")))], ["Shadow read"])
    assert [each.text for each in verdicts.accepted] == ["drop fd.num >= 0"]
    assert verdicts.fine


@pytest.mark.parametrize("mutant", ["drop fd.num >= 0", "drop fd.nun >= 0"])
def test_what_is_accepted_in_vain_is_reported(suite: Load, mutant: str) -> None:
    [verdicts] = mutate([suite(accepting(mutant))], ["Shadow read"])
    assert not verdicts.fine
    assert [(entry.mutant, entry.line) for _, entry in verdicts.stale] == [(mutant, 13)]


def test_any_of_several_files_may_kill(suite: Load) -> None:
    first = suite(COMPLETE.replace("{fd.num: -13}, ", ""))
    second = suite(f"lists: {{readers: [dog]}}\ncontext: {FIRES}\ntests:\n- {{name: n, events: [{{fd.num: -13}}], expect_none: true}}\n")
    assert mutate([first, second], ["Shadow read"])[0].fine


def test_checks_of_the_test_files_own_macros_are_no_mutants(suite: Load) -> None:
    made = suite("macros: {opened: 'evt.type in (open, openat) and fd.num >= 0'}\n" + COMPLETE)
    [verdicts] = mutate([made], ["Shadow read"])
    assert not [each for each in verdicts.killed + verdicts.living if "evt.type" in each.text]


def test_tests_must_pass_first(suite: Load) -> None:
    with pytest.raises(UserError, match=r"r\.test\.yaml:2: n: fails as it is"):
        mutate([suite(f"tests:\n- {{name: n, events: [{FIRES}], expect_none: true}}\n")])


def test_every_rule_that_runs_is_tried(suite: Load) -> None:
    assert [each.rule for each in mutate([suite(COMPLETE)])] == ["Shadow read", "Anything in etc"]
    assert RULES.count("- rule:") == 3


def test_checks_of_exceptions_are_tried_where_they_stand(suite: Load) -> None:
    own = (
        rules("evt.type = open")
        + "  exceptions:\n  - {name: one, fields: [proc.name, fd.name], comps: [=, startswith], values: [[cat, /etc/a], [dog, /b]]}\n"
    )
    text = """\
context: {evt.type: open, proc.name: cat, fd.name: /etc/x}
tests:
- {name: fires, events: [{}, {fd.name: /etc/a, proc.name: tac}], expect: [{rule: R}, {rule: R}]}
- {name: excepted, events: [{fd.name: /etc/a}], expect_none: true}
"""
    [verdicts] = mutate([suite(text, own)])
    alive = [(each.text, each.origin.line) for each in verdicts.living]
    assert ("drop proc.name = cat", 7) not in alive
    assert ("negate fd.name startswith /etc/a", 7) not in alive
    assert {each for each, _ in alive} == {
        "drop evt.type = open", "drop proc.name = dog", "negate proc.name = dog", "drop fd.name startswith /b", "negate fd.name startswith /b",
    }  # fmt: skip
