"""Proposals from decoded events; here events of another test file stand for those of a capture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.unit.testing.rules.conftest import RULES
from tiercel.config.files import Files
from tiercel.plugins import PluginHost
from tiercel.testing.rules.bench import Bench, Suite, find
from tiercel.testing.rules.propose import MAX_PROPOSALS, Proposal, Proposer, as_yaml
from tiercel.testing.rules.run import run
from tiercel.testing.rules.stage import events

Load = Callable[..., Suite]


def proposed(suite: Suite, *, only: str | None = None) -> list[Proposal]:
    proposer = Proposer(suite.rules, plan=suite.plan, stated=suite.plan, facts=suite.facts, source=suite.file.source)
    return [each for test in suite.file.tests for each in proposer.propose(events(suite, test), only=only)]


def of(events: str) -> str:
    return f"tests: [{{name: n, events: [{events}], expect_none: true}}]"


SHADOW = "{evt.type: openat, evt.rawres: 3, fd.name: /etc/shadow, proc.cmdline: vi x, user.name: root, fd.type: file, container.id: abc}"


def test_what_the_rule_reads_is_stated_and_no_more(suite: Load) -> None:
    [found] = proposed(suite(of(SHADOW)))
    assert dict(found.facts) == {"evt.type": "openat", "fd.num": 3, "fd.name": "/etc/shadow", "proc.name": "vi", "user.uid": 0}
    assert found.at is None
    assert found.alert is not None
    assert found.alert.message == "vi read /etc/shadow (uid=0)"


def test_events_that_look_alike_make_one_test(suite: Load) -> None:
    assert len(proposed(suite(of(f"{SHADOW}, {SHADOW.replace('abc', 'def')}")))) == 1
    assert len(proposed(suite(of(f"{SHADOW}, {SHADOW.replace('vi', 'ed')}")))) == 2


def test_one_rule(suite: Load) -> None:
    made = suite(of(f"{SHADOW}, {SHADOW.replace('shadow', 'passwd')}"))
    assert [each.rule for each in proposed(made)] == ["Shadow read", "Anything in etc"]
    assert [each.rule for each in proposed(made, only="Anything in etc")] == ["Anything in etc"]


def test_the_clock_is_stated_where_it_is_read(suite: Load) -> None:
    rules = RULES.replace('"%fd.name"', '"%evt.time.s %fd.name"')
    [found] = proposed(suite(of(SHADOW.replace("shadow", "x").replace("{", "{at: 2026-03-01T10:00:00.5Z, ", 1)), rules))
    assert found.alert is not None
    assert found.alert.message == "10:00:00 /etc/x"
    assert "at: '2026-03-01T10:00:00.500000Z'" in as_yaml([found], rules=["r.yaml"], source="syscall")


def test_there_is_a_limit(suite: Load) -> None:
    many = ", ".join(f"{{evt.type: open, fd.num: 3, fd.name: /etc/{number}}}" for number in range(MAX_PROPOSALS + 2))
    made = suite(of(many))
    proposer = Proposer(made.rules, plan=made.plan, stated=made.plan, facts=made.facts, source="syscall")
    assert len(list(proposer.propose(events(made, made.file.tests[0])))) == MAX_PROPOSALS
    assert proposer.more == 2


@pytest.mark.parametrize("name", ["/etc/\udc80\udcff", "/etc/\x01\n: [", "/etc/ä # no"])
def test_any_name_makes_a_file_that_can_be_read(suite: Load, name: str) -> None:
    proposal = Proposal(1, None, {"fd.name": name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")}, None, "R")
    [test] = yaml.safe_load(as_yaml([proposal], rules=["r.yaml"], source="syscall"))["tests"]
    assert test["events"] == [proposal.facts]


def test_proposals_pass(host: PluginHost, repository: Path, tmp_path: Path) -> None:
    """For every alert of the tests of our rules."""
    bench = Bench(host, files=Files())
    [suite] = bench.load([repository / "rules/tiercel_rules/tiercel.test.yaml"])
    found = proposed(suite)
    assert len(found) >= 15
    (tmp_path / "p.test.yaml").write_text(as_yaml(found, rules=["bundle:tiercel"], source="syscall"))
    [made] = bench.load(find([tmp_path], files=Files()))
    assert [problem for test in made.file.tests for problem in run(made, test).problems] == []
    assert [each for test in made.file.tests for each in test.expect or ()] != []
