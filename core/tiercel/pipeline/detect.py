"""The detect thread: it owns source, decoder and engine, and does all of it synchronously.

raw batch -> events -> verdicts for the source, alerts for the outputs -> acknowledgement
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tiercel.alert import Alert
from tiercel.engine.engine import FieldFailures, RuleCounters
from tiercel.errors import UserError

if TYPE_CHECKING:
    from tiercel.components.source import Decoder, Replan, Source
    from tiercel.engine.engine import Engine
    from tiercel.pipeline.acks import Acks, Ticket
    from tiercel.plan import SourcePlan

__all__ = ["Detector", "Swap"]

IDLE: Final = 1.0
"""Longest wait for records, seconds."""


@dataclass(slots=True)
class Swap:
    """What takes the place of plan and engine between two batches.

    Attributes:
        plan: the plan.
        engine: judges events of records that were made under it.
        source: puts the plan in force in the source.
        decoder: the same in the decoder.
        done: is resolved when that has happened, or has failed.
    """

    plan: SourcePlan
    engine: Engine
    source: Replan
    decoder: Replan
    done: Future[None] = field(default_factory=Future)


class Detector:
    """One source with its decoder, judged by an engine. `run` is the body of the detect thread.

    After `swap`, records that were made under an earlier plan are judged by the engine of that plan, until no more of them come.
    """

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
        self._engines = {plan.generation: engine}
        self._past: dict[str, RuleCounters] = {}
        self._acks, self._submit = acks, submit
        self._lock = threading.Lock()
        self._next: Swap | None = None
        self._ended = False
        self._events = 0
        self.alerts = 0
        self.beat = time.monotonic()
        """When the last batch was taken, an empty one included."""

    @property
    def events(self) -> int:
        """Events so far, with those that the decoder dropped because the known masks left no rule (`tiercel.KnownMasks`)."""
        return self._events + self._decoder.counters().get("dismissed", 0)

    @property
    def generations(self) -> int:
        """Plans of which records may still come."""
        return len(self._engines)

    def rule_counters(self) -> Mapping[str, RuleCounters]:
        """Rule of the generation in force -> its counters since there is a rule of that name."""
        with self._lock:
            found = dict(self._engine.counters())
            others = [engine.counters() for engine in self._engines.values() if engine is not self._engine]
            for earlier in (self._past, *others):
                found |= {name: counters + earlier[name] for name, counters in found.items() if name in earlier}
            return found

    def field_failures(self) -> Mapping[tuple[str, str], FieldFailures]:
        """(Event source, computed field) -> its failures in the generation in force."""
        return self._engine.failures()

    def swap(self, swap: Swap) -> None:
        """Has the detect thread put another plan in force between two batches. Callable from any thread, one swap at a time."""
        with self._lock:
            if not self._ended:
                self._next = swap
                self._source.wake()
                return
        self._refuse(swap)

    def run(self) -> None:
        """Until the source ends."""
        try:
            self._run()
        finally:
            with self._lock:
                self._ended, swap, self._next = True, self._next, None
            if swap is not None:
                self._refuse(swap)

    def _run(self) -> None:
        source, decoder, acks = self._source, self._decoder, self._acks
        decode, now = decoder.decode, time.monotonic
        for record in source.journal():
            decoder.replay(record)
        while True:
            if self._next is not None:  # before the read: what is read afterwards says which plan it was made under
                self._change()
            batch = source.read(decoder.due() or IDLE)
            if batch is None:
                return
            alerts: list[Alert] = []
            self.beat = now()
            judge, verdict, evaluate = source.judge, self._plan.verdict, self._engine_of(batch.generation).evaluate
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

    def _engine_of(self, generation: int) -> Engine:
        """The engine for a batch. When all records are of the plan in force, engines of earlier ones are let go."""
        if generation:
            return self._engines.get(generation, self._engine)
        if len(self._engines) > 1:
            self._let_go()
        return self._engine

    def _let_go(self) -> None:
        """Forgets engines of earlier plans, but for what they counted of rules that there still are."""
        with self._lock:
            current = self._engine.counters()
            for engine in self._engines.values():
                if engine is not self._engine:
                    for name, counters in engine.counters().items():
                        self._past[name] = counters + self._past[name] if name in self._past else counters
            self._past = {name: counters for name, counters in self._past.items() if name in current}
            self._engines = {self._plan.generation: self._engine}

    def _change(self) -> None:
        with self._lock:
            swap, self._next = self._next, None
        assert swap is not None
        try:
            swap.source.commit()
        except Exception as e:  # noqa: BLE001  whoever asked for it has to know; what was in force goes on
            swap.decoder.discard()
            swap.done.set_exception(e)
            return
        swap.decoder.commit()
        with self._lock:
            self._plan, self._engine = swap.plan, swap.engine
            self._engines[swap.plan.generation] = swap.engine
        swap.done.set_result(None)

    @staticmethod
    def _refuse(swap: Swap) -> None:
        swap.source.discard()
        swap.decoder.discard()
        swap.done.set_exception(UserError("the source has ended"))


def _nothing() -> None:
    """The source cannot deliver again."""
