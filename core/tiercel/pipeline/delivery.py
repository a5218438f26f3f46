"""Delivery of alerts on the asyncio loop: one queue and task per output; a batch is acknowledged when every output is through with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tiercel.alert import Alert
from tiercel.errors import Permanent, Retry

if TYPE_CHECKING:
    from tiercel.components.enricher import Enricher
    from tiercel.components.output import Output
    from tiercel.pipeline.acks import Acks, Ticket

__all__ = ["Delivery", "OutputCounters"]

_log = logging.getLogger("tiercel.delivery")

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 30.0
BROKEN_TRIES: Final = 3
"""How often a batch is offered to an output that raises what it should not."""
QUARANTINE_AFTER: Final = 5
"""Batches in a row that an output breaks on before it is left out."""
AMEND_DEADLINE: Final = 1.0
"""Seconds that an enricher has for a batch."""


@dataclass(slots=True)
class OutputCounters:
    """Counters of one output: alerts, but for `retries` and `failures` (deliveries)."""

    sent: int = 0
    retries: int = 0
    refused: int = 0
    failures: int = 0
    dropped: int = 0
    quarantined: bool = False


@dataclass(slots=True)
class _Batch:
    alerts: Sequence[Alert]
    ticket: Ticket | None
    left: int


@dataclass(slots=True)
class _Lane:
    """One output with its queue."""

    name: str
    output: Output
    queue: asyncio.Queue[_Batch]
    counters: OutputCounters = field(default_factory=OutputCounters)
    broken: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Delivery:
    """Owns outputs and enrichers. All methods but `submit` are called on the loop."""

    def __init__(self, outputs: Mapping[str, Output], enrichers: Mapping[str, Enricher], acks: Acks) -> None:
        """Nothing is opened."""
        self._lanes = [_Lane(name, output, asyncio.Queue()) for name, output in outputs.items()]
        self._enrichers = dict(enrichers)
        self._acks = acks
        self._tasks: list[asyncio.Task[None]] = []
        self._unamended: asyncio.Queue[tuple[list[Alert], Ticket | None]] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop
        self._open = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Opens outputs, then enrichers; what was opened is closed again if one fails."""
        self._loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            for lane in self._lanes:
                stack.push_async_callback(lane.output.close)
                await lane.output.open()
            for enricher in self._enrichers.values():
                stack.push_async_callback(enricher.close)
                await enricher.open()
            self._open = stack.pop_all()
        self._tasks = [asyncio.create_task(self._work(lane), name=f"output {lane.name}") for lane in self._lanes]
        self._tasks.append(asyncio.create_task(self._amend(), name="enrichers"))

    def submit(self, alerts: list[Alert], ticket: Ticket | None = None) -> None:
        """Takes a batch from the detect thread; without a ticket, internal alerts from any thread, which no source waits for."""
        self._loop.call_soon_threadsafe(self._accept, alerts, ticket)

    def _accept(self, alerts: list[Alert], ticket: Ticket | None) -> None:
        if self._enrichers:
            self._unamended.put_nowait((alerts, ticket))
        else:
            self._enqueue(alerts, ticket)

    async def _amend(self) -> None:
        """Has the enrichers complete one batch after the other: alerts stay in order."""
        while True:
            alerts, ticket = await self._unamended.get()
            for enricher in self._enrichers.values():
                deadline = self._loop.time() + AMEND_DEADLINE
                for alert in alerts:
                    try:
                        async with asyncio.timeout_at(deadline):
                            await enricher.amend(alert)
                    except Exception as e:  # noqa: BLE001  a plugin that raises, or takes too long, never stops an alert
                        _log.warning("enricher %s: %s: %s", type(enricher).name, type(e).__name__, e)
            self._enqueue(alerts, ticket)
            self._unamended.task_done()

    def _enqueue(self, alerts: list[Alert], ticket: Ticket | None) -> None:
        batch = _Batch(alerts, ticket, len(self._lanes))
        for lane in self._lanes:
            lane.queue.put_nowait(batch)  # bounded by the tickets
        if not self._lanes and ticket is not None:
            self._acks.complete(ticket)

    async def _work(self, lane: _Lane) -> None:
        while True:
            batch = await lane.queue.get()
            async with lane.turn:
                await self._deliver(lane, batch.alerts)
            batch.left -= 1
            if not batch.left and batch.ticket is not None:
                self._acks.complete(batch.ticket)
            lane.queue.task_done()

    async def _deliver(self, lane: _Lane, alerts: Sequence[Alert]) -> None:
        counters, pause, broken = lane.counters, FIRST_PAUSE, 0
        while not counters.quarantined:
            try:
                await lane.output.deliver(alerts)
            except Retry as e:
                if not counters.retries:
                    _log.warning("output %s: %s; trying again until it works", lane.name, e)
                counters.retries += 1
                await asyncio.sleep(pause if e.after is None else e.after)
                pause = min(LONGEST_PAUSE, 2 * pause)
            except Permanent as e:
                refused = len(alerts) if e.refused is None else sum(alert.id in e.refused for alert in alerts)
                counters.refused += refused
                counters.sent += len(alerts) - refused
                _log.error("output %s: gave up %d alerts: %s", lane.name, refused, e)
                return
            except (Exception, asyncio.CancelledError) as e:
                if isinstance(e, asyncio.CancelledError) and (task := asyncio.current_task()) is not None and task.cancelling():
                    raise  # it is we who end
                counters.failures += 1
                broken += 1
                _log.error("output %s: %s: %s", lane.name, type(e).__name__, e)
                if broken >= BROKEN_TRIES:
                    lane.broken += 1
                    counters.quarantined = lane.broken >= QUARANTINE_AFTER
                    counters.dropped += len(alerts)
                    if counters.quarantined:
                        _log.error("output %s: failed on %d batches in a row; it gets no more alerts", lane.name, QUARANTINE_AFTER)
                    return
                await asyncio.sleep(pause)
            else:
                lane.broken = 0
                counters.sent += len(alerts)
                return
        counters.dropped += len(alerts)

    async def reopen(self) -> None:
        """Has every output open its files anew, between two batches."""
        for lane in self._lanes:
            async with lane.turn:
                try:
                    await lane.output.reopen()
                except Exception as e:  # noqa: BLE001  the old file stays in use
                    lane.counters.failures += 1
                    _log.error("output %s: not reopened: %s", lane.name, e)

    def counters(self) -> Mapping[str, OutputCounters]:
        """Output -> its counters."""
        return {lane.name: lane.counters for lane in self._lanes}

    async def finish(self, seconds: float) -> None:
        """Delivers what is queued, for at most some time, then closes everything. What is not delivered stays with the source."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.sleep(0)  # let batches that were just submitted arrive
                await self._unamended.join()
                for lane in self._lanes:
                    await lane.queue.join()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._open.aclose()
