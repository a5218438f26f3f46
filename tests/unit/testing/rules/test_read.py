from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiercel.config.files import Files
from tiercel.errors import ConfigError, UserError
from tiercel.plugins import PluginHost
from tiercel.testing.rules.bench import Bench, Suite, find
from tiercel.testing.rules.clock import START

Load = Callable[[str], Suite]
Problems = Callable[[str], list[str]]


def one(test: str, before: str = "") -> str:
    return f"{before}tests:\n- name: n\n  {test}\n"


def facts(suite: Suite) -> list[dict[str, Any]]:
    return [dict(event.facts) for event in suite.file.tests[0].events]


def test_contexts_add_up_and_later_ones_win(suite: Load) -> None:
    text = """\
contexts:
  a: {proc.name: a, user.name: a, evt.type: open, ancestors: [{proc.name: x}, {proc.name: y}]}
  b: {proc.name: b}
context: [a, {user.uid: 7}]
tests:
  - name: n
    context: b
    events: [{fd.name: /x}, {proc.name: ~, ancestors: [{proc.name: z}]}]
    expect_none: true
"""
    first, second = facts(suite(text))
    assert first == {
        "proc.name": "b", "user.name": "a", "evt.type": "open", "user.uid": "7", "fd.name": "/x", "proc.aname[1]": "x", "proc.aname[2]": "y",
    }  # fmt: skip
    assert second["proc.name"] is None
    assert {name: value for name, value in second.items() if "aname" in name} == {"proc.aname[1]": "z"}


def test_the_clock_goes_on_from_event_to_event(suite: Load) -> None:
    made = suite(one("events: [{evt.type: open}, {evt.type: open, at: +5s}, {evt.type: open, at: 2026-02-01}]\n  expect_none: true"))
    assert [event.time - START for event in made.file.tests[0].events] == [0, 5 * 10**9, 31 * 86_400 * 10**9]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (one("events: [{evt.type: open}]"), "2:3: tests[0]: expects nothing; say which alerts must come (expect) or must not"),
        (one("expect_none: true"), "2:3: tests[0]: expected either events or capture"),
        (one("events: [{evt.type: open}]\n  capture: x\n  expect_none: true"), "2:3: tests[0]: expected either events or capture"),
        (one("events: [{evt.type: open}]\n  expect_none: false"), "4:16: tests[0].expect_none: expected names of rules beside expect"),
        (one("events: [{evt.type: open}]\n  expect_none: true\n  expect: [{rule: Shadow read}]"), "4:16: tests[0].expect_none: expected names"),
        (
            one("events: [{evt.type: open}]\n  expect_none: [Shadow raed]"),
            '4:17: tests[0].expect_none[0]: unknown rule "Shadow raed" (did you mean "Shadow read"?)',
        ),
        (one("events: [{evt.type: open}]\n  expect_none: [Shadow read]\n  expect: [{rule: Shadow read}]"), '4:17: tests[0].expect_none[0]: "Shadow read" is expected as well'),
        (one("events: [{evt.type: open}]\n  expect: [{rule: Off}]"), '4:19: tests[0].expect[0].rule: rule "Off" is disabled; enable it'),
        (one("events: [{evt.type: open}]\n  expect: [{rule: Shadow read, priority: high}]"), "4:42: tests[0].expect[0].priority: unknown priority (got 'high'"),
        (
            one("events: [{evt.type: open}]\n  expect: [{rule: Shadow read, fields: {fd.nam: x}}]"),
            '4:41: tests[0].expect[0].fields.fd.nam: the output of "Shadow read" does not print fd.nam (did you mean "fd.name"?)',
        ),
        (one("events: [{evt.type: opne}]\n  expect_none: true"), '3:23: tests[0].events[0].evt.type: unknown event type "opne" (did you mean "open"?)'),
        (one("events: [{fd.num: 3}]\n  expect_none: true"), "3:12: tests[0].events[0]: evt.type is missing"),
        (one("events: [{evt.type: open, proc.nam: x}]\n  expect_none: true"), '3:29: tests[0].events[0].proc.nam: unknown field "proc.nam" (did you mean "proc.name"?)'),
        (one("events: [{evt.type: open, fd.num: x}]\n  expect_none: true"), '3:37: tests[0].events[0].fd.num: bad number (got "x"'),
        (one("events: [{evt.type: open, evt.arg.a: x, 'evt.arg[a]': y}]\n  expect_none: true"), "3:43: tests[0].events[0].evt.arg[a]: the same field as evt.arg[a]"),
        (one("events: [{evt.type: open, evt.rawtime: 5}]\n  expect_none: true"), "3:29: tests[0].events[0].evt.rawtime: follows from the test itself (expected at: +5s)"),
        (one("events: [{evt.type: open, at: soon}]\n  expect_none: true"), '3:33: tests[0].events[0].at: bad time (got "soon"'),
        (one("events: [{evt.type: open}]\n  context: x\n  expect_none: true"), '4:12: tests[0].context: unknown context "x"; known: none'),
        (one("events: [{evt.type: open}]\n  expect_none: true", "contexts: {c: {proc.nme: x}}\n"), '1:16: contexts.c.proc.nme: unknown field "proc.nme"'),
        (one("events: [{evt.type: open, ancestors: [{fd.name: x}]}]\n  expect_none: true"), "3:42: tests[0].events[0].ancestors[0].fd.name: rules see no such fact of ancestors"),
        (one("events: [{evt.type: open, ancestors: [{proc.pid: x}]}]\n  expect_none: true"), '3:52: tests[0].events[0].ancestors[0].proc.pid: bad number (got "x"'),
        (one("events: [{evt.type: open}]\n  expect_none: true\n- name: n\n  events: [{evt.type: open}]\n  expect_none: true"), "5:9: tests[1].name: a test of that name is in line 2"),
        (one("events: [{evt.type: open}]\n  expect_none: true", "mutants_accepted: [{rule: x, mutant: y, reason: z}]\n"), '1:27: mutants_accepted[0].rule: unknown rule "x"'),
        (one("events: [{evt.type: open}]\n  expect_none: true", "source: syscal\n"), '1:9: source: unknown event source "syscal"'),
        (one("events: [{evt.type: open}]\n  expect_none: true", "lists: {reader: [x]}\n"), '1:1: list "reader": not used by any rule'),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_place(problems: Problems, text: str, message: str) -> None:
    assert problems(text)[0].startswith(message)


