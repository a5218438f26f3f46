"""Delivery of alerts: into the spool, and from there by one lane for each output on the asyncio loop.

detect thread -> spool commits, the batch is acknowledged -> each output takes what is new for it
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tiercel.alert import Alert
from tiercel.errors import UserError
from tiercel.pipeline.amending import Amender
from tiercel.pipeline.condition import OutputCounters
from tiercel.pipeline.enriching import Attendant, EnricherCounters
from tiercel.pipeline.lanes import Lane, words
from tiercel.plugins.building import BuildError
from tiercel.reporting import Report, say_nothing
from tiercel.spool.jobs import SpoolCounters

if TYPE_CHECKING:
    from tiercel.components.enricher import Enricher
    from tiercel.components.output import Output
    from tiercel.config.build import Planned
    from tiercel.pipeline.acks import Acks, Ticket
    from tiercel.spool.store import Spool

__all__ = ["Delivery", "OutputCounters", "Receivers"]

CLOSE_SECONDS: Final = 5.0
LOOK: Final = 0.01
"""Seconds between two looks whether outputs have everything."""

_log = logging.getLogger("tiercel.delivery")


@dataclass(frozen=True, slots=True)
class Receivers:
    """What alerts go to: `tiercel.config.build.planned` makes both.

    Attributes:
        outputs: by id.
        enrichers: by id, in the order in which they complete an alert.
        labels: fields that every alert gets.
    """

    outputs: Mapping[str, Planned[Output]]
    enrichers: Mapping[str, Planned[Enricher]]
    labels: Mapping[str, str] = field(default_factory=dict)


class Delivery:
    """Owns outputs and enrichers. All methods but `submit` are called on the loop."""

    def __init__(self, spool: Spool, receivers: Receivers, acks: Acks, *, timeout: float = 30.0, report: Report = say_nothing) -> None:
        """Opens nothing.

        Args:
            spool: where alerts are kept; `start` starts it, `finish` closes it.
            receivers: outputs and enrichers to begin with.
            acks: orders the acknowledgements.
            timeout: seconds that an output has for a batch.
            report: makes internal alerts.
        """
        self._spool, self._receivers, self._acks = spool, receivers, acks
        self._labels = receivers.labels
        self._timeout, self._report = timeout, report
        self._lanes: dict[str, Lane] = {}
        self._enrichers: dict[str, Attendant] = {}
        self._amender = Amender({})
        self._loop: asyncio.AbstractEventLoop
        self._waking = False

    async def start(self) -> None:
        """Starts the spool, opens outputs, then enrichers. One that cannot be opened now, but later maybe, is tried again.

        Raises:
            tiercel.UserError: one says that it cannot work; what was opened is closed again.
        """
        self._loop = asyncio.get_running_loop()
        self._spool.start(self._stored)
        try:
            await self.replace(self._receivers)
        except BaseException:
            self._spool.close()
            raise

    async def replace(self, receivers: Receivers) -> None:
        """Uses other outputs and enrichers from now on. Those of the same id and the same options stay open and at work.

        New ones are opened first; then those that are not wanted any more get what is still theirs, within some seconds, and are closed.
        An output that comes back later goes on where it was, as long as the spool has what follows.

        Raises:
            tiercel.UserError: a new one says that it cannot work; all is as it was.
        """
        lanes = {name: lane for name, lane in self._lanes.items() if _same(lane.planned, receivers.outputs.get(name))}
        fresh = [
            Lane(name, planned, self._spool, timeout=self._timeout, report=self._report)
            for name, planned in receivers.outputs.items()
            if name not in lanes
        ]
        await self._open_lanes(fresh)
        enrichers = {
            name: known
            if (known := self._enrichers.get(name)) is not None and _same(known.planned, planned)
            else Attendant(name, planned, report=self._report)
            for name, planned in receivers.enrichers.items()
        }
        opened = [enricher for name, enricher in enrichers.items() if enricher is not self._enrichers.get(name)]
        try:
            await _all(enricher.open() for enricher in opened)
        except BaseException:
            await _all(enricher.close() for enricher in opened)
            await _all(lane.close() for lane in fresh)
            raise
        self._labels = receivers.labels
        await self._change(lanes, fresh, enrichers, order=list(receivers.outputs))

    async def _open_lanes(self, lanes: Sequence[Lane]) -> None:
        errors = await asyncio.gather(*(lane.open() for lane in lanes), return_exceptions=True)
        for lane, error in zip(lanes, errors, strict=True):
            if error is not None and not _is_mistake(error):
                _log.warning("output %s: not opened (%s); trying again until it works", lane.name, words(error))
        wrong = next((error for error in errors if error is not None and _is_mistake(error)), None)
        if wrong is not None:
            await _all(lane.close() for lane in lanes)
            raise wrong

    async def _change(
        self, lanes: dict[str, Lane], fresh: Sequence[Lane], enrichers: dict[str, Attendant], *, order: Sequence[str]
    ) -> None:  # fmt: skip
        """Puts new lanes to work, and ends those that are not wanted any more."""
        gone = {name: lane for name, lane in self._lanes.items() if name not in lanes}
        old_enrichers = [enricher for name, enricher in self._enrichers.items() if enrichers.get(name) is not enricher]
        if enrichers != self._enrichers or not self._lanes:
            self._amender = Amender(enrichers)
        await self._drain(gone.values(), CLOSE_SECONDS)
        await _all(lane.stop() for lane in gone.values())
        for lane in gone.values():
            await lane.detach()
        for lane in fresh:
            await lane.attach()
            lane.start(self._amender)
        for lane in lanes.values():
            lane.use(self._amender)
        by_name = {**lanes, **{lane.name: lane for lane in fresh}}
        self._lanes = {name: by_name[name] for name in order}
        self._enrichers = enrichers
        await _all(enricher.close() for enricher in old_enrichers)
        for lane in self._lanes.values():
            lane.wake()

    def submit(self, alerts: Sequence[Alert], ticket: Ticket | None = None) -> None:
        """Takes alerts from any thread, labels them, and completes the ticket when they are safe. Never waits."""
        if labels := self._labels:
            for alert in alerts:
                alert.fields.update(labels)
        self._spool.submit(alerts, None if ticket is None else lambda: self._acks.complete(ticket))

    def _stored(self) -> None:
        """On the spool's thread."""
        if not self._waking:
            self._waking = True
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._waking = False
        for lane in self._lanes.values():
            lane.wake()

    async def reopen(self) -> None:
        """Has every output open its files anew, between two deliveries."""
        await asyncio.gather(*(lane.reopen() for lane in self._lanes.values()))

    def counters(self) -> Mapping[str, OutputCounters]:
        """Output -> its counters."""
        return {name: lane.counters() for name, lane in self._lanes.items()}

    def own_counters(self) -> Mapping[str, Callable[[], Mapping[str, int]]]:
        """Output -> its `tiercel.Output.counters`, to be called with care."""
        return {name: lane.output.counters for name, lane in self._lanes.items() if lane.output is not None}

    def enricher_counters(self) -> Mapping[str, EnricherCounters]:
        """Enricher -> its counters."""
        return self._amender.counters()

    def spool_counters(self) -> SpoolCounters:
        """Counters of the spool."""
        return self._spool.counters()

    async def finish(self, seconds: float) -> None:
        """Delivers what is in the spool, for at most some time, then closes everything. What an output does not have stays in the spool."""
        await self._drain(self._lanes.values(), seconds)
        await _all(lane.stop() for lane in self._lanes.values())
        await _all(enricher.close() for enricher in self._enrichers.values())
        await asyncio.to_thread(self._spool.close)

    async def _drain(self, lanes: Collection[Lane], seconds: float) -> None:
        """Waits until outputs, about to be closed, have everything, or fail, but not for longer than some seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.wrap_future(self._spool.call(lambda: None))  # what was submitted is in the spool by then
                for lane in lanes:
                    lane.end()
                while not all(lane.idle.is_set() or lane.failing for lane in lanes):  # noqa: ASYNC110  of many, either of two
                    await asyncio.sleep(LOOK)


def _same(one: Planned[Output] | Planned[Enricher], other: Planned[Output] | Planned[Enricher] | None) -> bool:
    return other is not None and one.options == other.options


def _is_mistake(error: BaseException) -> bool:
    """Of the user, who has to know; not of a plugin."""
    return isinstance(error, UserError) and not isinstance(error, BuildError)


async def _all(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Awaits all, at once: one that takes its time does not add to that of the others.

    Raises:
        BaseException: the first that one raised, when all have ended.
    """
    for error in await asyncio.gather(*calls, return_exceptions=True):
        if error is not None:
            raise error
