from __future__ import annotations

import ast
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.alert import Alert, Priority
from tiercel.pipeline.internal import BURST, REFILL, RULES, InternalAlerts

LOST = "Tiercel internal: events lost"


class Clock:
    """Seconds that only a test lets pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Case:
    """Internal alerts with a clock, and what was submitted."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sent: list[Alert] = []
        self.internal = InternalAlerts(hostname="here", clock=self.clock)
        self.internal.connect(self.sent.extend)

    def report(self, message: str = "it happened", rule: str = LOST) -> None:
        self.internal.report(rule, message, fields={"n": 1})


@pytest.fixture
def case() -> Case:
    return Case()


def test_an_alert_is_like_all_others(case: Case) -> None:
    case.report()
    (alert,) = case.sent
    assert (alert.rule, alert.source, alert.hostname, alert.tags) == (LOST, "internal", "here", ("internal",))
    assert alert.priority is Priority.CRITICAL
    assert alert.message == "events lost: it happened"
    assert alert.fields == {"n": 1, "evt.time": alert.time}
    assert re.fullmatch("[0-9a-f]{32}", alert.id)


def test_the_reporter_may_say_the_priority(case: Case) -> None:
    case.internal.report(LOST, "a little", priority=Priority.NOTICE, fields={})
    case.internal.report("Tiercel internal: of a stranger", "what", fields={})
    assert [alert.priority for alert in case.sent] == [Priority.NOTICE, Priority.ERROR]


def test_ids_differ_within_a_run_and_between_runs() -> None:
    ids = set()
    for _ in range(2):
        case = Case()
        case.report()
        case.report()
        ids |= {alert.id for alert in case.sent}
    assert len(ids) == 4


def test_what_comes_before_anybody_listens_is_kept() -> None:
    internal, sent = InternalAlerts(hostname=""), list[Alert]()
    internal.report(LOST, "early", fields={})
    internal.connect(sent.extend)
    internal.report(LOST, "late", fields={})
    assert [alert.message for alert in sent] == ["events lost: early", "events lost: late"]


def test_what_is_too_often_is_counted_in_the_next(case: Case) -> None:
    for _ in range(BURST + 3):
        case.report()
    assert len(case.sent) == BURST
    case.clock.now += REFILL
    case.report("again")
    assert case.sent[-1].message == "events lost: again (and 3 more like it that were held back)"
    assert case.sent[-1].fields["internal.held_back"] == 3
    assert (case.internal.counters()[LOST].reported, case.internal.counters()[LOST].held_back) == (BURST + 1, 3)


def test_a_rule_does_not_silence_another(case: Case) -> None:
    for _ in range(BURST + 1):
        case.report()
    case.report(rule="Tiercel internal: output down")
    assert case.sent[-1].rule == "Tiercel internal: output down"


def test_flushing_tells_the_last_when_it_may(case: Case) -> None:
    for number in range(BURST + 3):
        case.report(f"number {number}")
    case.internal.flush()
    assert len(case.sent) == BURST
    case.clock.now += REFILL
    case.internal.flush()
    assert case.sent[-1].message == f"events lost: number {BURST + 2} (and 2 more like it that were held back)"
    case.clock.now += REFILL
    case.internal.flush()
    assert len(case.sent) == BURST + 1


def test_at_the_end_nothing_is_left_untold(case: Case) -> None:
    for _ in range(BURST + 1):
        case.report()
    case.internal.flush(final=True)
    assert len(case.sent) == BURST + 1
    assert "internal.held_back" not in case.sent[-1].fields


@given(st.lists(st.one_of(st.just("report"), st.just("flush"), st.floats(0, 100)), max_size=60))
def test_every_report_is_told_or_counted(steps: list[str | float]) -> None:
    case, reports = Case(), 0
    for step in steps:
        if step == "report":
            case.report()
            reports += 1
        elif step == "flush":
            case.internal.flush()
        else:
            case.clock.now += float(step)
    case.internal.flush(final=True)
    assert sum(1 + alert.fields.get("internal.held_back", 0) for alert in case.sent) == reports


def test_threads_and_reports_from_within_delivery(case: Case) -> None:
    """Who takes alerts may report: a spool that cannot be written says so when it is given this very alert."""
    internal, taken = InternalAlerts(hostname=""), list[Alert]()

    def take(alerts: list[Alert]) -> None:
        taken.extend(alerts)
        if alerts[0].rule == LOST:
            internal.report("Tiercel internal: spool failure", "full", fields={})

    internal.connect(take)

    def insist() -> None:
        for _ in range(200):
            internal.report(LOST, "", fields={})

    threads = [threading.Thread(target=insist) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    internal.flush(final=True)
    lost = [alert for alert in taken if alert.rule == LOST]
    assert sum(1 + alert.fields.get("internal.held_back", 0) for alert in lost) == 800
    assert any(alert.rule.endswith("spool failure") for alert in taken)


def test_reports_name_rules_of_the_table(repository: Path) -> None:
    """So that the documentation, which is made from the table, has them all, and none that nobody reports."""
    named = set()
    for path in (repository / "core").rglob("*.py"):
        text = path.read_text()
        if "Tiercel internal: " in text:
            named |= {
                node.value
                for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and re.fullmatch("Tiercel internal: [a-z ]+[a-z]", node.value)
            }
    assert named == set(RULES)


def test_secrets_are_taken_out() -> None:
    sent: list[Alert] = []
    internal = InternalAlerts(hostname="", clean=lambda text: text.replace("hunter2", "***"))
    internal.connect(sent.extend)
    internal.report(LOST, "x hunter2", fields={"a": "hunter2", "b": ["hunter2", 3], "c": 4})
    [alert] = sent
    assert "hunter2" not in repr(alert)
    assert (alert.fields["b"], alert.fields["c"]) == (["***", 3], 4)
