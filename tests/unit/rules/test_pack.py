"""Our own rules have tests beside them, and those notice every check that is missing or wrong."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.unit import distributions
from tiercel.config.files import Files
from tiercel.plugins import PluginHost
from tiercel.testing.rules.bench import Bench, Suite, find
from tiercel.testing.rules.mutate import mutate
from tiercel.testing.rules.run import alerts, run

ACCEPTED = {("Credential file read by untrusted program", "drop evt.type in (open, openat, openat2)")}
"""Mutants of ours that live; whoever adds one changes this line, too."""


@pytest.fixture(scope="module")
def suites(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Suite]:
    host = PluginHost(distributions=[distributions.tiercel_itself(tmp_path_factory.mktemp("own"), plugins=True)])
    host.load()
    return Bench(host, files=Files()).load(find([repository / "rules"], files=Files()))


def test_all_pass(suites: list[Suite]) -> None:
    assert [problem for suite in suites for test in suite.file.tests for problem in run(suite, test).problems] == []


def test_every_rule_has_a_firing_and_a_silent_test(suites: list[Suite]) -> None:
    fires: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    for suite in suites:
        for test in suite.file.tests:
            fired = {each.alert.rule for each in alerts(suite, test)}
            assert {each.rule for each in test.expect or ()} == fired
            fires.update(fired)
            types = {event.facts["evt.type"] for event in test.events}
            silent.update(rule.name for rule in suite.rules if not fired and types & (rule.event_types or types))
    names = {rule.name for suite in suites for rule in suite.rules}
    assert len(names) >= 5
    assert {name for name in names if not fires[name]} == set()
    assert {name for name in names if not silent[name]} == set()


def test_no_mutant_lives_but_those_listed(suites: list[Suite]) -> None:
    verdicts = mutate(suites)
    assert [f"{each.origin.line}: {each.text}" for verdict in verdicts for each in verdict.living] == []
    assert [entry for verdict in verdicts for entry in verdict.stale] == []
    assert {(verdict.rule, each.text) for verdict in verdicts for each in verdict.accepted} == ACCEPTED
    assert sum(len(verdict.killed) for verdict in verdicts) >= 100
