"""The detect thread: it owns source, decoder and engine, and does all of it synchronously.

raw batch -> events -> verdicts for the source, alerts for the outputs -> acknowledgement
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tiercel.alert import Alert
from tiercel.engine.engine import FieldFailures, RuleCounters
from tiercel.errors import UserError
from tiercel.event import RawBatch
from tiercel.plugins.calls import Late, Overdue, WrongType, within

if TYPE_CHECKING:
    from tiercel.components.source import Decoder, Replan, Source
    from tiercel.engine.engine import Engine
    from tiercel.pipeline.acks import Acks, Ticket
    from tiercel.plan import SourcePlan

__all__ = ["Detector", "PartFailed", "Swap"]

IDLE: Final = 1.0
"""Longest wait for records, seconds."""
WAKE_SECONDS: Final = 1.0
"""For `Source.wake`."""
MAX_BROKEN: Final = 5
"""Batches in a row that a decoder may break on before it counts as broken itself."""


class PartFailed(Exception):
    """Source or decoder cannot go on.

    Args:
        part: ``source`` or ``decoder``.
        error: what it raised.
    """

    def __init__(self, part: str, error: Exception) -> None:
        super().__init__(f"{part}: {error}")
        self.part, self.error = part, error


@dataclass(slots=True)
class Swap:
    """What takes the place of plan and engine between two batches.

    Attributes:
        of: the source that prepared it; another one that took its place knows nothing of it.
        plan: the plan.
        engine: judges events of records that were made under it.
        source: puts the plan in force in the source.
        decoder: the same in the decoder.
        done: is resolved when that has happened, or has failed.
    """

    of: Source
    plan: SourcePlan
    engine: Engine
    source: Replan
    decoder: Replan
    done: Future[None] = field(default_factory=Future)

    def discard(self) -> None:
        """It is not put in force."""
        self.source.discard()
        self.decoder.discard()


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
        broke: Callable[[Exception], None] | None = None,
    ) -> None:
        """Takes what has been built and opened.

        Args:
            source: opened source.
            decoder: opened decoder of its event source.
            plan: what both were opened with.
            engine: judges the events.
            acks: orders the acknowledgements.
            submit: hands the alerts of a batch over for delivery; its ticket is completed when they are safe.
            broke: is told why the rest of a batch was given up; without it, what is raised ends `run`.
        """
        self._source, self._decoder, self._plan, self._engine = source, decoder, plan, engine
        self._engines = {plan.generation: engine}
        self._past: dict[str, RuleCounters] = {}
        self._acks, self._submit, self._broke = acks, submit, broke
        self._broken = 0
        self._lock = threading.Lock()
        self._next: Swap | None = None
        self._ended = False
        self._events = 0
        self.alerts = 0
        self.beat = time.monotonic()
        """When the last batch was taken, an empty one included."""
        self.reading: float | None = None
        """Since when the source has been asked for a batch, told that one is safe, or to change its plan; None if it is not."""
        self.broken = 0
        """Batches whose rest was given up."""

    @property
    def plan(self) -> SourcePlan:
        """The plan in force."""
        return self._plan

    @property
    def events(self) -> int:
        """Events so far, with those that the decoder dropped because the known masks left no rule (`tiercel.KnownMasks`)."""
        return self._events + self._dismissed()

    def _dismissed(self) -> int:
        try:
            return self._decoder.counters().get("dismissed", 0)
        except Exception:  # noqa: BLE001  of a plugin; who collects the counters tells it
            return 0

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
            source, ended = self._source, self._ended
            if not ended:
                self._next = swap
        if ended:
            self._refuse(swap)
            return
        with contextlib.suppress(Exception):  # without it, the change comes after the longest wait for records
            within(WAKE_SECONDS, source.wake)

    def resume(self, source: Source, decoder: Decoder, engine: Engine) -> None:
        """Takes another source and decoder, opened with `plan`, and an engine for them; `run` may then be called again."""
        with self._lock:
            self._events += self._dismissed()
            self._source, self._decoder, self._ended, self._broken = source, decoder, False, 0
        self._engines = {-number: each for number, each in self._engines.items()}  # for what they counted
        self._engines[self._plan.generation] = self._engine = engine
        self._let_go()

    def run(self) -> None:
        """Until the source ends.

        Raises:
            PartFailed: source or decoder cannot go on.
        """
        try:
            self._run()
        except Overdue:
            since = time.monotonic() if self.reading is None else self.reading
            raise PartFailed("source", Late(round(time.monotonic() - since, 1))) from None
        except PartFailed as failed:
            if self._broke is None:
                raise failed.error from None
            raise
        finally:
            self.reading = None
            with self._lock:
                self._ended, swap, self._next = True, self._next, None
            if swap is not None:
                self._refuse(swap)

    def _run(self) -> None:
        source, decoder, acks = self._source, self._decoder, self._acks
        decode, now = decoder.decode, time.monotonic
        for record in _asked("source", source.journal):
            _asked("decoder", decoder.replay, record)
        while True:
            if self._next is not None:  # before the read: what is read afterwards says which plan it was made under
                self._change()
            wait = _asked("decoder", decoder.due) or IDLE
            self.reading = now()
            batch = _asked("source", source.read, wait)
            self.reading = None
            if batch is None:
                return
            if not isinstance(batch, RawBatch):
                raise PartFailed("source", WrongType(batch, "a tiercel.RawBatch or None"))
            alerts: list[Alert] = []
            failed = None
            self.beat = now()
            judge, verdict, evaluate = source.judge, self._plan.verdict, self._engine_of(batch.generation).evaluate
            try:
                for event in decode(batch):
                    if event.wants_verdict:
                        judge(event, verdict(event))
                    if event.type:
                        self._events += 1
                    found = evaluate(event)
                    if found:
                        alerts.extend(found)
                self._broken = 0
            except Exception as error:  # noqa: BLE001  of a plugin, or about its events
                failed = self._give_up(error)
            if alerts:
                self.alerts += len(alerts)
                self._submit(alerts, acks.open(batch.acknowledge or _nothing))
            elif batch.acknowledge is not None:
                self.reading = now()
                acks.passed(batch.acknowledge)
                self.reading = None
            if failed is not None:
                raise failed

    def _give_up(self, error: Exception) -> PartFailed | None:
        """The rest of a batch: what one record does to a decoder must not come again and again."""
        if self._broke is None:
            raise error
        self._broken += 1
        self.broken += 1
        self._broke(error)
        return PartFailed("decoder", error) if self._broken >= MAX_BROKEN else None

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
        if swap.of is not self._source:
            self._refuse(swap, "the source was opened anew meanwhile; try again")
            return
        self.reading = time.monotonic()
        try:
            swap.source.commit()
        except (Exception, Overdue) as e:  # whoever asked for it has to know; what was in force goes on
            swap.decoder.discard()
            late = isinstance(e, Overdue)
            swap.done.set_exception(UserError("the source did not put another plan in force in time; it is opened anew") if late else e)
            if late:
                raise
            return
        with self._lock:
            self._plan, self._engine = swap.plan, swap.engine
            self._engines[swap.plan.generation] = swap.engine
        try:
            _asked("decoder", swap.decoder.commit)
        finally:  # where it fails, both are opened anew with this plan
            swap.done.set_result(None)

    @staticmethod
    def _refuse(swap: Swap, why: str = "the source has ended") -> None:
        swap.discard()
        swap.done.set_exception(UserError(why))


def _asked(part: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        raise PartFailed(part, error) from error


def _nothing() -> None:
    """The source cannot deliver again."""
