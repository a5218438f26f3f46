from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.planning import rule
from tiercel.config.losses import EventLoss
from tiercel.ruleset.model import Rule
from tiercel.runtime.losses import MAX_RULES, Losses


def of(name: str, types: set[str] | None, source: str = "syscall") -> Rule:
    return rule(name, "evt.type = open", event_types=None if types is None else frozenset(types), source=source)


class Case:
    """A source whose counters a test sets."""

    def __init__(self, *, threshold: float = 0, told: Mapping[str, int] | None = None) -> None:
        self.now = 100.0
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self.losses = Losses(self._report, told=told, clock=lambda: self.now)
        self.settings = EventLoss(threshold=threshold)
        self.rules = [of("Opens", {"open", "openat"}), of("Connects", {"connect"}), of("All", None), of("Audit", None, "k8s_audit")]

    def _report(self, rule: str, message: str, *, fields: Mapping[str, Any]) -> None:
        assert rule == "Tiercel internal: events lost"
        self.reports.append((message, dict(fields)))

    def look(self, seconds: float = 2, *, seen: int = 100, **lost: int) -> None:
        self.now += seconds
        self.losses.look(self._types(seen, lost), self.rules, "syscall", self.settings)

    def finish(self, **lost: int) -> None:
        self.losses.finish(self._types(100, lost), self.rules, "syscall")

    @staticmethod
    def _types(seen: int, lost: Mapping[str, int]) -> dict[str, dict[str, int]]:
        return {"execve": {"seen": seen}, **{kind: {"seen": 0, "lost": number} for kind, number in lost.items()}}


def test_nothing_lost_is_nothing_told() -> None:
    case = Case()
    case.look()
    case.look(openat=0)
    case.finish(openat=0)
    assert case.reports == []


def test_what_a_report_says() -> None:
    case = Case()
    case.look()
    case.look(openat=30, open=12)
    [(message, fields)] = case.reports
    assert message == "42 in 2.0 s (openat 30, open 12); blind: Opens, All"
    assert fields == {
        "loss.events": 42, "loss.seconds": 2.0, "loss.source": "syscall", "loss.rules": ["Opens", "All"], "loss.rules_count": 2,
        "loss.by_type.open": 12, "loss.by_type.openat": 30,
    }  # fmt: skip


def test_what_goes_on_is_reported_every_interval() -> None:
    case = Case()
    for second in range(1, 41):
        case.look(1, openat=10 * second)
    assert [(fields["loss.events"], fields["loss.seconds"]) for _, fields in case.reports] == [(10, 1.0), (300, 30.0)]
    case.finish(openat=401)
    assert [fields["loss.events"] for _, fields in case.reports] == [10, 300, 91]


def test_what_ended_is_reported_when_it_is_due() -> None:
    case = Case()
    case.look(openat=1)
    case.look(openat=5)
    for _ in range(14):
        case.look(openat=5)
    assert [(fields["loss.events"], fields["loss.seconds"]) for _, fields in case.reports] == [(1, 2.0), (4, 2.0)]


def test_below_the_threshold_it_is_counted_only() -> None:
    case = Case(threshold=0.1)
    case.look(seen=100, openat=10)
    assert case.reports == []
    case.look(seen=200, openat=21)
    assert [fields["loss.events"] for _, fields in case.reports] == [21]


def test_many_rules_are_not_all_named() -> None:
    case = Case()
    case.rules = [of(f"R{number}", None) for number in range(MAX_RULES + 5)]
    case.look(openat=1)
    [(message, fields)] = case.reports
    assert message.endswith(f"blind: R0, R1, R2 and {MAX_RULES + 2} more")
    assert (len(fields["loss.rules"]), fields["loss.rules_count"]) == (MAX_RULES, MAX_RULES + 5)


def test_no_rule_is_for_it() -> None:
    case = Case()
    case.rules = []
    case.look(procexit=1)
    assert case.reports[0][0].endswith("blind: no rule")


@pytest.mark.parametrize(("told", "events"), [({"openat": 7}, 3), ({"openat": 10}, None), ({"openat": 1000}, 10)])
def test_what_an_earlier_sensor_told_is_not_told_again(told: dict[str, int], events: int | None) -> None:
    """The last one: its counters began anew."""
    case = Case(told=told)
    case.look(openat=10)
    assert [fields["loss.events"] for _, fields in case.reports] == ([] if events is None else [events])
    assert case.losses.told == {"openat": 10}


@given(
    st.lists(st.tuples(st.floats(0, 60), st.dictionaries(st.sampled_from(["open", "connect"]), st.integers(0, 1000))), max_size=40),
    st.floats(0, 1),
)
def test_reports_add_up(steps: list[tuple[float, dict[str, int]]], threshold: float) -> None:
    case, lost = Case(threshold=threshold), {"open": 0, "connect": 0}
    for seconds, more in steps:
        lost |= {kind: lost[kind] + number for kind, number in more.items()}
        case.look(seconds, **lost)
        told = {kind: sum(fields.get(f"loss.by_type.{kind}", 0) for _, fields in case.reports) for kind in lost}
        assert case.losses.told == {kind: number for kind, number in told.items() if kind in case.losses.told}
    case.finish(**lost)
    for kind, number in lost.items():
        assert sum(fields.get(f"loss.by_type.{kind}", 0) for _, fields in case.reports) == number
