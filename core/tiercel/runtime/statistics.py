"""Counters of a run: printed at the end, and written for ``tiercel rules explain`` while it runs."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tiercel.components.source import Decoder, Source
    from tiercel.engine.engine import Engine
    from tiercel.pipeline.delivery import Delivery
    from tiercel.pipeline.detect import Detector

__all__ = ["Statistics"]

COLUMNS: Final = ("seen", "dropped_process", "dropped_scalars", "dropped_place", "passed", "lost", "i386", "unjudged")


class _Sensor(Protocol):
    source: Source
    decoder: Decoder
    delivery: Delivery


class Statistics:
    """Collects the plain counters of all parts."""

    def __init__(self, sensor: _Sensor, detector: Detector, engine: Engine) -> None:
        """Keeps the parts."""
        self._sensor, self._detector, self._engine = sensor, detector, engine
        self._written = b""

    def collect(self) -> Mapping[str, Any]:
        """All counters, ready for JSON."""
        sensor = self._sensor
        return {
            "source": type(sensor.source).name,
            "types": sensor.source.counters(),
            "decoder": sensor.decoder.counters(),
            "events": self._detector.events,
            "alerts": self._detector.alerts,
            "rules": {name: dataclasses.asdict(c) for name, c in self._engine.counters().items()},
            "fields": {f"{s}:{n}": dataclasses.asdict(f) for (s, n), f in self._engine.failures().items()},
            "outputs": {name: dataclasses.asdict(c) for name, c in sensor.delivery.counters().items()},
        }

    def write(self, fd: int) -> None:
        """Replaces the file's content, if anything changed."""
        data = json.dumps(self.collect()).encode()
        if data != self._written:
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
