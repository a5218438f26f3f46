"""Counters of a run: printed at the end, written for other commands while it runs, and shown as metrics."""

from __future__ import annotations

import dataclasses
import json
import operator
import os
import platform
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from tiercel.engine.engine import RuleCounters
from tiercel.runtime.metrics import samples
from tiercel.runtime.reported import Reported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tiercel.components.source import Decoder, Source
    from tiercel.pipeline.delivery import Delivery
    from tiercel.pipeline.detect import Detector
    from tiercel.pipeline.internal import InternalAlerts
    from tiercel.runtime.endpoint import Endpoint
    from tiercel.runtime.exposition import Sample
    from tiercel.runtime.generation import Generation
    from tiercel.runtime.health import Health
    from tiercel.runtime.logs import Handler
    from tiercel.runtime.reload import ReloadCounters
    from tiercel.runtime.supply import Supply

__all__ = ["Statistics"]

RULE: Final = tuple(each.name for each in dataclasses.fields(RuleCounters))
_of_rule: Final = operator.attrgetter(*RULE)  # `dataclasses.asdict` takes ten times as long, and there may be thousands of rules
COLUMNS: Final = ("seen", "dropped_process", "dropped_scalars", "dropped_place", "passed", "lost", "i386", "unjudged")


class _Sensor(Protocol):
    @property
    def source(self) -> Source: ...
    @property
    def decoder(self) -> Decoder: ...

    supply: Supply
    delivery: Delivery
    generation: Generation
    internal: InternalAlerts
    logs: Handler
    endpoint: Endpoint
    health: Health
    restarts: int

    @property
    def reloads(self) -> ReloadCounters | None: ...


class Statistics:
    """Collects the plain counters of all parts."""

    def __init__(self, sensor: _Sensor, detector: Detector) -> None:
        """Keeps the parts."""
        self._started = time.time()
        self._about = {"version": version("tiercel"), "python": platform.python_version(), "kernel": os.uname().release, "pid": os.getpid()}
        self._sensor, self._detector = sensor, detector
        self._reported = Reported()
        self._written = b""

    def collect(self) -> Mapping[str, Any]:
        """All counters, ready for JSON."""
        sensor, reported = self._sensor, self._reported
        values = {
            **self._about,
            "started": self._started,
            "restarts": sensor.restarts,
            "ready": sensor.health.parts(),
            "generation": sensor.generation.number,
            "reloads": None if sensor.reloads is None else dataclasses.asdict(sensor.reloads),
            "event_source": sensor.source.event_source,
            "source": type(sensor.source).name,
            "types": reported.by_type(f"source {type(sensor.source).name}", sensor.source.counters),
            "decoder": reported.numbers(f"decoder {type(sensor.decoder).name}", sensor.decoder.counters),
            "supply": {**dataclasses.asdict(sensor.supply.counters), "broken": self._detector.broken},
            "events": self._detector.events,
            "alerts": self._detector.alerts,
            "rules": {name: dict(zip(RULE, _of_rule(c), strict=True)) for name, c in self._detector.rule_counters().items()},
            "fields": {f"{s}:{n}": dataclasses.asdict(f) for (s, n), f in self._detector.field_failures().items()},
            "outputs": {name: dataclasses.asdict(c) for name, c in sensor.delivery.counters().items()},
            "output_values": {name: reported.numbers(f"output {name}", asked) for name, asked in sensor.delivery.own_counters().items()},
            "enrichers": {name: dataclasses.asdict(c) for name, c in sensor.delivery.enricher_counters().items()},
            "spool": dataclasses.asdict(sensor.delivery.spool_counters()),
            "internal": {rule: dataclasses.asdict(c) for rule, c in sensor.internal.counters().items()},
            "unreported": reported.failures,
            "log": dict(sensor.logs.counts),
            "endpoint": {each: getattr(sensor.endpoint, each) for each in ("address", "problem", "requests", "refused")},
        }
        for part, key in _quoting(values):
            part[key] = sensor.logs.clean(part[key])
        return values

    def samples(self) -> Iterator[Sample]:
        """All metrics: the counters, and what is only looked at when somebody asks."""
        about = {rule.name: {"priority": rule.priority.label, "source": rule.source} for rule in self._sensor.generation.rules}
        return samples({**self.collect(), "about_rules": about, "beat": self._detector.beat})

    def write(self, fd: int, values: Mapping[str, Any]) -> None:
        """Replaces the file's content, if anything changed, by values of `collect`. Its time says that the sensor goes on."""
        data = _as_json(values)
        if data == self._written:
            os.pwrite(fd, data[:1], 0)  # not utime(2): the file is root's
        else:
            self._written = data
            stamped = data[:-1] + f', "time": {time.time():.0f}}}\n'.encode()
            os.pwrite(fd, stamped, 0)
            os.ftruncate(fd, len(stamped))

    def text(self) -> str:
        """The counters as a person reads them."""
        values = self.collect()
        lines = [f"events judged in Python {values['events']}, alerts {values['alerts']}"]
        lines.append(f"{'event type':<12}" + "".join(f"{c.replace('dropped_', '-'):>12}" for c in COLUMNS))
        for kind, counters in sorted(values["types"].items()):
            lines.append(f"{kind:<12}" + "".join(f"{counters.get(c, 0):>12}" for c in COLUMNS))
        lines.append("decoder: " + ", ".join(f"{k} {v}" for k, v in values["decoder"].items()))
        for name, counters in values["rules"].items():
            shown = {k: v for k, v in counters.items() if v and not k.startswith("by_") and k != "nanoseconds"}
            if shown:
                lines.append(f"rule {name}: " + ", ".join(f"{k} {v}" for k, v in shown.items()))
        for name, failure in values["fields"].items():
            lines.append(f"field {name} of {failure['owner']}: failed {failure['failures']} times, last: {failure['error']}")
        for name, counters in values["outputs"].items():
            lines.append(f"output {name}: " + ", ".join(f"{k} {v}" for k, v in counters.items() if v))
        return "\n".join(lines)


def _as_json(values: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(values)
    except TypeError:  # names that are no UTF-8
        return json.dumps(values).encode()


def _quoting(values: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where there are texts that may quote plugins and servers."""
    yield from ((failure, "error") for failure in values["fields"].values())
    yield values["spool"], "problem"
    if values["reloads"] is not None:
        yield values["reloads"], "error"
