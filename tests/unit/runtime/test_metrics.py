from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from tests.unit.runtime.test_exposition import checked, read
from tiercel.engine.engine import FieldFailures, RuleCounters
from tiercel.pipeline.delivery import OutputCounters
from tiercel.pipeline.enriching import EnricherCounters
from tiercel.pipeline.internal import InternalCounters
from tiercel.runtime.exposition import expose
from tiercel.runtime.metrics import (
    ENRICHER_COUNTERS,
    ENRICHER_GAUGES,
    METRICS,
    OUTPUT_COUNTERS,
    OUTPUT_GAUGES,
    SPOOL_COUNTERS,
    SPOOL_GAUGES,
    samples,
)
from tiercel.runtime.reload import ReloadCounters
from tiercel.spool.jobs import SpoolCounters


@pytest.fixture
def values() -> dict[str, Any]:
    """What a sensor has counted, no counter being 0."""
    rule = RuleCounters(3, 2, 1, 10, 10, 10, 5, 2_000)
    return {
        "version": "1.0", "python": "3.11.2", "kernel": "6.18", "pid": 1, "started": 1764000000.5, "restarts": 2, "generation": 4,
        "reloads": dataclasses.asdict(ReloadCounters(done=41, unchanged=42, failed=43, last_ok=False, last_seconds=0.5)),
        "event_source": "syscall", "source": "ebpf", "events": 7, "alerts": 3, "beat": time.monotonic() - 1,
        "types": {"openat": {"seen": 100, "dropped_process": 10, "dropped_scalars": 20, "dropped_place": 30, "passed": 39, "lost": 1, "i386": 4}},
        "decoder": {"processes": 50},
        "supply": {"failures": 15, "restarts": 16, "opened": True, "broken": 17},
        "rules": {"Reverse shell": dataclasses.asdict(rule), "Quiet": dataclasses.asdict(RuleCounters(0, 0, 0))},
        "about_rules": {name: {"priority": "Critical", "source": "syscall"} for name in ("Reverse shell", "Quiet")},
        "fields": {"syscall:lab.x": dataclasses.asdict(FieldFailures("tiercel-lab", 9, True, "bug", ("Reverse shell",)))},
        "outputs": {"file/a": dataclasses.asdict(OutputCounters(sent=5, retries=1, dead=2, failures=3, quarantined=True))},
        "enrichers": {"lab": dataclasses.asdict(EnricherCounters(amended=4, failures=2, skipped=3))},
        "spool": dataclasses.asdict(SpoolCounters(stored=21, evicted=22, problem="disk full")),
        "output_values": {"file/a": {"rotated": 31}},
        "unreported": 32,
        "internal": {"Tiercel internal: events lost": dataclasses.asdict(InternalCounters(6, 8))},
        "log": {"warning": 11},
        "endpoint": {"address": "", "requests": 12, "refused": 13},
    }  # fmt: skip


def test_all_metrics_of_the_table_are_made(values: dict[str, Any]) -> None:
    assert {name for name, _, _ in samples(values)} == {metric.name for metric in METRICS}


def test_promtool_accepts_names_and_help(values: dict[str, Any]) -> None:
    checked(expose(METRICS, samples(values)))


def test_samples(values: dict[str, Any]) -> None:
    found = read(expose(METRICS, samples(values)))

    def value(name: str, **labels: str) -> float:
        return found[name, tuple(labels.items())]

    assert value("tiercel_source_events_lost_total", source="ebpf", type="openat") == 1
    assert value("tiercel_source_events_other_total", source="ebpf", type="openat", counter="i386") == 4
    assert value("tiercel_rule_matches_total", rule="Quiet", priority="Critical", source="syscall") == 0
    assert value("tiercel_rule_condition_seconds_total", rule="Reverse shell") == pytest.approx(64 * 2e-6)
    assert value("tiercel_field_quarantined", source="syscall", field="lab.x", owner="tiercel-lab") == 1
    assert value("tiercel_output_sent_total", output="file/a") == 5
    assert value("tiercel_output_quarantined", output="file/a") == 1
    assert value("tiercel_enricher_skipped_total", enricher="lab") == 3
    assert value("tiercel_output_other_total", output="file/a", counter="rotated") == 31
    assert value("tiercel_generation") == 4
    assert [value("tiercel_reloads_total", result=result) for result in ("done", "unchanged", "failed")] == [41, 42, 43]
    assert value("tiercel_reload_last_ok") == 0
    assert value("tiercel_source_restarts_total", source="ebpf") == 16
    assert value("tiercel_batches_broken_total", source="ebpf") == 17
    assert value("tiercel_spool_stored_total") == 21
    assert value("tiercel_spool_failing") == 1
    assert value("tiercel_internal_alerts_held_back_total", rule="Tiercel internal: events lost") == 8
    assert 1 <= value("tiercel_detect_heartbeat_age_seconds") < 60
    assert ("tiercel_rule_pending_total", (("rule", "Quiet"),)) not in found


def test_of_this_process(values: dict[str, Any]) -> None:
    found = {name: value for (name, labels), value in read(expose(METRICS, samples(values))).items() if name.startswith("tiercel_process_")}
    assert 5 << 20 < found["tiercel_process_pss_bytes"] < 4 << 30
    assert found["tiercel_process_threads"] >= 1
    assert found["tiercel_process_open_fds"] >= 3


def test_every_counter_of_an_enricher_is_shown() -> None:
    assert {each.name for each in dataclasses.fields(EnricherCounters)} == ENRICHER_COUNTERS.keys() | ENRICHER_GAUGES.keys()


def test_every_counter_of_an_output_is_shown() -> None:
    assert {each.name for each in dataclasses.fields(OutputCounters)} == {*OUTPUT_COUNTERS, *OUTPUT_GAUGES}


def test_every_counter_of_the_spool_is_shown() -> None:
    assert {each.name for each in dataclasses.fields(SpoolCounters)} == {*SPOOL_COUNTERS, *SPOOL_GAUGES, "problem"}


def test_names_are_unique() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert expose(METRICS, []) == b""
