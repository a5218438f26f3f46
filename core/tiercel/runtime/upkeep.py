"""What a running sensor does beside detection, every two seconds: writes its statistics, and looks for what should be told."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from tiercel.plugins.quarantine import QUARANTINED, RESTORED
from tiercel.runtime.losses import Losses
from tiercel.runtime.snapshots import Snapshots

if TYPE_CHECKING:
    from tiercel.components.base import Host
    from tiercel.components.source import Source
    from tiercel.pipeline.internal import InternalAlerts
    from tiercel.runtime.generation import Generation
    from tiercel.runtime.logs import Handler
    from tiercel.runtime.statistics import Statistics

__all__ = ["Upkeep"]

PAUSE: Final = 2.0
"""Seconds."""
MAX_STATISTICS: Final = 1 << 26
"""Bytes of an earlier sensor's statistics."""

_log = logging.getLogger("tiercel.sensor")


class _Sensor(Protocol):
    @property
    def source(self) -> Source: ...

    generation: Generation
    internal: InternalAlerts
    logs: Handler


class Upkeep:
    """On the asyncio loop."""

    def __init__(
        self, sensor: _Sensor, statistics: Statistics, host: Host, *, descriptor: int | None, steps: Iterable[Callable[[], None]] = ()
    ) -> None:
        """Looks at what an earlier sensor has told.

        Args:
            sensor: the sensor.
            statistics: collects its counters.
            host: opens files.
            descriptor: of the file for the statistics; None for none.
            steps: what else is to be done each time, before.
        """
        self._sensor, self._statistics, self._descriptor = sensor, statistics, descriptor
        self._losses = Losses(sensor.internal.report, told=_told(descriptor))
        self._snapshots = Snapshots(sensor.internal, host)
        self._steps = [*steps, self.look]
        self._quarantined: set[str] = set()

    async def run(self, ended: asyncio.Event) -> None:
        """Until the event is set."""
        while not ended.is_set():
            for step in self._steps:
                try:
                    step()
                except Exception:  # noqa: BLE001  of a plugin's counters, say: never a reason to stop
                    _log.exception("the sensor could not look after itself")
            try:
                await asyncio.wait_for(ended.wait(), PAUSE)
            except TimeoutError:
                continue

    def look(self) -> None:
        """Once."""
        sensor, statistics = self._sensor, self._statistics
        values = statistics.collect()
        generation = sensor.generation
        config, source = generation.config, sensor.source.event_source
        self._losses.look(values["types"], generation.rules, source, config.event_loss)
        self._fields(values["fields"])
        self._snapshots.look(config.metrics_snapshots, statistics.samples)
        sensor.internal.flush()
        sensor.logs.tell()
        if self._descriptor is not None:
            statistics.write(self._descriptor, {**values, "losses_told": self._losses.told})

    def finish(self) -> None:
        """What is left to tell, at the end, before the outputs are closed."""
        sensor = self._sensor
        self._losses.finish(self._statistics.collect()["types"], sensor.generation.rules, sensor.source.event_source)
        sensor.internal.flush(final=True)

    def _fields(self, fields: Mapping[str, Mapping[str, Any]]) -> None:
        """Fields that are not called any more, or again."""
        report = self._sensor.internal.report
        for name, failure in fields.items():
            if failure["quarantined"] == (name in self._quarantined):
                continue
            _, _, field = name.partition(":")
            owner, failures, error, rules = failure["owner"], failure["failures"], failure["error"], list(failure["rules"])
            about = {"field.name": field, "field.failures": failures, "field.rules": rules, "plugin.distribution": owner}
            if failure["quarantined"]:
                self._quarantined.add(name)
                readers = ", ".join(rules) or "none"
                text = f"field {field} of {owner} failed {failures} times and is left alone for a while: {error}; read by: {readers}"
                report(QUARANTINED, text, fields={**about, "field.error": error})
                _log.warning("%s", text)
            else:
                self._quarantined.discard(name)
                report(RESTORED, f"field {field} of {owner} is called again", fields=about)


def _told(descriptor: int | None) -> dict[str, int]:
    """Event type -> lost events that an earlier sensor of this supervisor has reported."""
    if descriptor is None:
        return {}
    try:
        told = json.loads(os.pread(descriptor, MAX_STATISTICS, 0))["losses_told"]
        return {str(kind): int(number) for kind, number in told.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # it wrote none
