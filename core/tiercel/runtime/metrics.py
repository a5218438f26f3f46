"""What ``/metrics`` shows: the table of all metrics, and how they are made of the counters (`tiercel.runtime.statistics`).

The names are in the table only here; the documentation is made from it. Counters start at 0 with the sensor's process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tiercel.engine.cost import EVERY
from tiercel.runtime.exposition import Metric, Sample

__all__ = ["METRICS", "samples"]

SOURCE_COUNTERS: Final = {
    "seen": "events_seen",
    "dropped_process": "events_dropped_by_process",
    "dropped_scalars": "events_dropped_by_scalars",
    "dropped_place": "events_dropped_by_place",
    "passed": "events_passed",
    "lost": "events_lost",
}
"""Counters of `tiercel.Source.counters` that have a metric of their own; all others go to ``tiercel_source_events_other_total``."""
OUTPUT_COUNTERS: Final = {
    "sent": "Alerts that it accepted.",
    "retries": "Deliveries that it did not accept for the time being.",
    "timeouts": "Deliveries of those that took too long.",
    "failures": "Deliveries on which it failed.",
    "dead": "Alerts that it will never accept: dead letters.",
    "evicted": "Alerts that were removed from the spool before they were delivered.",
    "unrouted": "Alerts that its route does not let through.",
    "rolled_up": "Alerts that it got as part of a summary, because of roll_up.",
    "limited": "Alerts that it got as part of a summary, because of rate_limit.",
    "overflowed": "Alerts of those in summaries that had no group of their own.",
    "summaries": "Summaries that were made for it.",
    "unreadable": "Groups that an earlier sensor had counted and that could not be read back.",
}
"""Counters in `tiercel.pipeline.delivery.OutputCounters` -> help."""
OUTPUT_GAUGES: Final = {
    "behind": "Alerts that wait for it.",
    "lag_seconds": "Age of the oldest alert that it is being given.",
    "quarantined": "1 if an output gets no alerts for a while, because it failed again and again.",
    "opened": "1 if it is open.",
}
"""The other fields of `tiercel.pipeline.delivery.OutputCounters` -> help."""
ENRICHER_COUNTERS: Final = {
    "amended": "Alerts that it was asked about, and answered.",
    "failures": "Calls on which it failed.",
    "timeouts": "Calls of those that took too long.",
    "skipped": "Alerts that went on without it.",
}
"""Counters in `tiercel.pipeline.enriching.EnricherCounters` -> help."""
ENRICHER_GAUGES: Final = {
    "quarantined": "1 if an enricher is not asked for a while, because it failed again and again.",
    "opened": "1 if it is open.",
}
"""The other fields of `tiercel.pipeline.enriching.EnricherCounters` -> help."""
SPOOL_COUNTERS: Final = {
    "stored": "Alerts that were committed to the disk.",
    "known": "Alerts that were left out, since one with the same id was there.",
    "unstored": "Alerts that were given up without having been on the disk.",
    "evicted": "Alerts that were removed since they were too many.",
    "expired": "Alerts that were removed since they were too old.",
    "damaged": "Alerts that could not be read back.",
    "buried": "Dead letters that were kept.",
    "failures": "Transactions that the disk did not take.",
    "sync_failures": "Times that what was committed could not be forced to the disk.",
}
"""Counters in `tiercel.spool.jobs.SpoolCounters` -> help."""
SPOOL_GAUGES: Final = {
    "unsaved": "Alerts that are in memory only.",
    "bytes": "Bytes of alerts on the disk.",
    "max_bytes": "Bytes that there may be.",
}
"""The other numbers in `tiercel.spool.jobs.SpoolCounters` -> help."""
NANOSECONDS: Final = 1_000_000_000

METRICS: Final = (
    Metric("tiercel_build_info", "gauge", "Always 1; the labels say what runs.", ("version", "python", "kernel")),
    Metric("tiercel_start_time_seconds", "gauge", "Start of the sensor's process, Unix time."),
    Metric("tiercel_restarts_total", "counter", "How often the supervisor has started another sensor because one died."),
    Metric("tiercel_process_cpu_seconds_total", "counter", "CPU time of the sensor.", ("mode",)),
    Metric("tiercel_process_pss_bytes", "gauge", "Memory of the sensor: its proportional set size."),
    Metric("tiercel_process_threads", "gauge", "Threads of the sensor."),
    Metric("tiercel_process_open_fds", "gauge", "Open descriptors of the sensor."),
    Metric("tiercel_detect_heartbeat_age_seconds", "gauge", "Time since the detect thread last took a batch, an empty one included."),
    Metric("tiercel_generation", "gauge", "Number of the generation of configuration and rules in force."),
    Metric("tiercel_reloads_total", "counter", "Reloads: done, failed, or without anything new.", ("result",)),
    Metric("tiercel_reload_last_ok", "gauge", "0 if the last reload failed, so that an older generation stays in force."),
    Metric("tiercel_reload_last_success_time_seconds", "gauge", "When a generation last came into force, the first included; Unix time."),
    Metric("tiercel_reload_last_seconds", "gauge", "How long the last reload took that put a generation in force."),
    Metric("tiercel_rules", "gauge", "Rules in force."),
    Metric("tiercel_source_events_seen_total", "counter", "Events of types that rules want, before any filter.", ("source", "type")),
    Metric("tiercel_source_events_passed_total", "counter", "Events that came up from the source.", ("source", "type")),
    Metric("tiercel_source_events_lost_total", "counter", "Events that got lost: rules were blind.", ("source", "type")),
    Metric("tiercel_source_events_dropped_by_process_total", "counter", "Events that no rule of the process wants.", ("source", "type")),
    Metric("tiercel_source_events_dropped_by_scalars_total", "counter", "Events whose flags or mode no rule wants.", ("source", "type")),
    Metric("tiercel_source_events_dropped_by_place_total", "counter", "Events whose path or address no rule wants.", ("source", "type")),
    Metric("tiercel_source_events_other_total", "counter", "Other counters of the source.", ("source", "type", "counter")),
    Metric("tiercel_source_failures_total", "counter", "Failures of the source or its decoder.", ("source",)),
    Metric("tiercel_source_restarts_total", "counter", "How often both were built and opened anew because one failed.", ("source",)),
    Metric("tiercel_source_opened", "gauge", "1 if both are open.", ("source",)),
    Metric("tiercel_batches_broken_total", "counter", "Batches whose rest was given up, because the decoder failed on them.", ("source",)),
    Metric("tiercel_decoder_value", "gauge", "Counters and sizes that the decoder reports.", ("event_source", "name")),
    Metric("tiercel_events_total", "counter", "Events that were judged in Python."),
    Metric("tiercel_alerts_total", "counter", "Alerts of rules."),
    Metric("tiercel_rule_matches_total", "counter", "Events that a rule matched.", ("rule", "priority", "source")),
    Metric("tiercel_rule_pending_total", "counter", "Events with unknown facts that a rule did not match, but might have.", ("rule",)),
    Metric("tiercel_rule_failures_total", "counter", "Failures of computed fields that a rule reads.", ("rule",)),
    Metric(
        "tiercel_rule_condition_seconds_total", "counter",
        f"Time of evaluating a rule's condition in Python, estimated: one event of {EVERY} is timed.", ("rule",),
    ),
    Metric("tiercel_field_failures_total", "counter", "Failures of a computed field.", ("source", "field", "owner")),
    Metric("tiercel_field_quarantined", "gauge", "1 if a computed field is not called any more.", ("source", "field", "owner")),
    *(Metric(f"tiercel_output_{name}_total", "counter", text, ("output",)) for name, text in OUTPUT_COUNTERS.items()),
    *(Metric(f"tiercel_output_{name}", "gauge", text, ("output",)) for name, text in OUTPUT_GAUGES.items()),
    Metric("tiercel_output_other_total", "counter", "Other counters of the output.", ("output", "counter")),
    *(Metric(f"tiercel_enricher_{name}_total", "counter", text, ("enricher",)) for name, text in ENRICHER_COUNTERS.items()),
    *(Metric(f"tiercel_enricher_{name}", "gauge", text, ("enricher",)) for name, text in ENRICHER_GAUGES.items()),
    *(Metric(f"tiercel_spool_{name}_total", "counter", text) for name, text in SPOOL_COUNTERS.items()),
    *(Metric(f"tiercel_spool_{name}", "gauge", text) for name, text in SPOOL_GAUGES.items()),
    Metric("tiercel_spool_failing", "gauge", "1 while the disk takes no alerts."),
    Metric("tiercel_unreported_total", "counter", "Times that a plugin failed to say what it counts."),
    Metric("tiercel_internal_alerts_total", "counter", "Internal alerts.", ("rule",)),
    Metric("tiercel_internal_alerts_held_back_total", "counter", "Internal alerts that are only a number in a later one.", ("rule",)),
    Metric("tiercel_log_messages_total", "counter", "Messages of the log, those held back included.", ("level",)),
    Metric("tiercel_endpoint_requests_total", "counter", "Requests to this listener."),
    Metric("tiercel_endpoint_refused_total", "counter", "Connections that were too many, too slow, or no requests."),
)  # fmt: skip
"""All metrics, in the order of the page."""


def samples(values: Mapping[str, Any]) -> Iterator[Sample]:
    """The samples of all metrics.

    Args:
        values: of `tiercel.runtime.statistics.Statistics.collect`, with ``about_rules`` and ``beat``.
    """
    yield "tiercel_build_info", (values["version"], values["python"], values["kernel"]), 1
    yield "tiercel_start_time_seconds", (), values["started"]
    yield "tiercel_restarts_total", (), values["restarts"]
    yield from _process()
    if values["beat"] is not None:
        yield "tiercel_detect_heartbeat_age_seconds", (), max(0.0, time.monotonic() - values["beat"])
    yield "tiercel_generation", (), values["generation"]
    if (reloads := values["reloads"]) is not None:
        for result in ("done", "unchanged", "failed"):
            yield "tiercel_reloads_total", (result,), reloads[result]
        yield "tiercel_reload_last_ok", (), reloads["last_ok"]
        yield "tiercel_reload_last_success_time_seconds", (), reloads["last_success"]
        yield "tiercel_reload_last_seconds", (), reloads["last_seconds"]
    yield "tiercel_rules", (), len(values["rules"])
    source = values["source"]
    for kind, counters in values["types"].items():
        for counter, value in counters.items():
            if counter in SOURCE_COUNTERS:
                yield f"tiercel_source_{SOURCE_COUNTERS[counter]}_total", (source, kind), value
            else:
                yield "tiercel_source_events_other_total", (source, kind, counter), value
    supply = values["supply"]
    yield "tiercel_source_failures_total", (source,), supply["failures"]
    yield "tiercel_source_restarts_total", (source,), supply["restarts"]
    yield "tiercel_source_opened", (source,), supply["opened"]
    yield "tiercel_batches_broken_total", (source,), supply["broken"]
    for name, value in values["decoder"].items():
        yield "tiercel_decoder_value", (values["event_source"], name), value
    yield "tiercel_events_total", (), values["events"]
    yield "tiercel_alerts_total", (), values["alerts"]
    yield from _rules(values)
    for name, failure in values["fields"].items():
        labels = (*name.split(":", 1), failure["owner"])
        yield "tiercel_field_failures_total", labels, failure["failures"]
        yield "tiercel_field_quarantined", labels, failure["quarantined"]
    for output, counters in values["outputs"].items():
        for counter in OUTPUT_COUNTERS:
            yield f"tiercel_output_{counter}_total", (output,), counters[counter]
        for gauge in OUTPUT_GAUGES:
            yield f"tiercel_output_{gauge}", (output,), counters[gauge]
    for output, counters in values["output_values"].items():
        for counter, value in counters.items():
            yield "tiercel_output_other_total", (output, counter), value
    for enricher, counters in values["enrichers"].items():
        for counter in ENRICHER_COUNTERS:
            yield f"tiercel_enricher_{counter}_total", (enricher,), counters[counter]
        for gauge in ENRICHER_GAUGES:
            yield f"tiercel_enricher_{gauge}", (enricher,), counters[gauge]
    spool = values["spool"]
    for counter in SPOOL_COUNTERS:
        yield f"tiercel_spool_{counter}_total", (), spool[counter]
    for gauge in SPOOL_GAUGES:
        yield f"tiercel_spool_{gauge}", (), spool[gauge]
    yield "tiercel_spool_failing", (), bool(spool["problem"])
    yield "tiercel_unreported_total", (), values["unreported"]
    for rule, counters in values["internal"].items():
        yield "tiercel_internal_alerts_total", (rule,), counters["reported"]
        yield "tiercel_internal_alerts_held_back_total", (rule,), counters["held_back"]
    for level, value in values["log"].items():
        yield "tiercel_log_messages_total", (level,), value
    yield "tiercel_endpoint_requests_total", (), values["endpoint"]["requests"]
    yield "tiercel_endpoint_refused_total", (), values["endpoint"]["refused"]


def _rules(values: Mapping[str, Any]) -> Iterator[Sample]:
    """Matches of every rule, so that a first one is seen as such; of the rest what is not 0: there may be thousands of rules."""
    for name, counters in values["rules"].items():
        about = values["about_rules"].get(name)
        if about is None:  # for a moment, after a reload
            continue
        yield "tiercel_rule_matches_total", (name, about["priority"], about["source"]), counters["matches"]
        for counter in ("pending", "failures"):
            if counters[counter]:
                yield f"tiercel_rule_{counter}_total", (name,), counters[counter]
        if counters["nanoseconds"]:
            yield "tiercel_rule_condition_seconds_total", (name,), counters["nanoseconds"] * EVERY / NANOSECONDS


def _process() -> Iterator[Sample]:
    """This process, as /proc says; proc_pid_smaps(5), proc_pid_fd(5)."""
    times = os.times()
    yield "tiercel_process_cpu_seconds_total", ("user",), times.user
    yield "tiercel_process_cpu_seconds_total", ("system",), times.system
    process = Path("/proc/self")
    for line in (process / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            yield "tiercel_process_pss_bytes", (), int(line.split()[1]) * 1024
    yield "tiercel_process_threads", (), sum(1 for _ in (process / "task").iterdir())
    yield "tiercel_process_open_fds", (), sum(1 for _ in (process / "fd").iterdir())
