"""The detect thread: it owns source, decoder and engine, and does all of it synchronously.

raw batch -> events -> verdicts for the source, alerts for the outputs -> acknowledgement
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tiercel.alert import Alert

if TYPE_CHECKING:
    from tiercel.components.source import Decoder, Source
    from tiercel.engine.engine import Engine
    from tiercel.pipeline.acks import Acks, Ticket
    from tiercel.plan import SourcePlan

__all__ = ["Detector"]

IDLE: Final = 1.0
"""Longest wait for records, seconds."""


class Detector:
    """One source with its decoder, judged by an engine. `run` is the body of the detect thread."""

    def __init__(
        self,
        source: Source,
        decoder: Decoder,
        plan: SourcePlan,
        engine: Engine,
        *,
        acks: Acks,
        submit: Callable[[list[Alert], Ticket], None],
    ) -> None:
        """Takes what has been built and opened.

        Args:
            source: opened source.
            decoder: opened decoder of its event source.
            plan: what both were opened with.
            engine: judges the events.
            acks: orders the acknowledgements.
            submit: hands the alerts of a batch over for delivery; its ticket is completed when they are safe.
        """
        self._source, self._decoder, self._plan, self._engine = source, decoder, plan, engine
        self._acks, self._submit = acks, submit
        self._events = 0
        self.alerts = 0
        self.beat = time.monotonic()
        """When the last batch was taken, an empty one included."""

    @property
    def events(self) -> int:
        """Events so far, with those that the decoder dropped because the known masks left no rule (`tiercel.KnownMasks`)."""
        return self._events + self._decoder.counters().get("dismissed", 0)

    def run(self) -> None:
        """Until the source ends."""
        source, decoder, acks = self._source, self._decoder, self._acks
        judge, verdict, evaluate, decode = source.judge, self._plan.verdict, self._engine.evaluate, decoder.decode
        now = time.monotonic
        for record in source.journal():
            decoder.replay(record)
        while (batch := source.read(decoder.due() or IDLE)) is not None:
            alerts: list[Alert] = []
            self.beat = now()
            for event in decode(batch):
                if event.wants_verdict:
                    judge(event, verdict(event))
                if event.type:
                    self._events += 1
                found = evaluate(event)
                if found:
                    alerts.extend(found)
            if alerts:
                self.alerts += len(alerts)
                self._submit(alerts, acks.open(batch.acknowledge or _nothing))
            elif batch.acknowledge is not None:
                acks.passed(batch.acknowledge)


def _nothing() -> None:
    """The source cannot deliver again."""
