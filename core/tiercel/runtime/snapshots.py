"""The counters now and then, as an internal alert and as lines of JSON in a file."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from tiercel.errors import UserError

if TYPE_CHECKING:
    from tiercel.components.base import Host
    from tiercel.config.snapshots import Snapshots as Settings
    from tiercel.pipeline.internal import InternalAlerts
    from tiercel.runtime.exposition import Sample

__all__ = ["Snapshots", "summed"]

SNAPSHOT: Final = "Tiercel internal: metrics snapshot"
BY_RULE: Final = "tiercel_rule_matches_total"
"""Metric that a snapshot has by rule too, where it is not 0."""

_log = logging.getLogger("tiercel.snapshots")


def summed(samples: Iterable[Sample]) -> dict[str, float]:
    """Metric -> the sum of its samples; matches also by rule, as ``NAME.RULE``."""
    found: dict[str, float] = {}
    for name, labels, value in samples:
        found[name] = found.get(name, 0) + value
        if name == BY_RULE and value:
            found[f"{name}.{labels[0]}"] = value
    return found


class Snapshots:
    """Looks at the clock, and reports."""

    def __init__(self, internal: InternalAlerts, host: Host, *, clock: Callable[[], float] = time.time) -> None:
        """Nothing is due.

        Args:
            internal: takes the alerts.
            host: opens the file.
            clock: Unix time; snapshots come at its multiples of the interval.
        """
        self._internal, self._host, self._clock = internal, host, clock
        self._settings: Settings | None = None
        self._next = 0.0

    def look(self, settings: Settings | None, samples: Callable[[], Iterable[Sample]]) -> None:
        """Reports if it is time.

        Args:
            settings: section ``metrics_snapshots``; None if there is none.
            samples: makes the samples of all metrics.
        """
        if settings is None:
            return
        now = self._clock()
        if settings != self._settings:
            self._settings, self._next = settings, _after(now, settings.seconds)
        if now < self._next:
            return
        self._next = _after(now, settings.seconds)
        values = summed(samples())
        if settings.alert:
            alerts, lost = values.get("tiercel_alerts_total", 0), values.get("tiercel_source_events_lost_total", 0)
            seen = values.get("tiercel_source_events_seen_total", 0)
            self._internal.report(SNAPSHOT, f"{seen} events seen, {lost} lost, {alerts} alerts", fields=values)
        if settings.file is not None:
            self._append(settings.file, {"time": round(now, 3), **values})

    def _append(self, grant: str, values: Mapping[str, Any]) -> None:
        """Opened each time, so that a file that was rotated is no concern."""
        try:
            descriptor = self._host.open_granted(grant)
            try:
                os.write(descriptor, json.dumps(values).encode() + b"\n")
            finally:
                os.close(descriptor)
        except (OSError, UserError) as e:
            _log.error("metrics_snapshots.file: %s: not written: %s", grant, e)


def _after(now: float, seconds: float) -> float:
    """The next multiple."""
    return (now // seconds + 1) * seconds