def test_all_mistakes_at_once(problems: Problems) -> None:
    assert len(problems(one("events: [{evt.type: opne, proc.nam: x, at: y}]\n  expect: [{rule: z}]"))) == 4


def test_lists_and_macros_of_the_test_file(suite: Load) -> None:
    made = suite(one("events: [{evt.type: open}]\n  expect_none: true", "lists: {readers: [dog]}\nmacros: {opened: evt.type = open}\n"))
    assert made.rules[0].event_types == frozenset({"open"})


class TestRules:
    def test_the_file_beside(self, host: PluginHost, tmp_path: Path) -> None:
        (tmp_path / "a.test.yaml").write_text(one("events: [{evt.type: open}]\n  expect_none: true"))
        with pytest.raises(ConfigError) as caught:
            Bench(host, files=Files()).load([tmp_path / "a.test.yaml"])
        message = (
            f"{tmp_path}/a.yaml: cannot be read: No such file or directory; name the rule files with `rules:`, or give this file the name"
        )
        assert message in str(caught.value)

    def test_mistakes_of_rules_and_of_several_files_come_together(self, host: PluginHost, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / f"{name}.test.yaml").write_text(one("events: [{evt.type: open}]\n  expect_none: true", "rules: [bad.yaml]\n"))
        (tmp_path / "c.test.yaml").write_text("x: y")
        (tmp_path / "bad.yaml").write_text("- rule: R\n")
        with pytest.raises(ConfigError) as caught:
            Bench(host, files=Files()).load(sorted(tmp_path.glob("*.test.yaml")))
        files = [each.file.rpartition("/")[2] for each in caught.value.diagnostics]
        assert set(files) == {"bad.yaml", "c.test.yaml"}
        assert len(files) == len(set(map(str, caught.value.diagnostics)))

    def test_bundles(self, host: PluginHost, tmp_path: Path) -> None:
        (tmp_path / "a.test.yaml").write_text(
            one("events: [{evt.type: open}]\n  expect_none: [Reverse shell]", "rules: ['bundle:tiercel']\n")
        )
        assert len(Bench(host, files=Files()).load([tmp_path / "a.test.yaml"])[0].rules) >= 5

    def test_rules_are_loaded_once_for_several_files(self, host: PluginHost, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / f"{name}.test.yaml").write_text(
                one("events: [{evt.type: open}]\n  expect_none: true", "rules: ['bundle:tiercel']\n")
            )
        first, second = Bench(host, files=Files()).load(sorted(tmp_path.iterdir()))
        assert first.rules[0] is second.rules[0]


def test_finding_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.test.yaml", "a.yaml", "sub/c.test.yaml", "x.yml"):
        (tmp_path / name).touch()
    assert find([tmp_path, tmp_path / "b.test.yaml", tmp_path / "x.yml"], files=Files()) == [
        tmp_path / "b.test.yaml", tmp_path / "sub/c.test.yaml", tmp_path / "x.yml",
    ]  # fmt: skip
    with pytest.raises(UserError, match="cannot be read: No such file or directory"):
        find([tmp_path / "none"], files=Files())
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no tests found"):
        find([tmp_path / "empty"], files=Files())
