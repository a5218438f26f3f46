from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiercel.alert import Alert
from tiercel.config.snapshots import Snapshots as Settings
from tiercel.config.snapshots import parse
from tiercel.pipeline.internal import InternalAlerts
from tiercel.runtime.exposition import Sample
from tiercel.runtime.host import DirectHost
from tiercel.runtime.snapshots import Snapshots, summed

SAMPLES: list[Sample] = [
    ("tiercel_source_events_seen_total", ("ebpf", "open"), 5),
    ("tiercel_source_events_seen_total", ("ebpf", "openat"), 6),
    ("tiercel_rule_matches_total", ("Reverse shell", "Critical", "syscall"), 2),
    ("tiercel_rule_matches_total", ("Quiet", "Notice", "syscall"), 0),
    ("tiercel_alerts_total", (), 2),
]
SUMMED = {
    "tiercel_source_events_seen_total": 11,
    "tiercel_rule_matches_total": 2,
    "tiercel_rule_matches_total.Reverse shell": 2,
    "tiercel_alerts_total": 2,
}


class Case:
    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.alerts: list[Alert] = []
        internal = InternalAlerts(hostname="", clock=lambda: self.now)
        internal.connect(self.alerts.extend)
        self.file = folder / "snapshots"
        self.snapshots = Snapshots(internal, DirectHost({"out": (str(self.file), "append")}), clock=lambda: self.now)

    def look(self, settings: Settings | None, *, at: float) -> int:
        self.now = at
        self.snapshots.look(settings, lambda: SAMPLES)
        return len(self.alerts)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_sums_and_matches_by_rule() -> None:
    assert summed(SAMPLES) == SUMMED


def test_none_without_the_section(case: Case) -> None:
    assert case.look(None, at=1e9) == 0


def test_at_multiples_of_the_interval(case: Case) -> None:
    settings = Settings(seconds=60)
    assert [case.look(settings, at=at) for at in (1000, 1019, 1020, 1021, 1079, 1300, 1301, 1320)] == [0, 0, 1, 1, 1, 2, 2, 3]
    alert = case.alerts[0]
    assert (alert.rule, alert.priority.label) == ("Tiercel internal: metrics snapshot", "Informational")
    assert alert.message == "metrics snapshot: 11 events seen, 0 lost, 2 alerts"
    assert alert.fields == {**SUMMED, "evt.time": alert.time}


def test_another_interval_counts_at_once(case: Case) -> None:
    assert case.look(Settings(seconds=3600), at=1000) == 0
    assert [case.look(Settings(seconds=30), at=at) for at in (1010, 1020)] == [0, 1]


def test_a_file_of_json_lines(case: Case) -> None:
    settings = Settings(seconds=60, alert=False, file="out")
    for at in (1000, 1020.25, 1080):
        assert case.look(settings, at=at) == 0
    assert [json.loads(line) for line in case.file.read_text().splitlines()] == [{"time": 1020.25, **SUMMED}, {"time": 1080, **SUMMED}]


def test_a_file_that_cannot_be_written(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(seconds=60, file="other")
    case.look(settings, at=1000)
    assert case.look(settings, at=1020) == 1
    assert "metrics_snapshots.file: other: not written: grant 'other': not in the configuration" in caplog.text


@pytest.mark.parametrize(("text", "seconds"), [("1h30m", 5400), ("90s", 90), ("1s", 30), ("500ms", 30)])
def test_intervals(text: str, seconds: float) -> None:
    assert parse({"interval": text, "alert": True}) == Settings(seconds=seconds)
