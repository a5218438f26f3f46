"""What people are told of an output that does not work."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from tiercel.pipeline import condition as module
from tiercel.pipeline.condition import DOWN_SECONDS, Condition, OutputCounters


class Case:
    def __init__(self) -> None:
        self.now = 1000.0
        self.told: list[tuple[str, str]] = []
        self.counters = OutputCounters()
        self.condition = Condition("http/x", self.counters, self._report)

    def _report(self, rule: str, message: str, *, fields: Mapping[str, Any]) -> None:
        assert fields["output.id"] == "http/x"
        self.told.append((rule.removeprefix("Tiercel internal: "), message))

    def down(self, seconds: float) -> None:
        """It fails once more, after some seconds."""
        self.now += seconds
        self.condition.down("503 Service Unavailable", behind=7)


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Case:
    made = Case()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def test_it_is_told_once_when_it_has_lasted(case: Case) -> None:
    case.down(0)
    case.down(DOWN_SECONDS - 1)
    assert case.told == []
    case.down(1)
    case.down(100)
    assert case.told == [("output down", "output http/x has accepted nothing for 30 s: 503 Service Unavailable")]
    case.condition.works()
    case.condition.works()
    assert case.told[1:] == [("output recovered", "output http/x accepts alerts again")]
    case.down(0)
    case.down(DOWN_SECONDS)
    assert [rule for rule, _ in case.told[2:]] == ["output down"]


def test_what_recovers_in_time_is_not_told(case: Case) -> None:
    for _ in range(5):
        case.down(DOWN_SECONDS - 1)
        case.condition.works()
    assert case.told == []


def test_a_quarantine_and_its_end(case: Case) -> None:
    case.condition.quarantined("failed 3 times in a row (ValueError: bug)", 5.0)
    assert (case.counters.quarantined, case.condition.failing) == (True, True)
    case.condition.works()
    assert (case.counters.quarantined, case.condition.failing) == (False, False)
    assert case.told == [
        ("plugin quarantined", "output http/x failed 3 times in a row (ValueError: bug); it is tried again in 5 s, its alerts wait"),
        ("plugin restored", "output http/x accepts alerts again"),
    ]


def test_refused_alerts(case: Case) -> None:
    case.condition.refused(2, "400 Bad Request", tell=True)
    case.condition.refused(1, "400 Bad Request", tell=False)
    assert case.counters.dead == 3
    assert case.told == [("alerts refused", "output http/x: 400 Bad Request")]
