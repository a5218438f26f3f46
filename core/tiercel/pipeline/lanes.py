"""One output at work: takes alerts from the spool in order, has them completed, delivers them, and only then moves its place on.

What is not for this output, and what comes as part of a summary, is decided by `tiercel.pipeline.rollup`.

What an output does wrong holds up this output alone: it is tried again later, left alone for a while, or its alerts become dead letters.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tiercel.errors import Permanent, Retry
from tiercel.pipeline.condition import Condition, OutputCounters
from tiercel.pipeline.rollup import Shaper
from tiercel.pipeline.routing import Router
from tiercel.plugins.building import FormatError
from tiercel.plugins.calls import FROM_CONFIG_SECONDS, Blocked, Late, apart, asked
from tiercel.plugins.quarantine import CLOSE_SECONDS, FIRST_QUARANTINE, LONGEST_QUARANTINE, OPEN_SECONDS, explained
from tiercel.spool.disk import ERRORS
from tiercel.spool.jobs import Taken

if TYPE_CHECKING:
    from tiercel.alert import Alert
    from tiercel.components.output import Output
    from tiercel.config.build import Planned
    from tiercel.pipeline.amending import Amender
    from tiercel.reporting import Report
    from tiercel.spool.recent import Reader
    from tiercel.spool.store import Spool

__all__ = ["Lane", "words"]

BATCH: Final = 500
"""Alerts that an output gets at once, at most."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 30.0
LONGEST_WISH: Final = 3600.0
"""Seconds that an output may ask for by `Retry(after)`."""
BROKEN_TRIES: Final = 3
"""How often in a row an output may raise what it should not before it is left alone for a while."""
QUARANTINES: Final = 3
"""How often an output may be left alone because of one and the same alert; then that is a dead letter."""
ADVANCE_PAUSE: Final = 0.05
"""Seconds for which alerts that are only counted may wait until their place, and the counts, are saved: these are many texts then."""
MICROSECOND: Final = 1000
"""Nanoseconds: `Row.seq` is the time at which an alert came, in microseconds."""

_log = logging.getLogger("tiercel.delivery")


class Lane:
    """One output. All methods are called on the asyncio loop."""

    def __init__(self, name: str, planned: Planned[Output], spool: Spool, *, timeout: float, report: Report) -> None:
        """Opens nothing.

        Args:
            name: id of the output.
            planned: the output.
            spool: where alerts come from.
            timeout: seconds that it has for a batch.
            report: makes internal alerts.
        """
        self.name, self.planned = name, planned
        self.output = planned.component
        self.idle = asyncio.Event()
        self._spool, self._timeout = spool, timeout
        self._reader: Reader
        self._counters = OutputCounters()
        self._condition = Condition(name, self._counters, report, owner=planned.owner)
        self._amender: Amender
        self._new = asyncio.Event()
        self._nudged = asyncio.Event()
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._shaper: Shaper
        self._epoch = -1
        self._absorbed: Taken | None = None
        self._next_advance = 0.0
        self._ending = False
        self._first: Alert | None = None

    # ------------------------------------------------------------------------------------------------------- for Delivery
    async def open(self) -> None:
        """Opens the output.

        Raises:
            tiercel.UserError: it says that it cannot work.
            Exception: it failed in a way that may pass: the lane can be started, and tries again.
        """
        async with self._turn:
            await asked(OPEN_SECONDS, self._output.open)
        self._counters.opened = True

    async def attach(self) -> None:
        """Takes its place in the spool: from now on everything is for it."""
        self._reader = await asyncio.wrap_future(self._spool.attach(self.name))

    def start(self, amender: Amender) -> None:
        """Begins to deliver."""
        self._amender = amender
        self._task = asyncio.create_task(self._run(), name=f"output {self.name}")

    def use(self, amender: Amender) -> None:
        """Enrichers from the next batch on."""
        self._amender = amender

    def wake(self) -> None:
        """There may be new alerts."""
        self.idle.clear()
        self._new.set()

    def end(self) -> None:
        """Nothing more will come: what is counted for a summary is delivered once everything else is."""
        self._ending = True
        self.wake()

    async def reopen(self) -> None:
        """Has the output open its files anew, between two deliveries, and tries again at once what failed."""
        if not self._counters.opened:
            self._nudged.set()
            return
        async with self._turn:
            try:
                await asked(OPEN_SECONDS, self._output.reopen)
            except Exception as error:  # noqa: BLE001  the old file stays in use
                self._counters.failures += 1
                _log.warning("output %s: not reopened: %s", self.name, words(error))
        self._nudged.set()

    async def stop(self) -> None:
        """Ends delivery where it is, and closes the output."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.close()

    async def close(self) -> None:
        """Closes the output; what it does wrong there only costs time."""
        self._counters.opened = False
        if self.output is None:
            return
        try:
            await asked(CLOSE_SECONDS, self.output.close)
        except Exception as error:  # noqa: BLE001  nothing depends on it any more
            _log.warning("output %s: not closed: %s", self.name, words(error))

    async def detach(self) -> None:
        """Gives its place in the spool up; it is remembered for a while."""
        await asyncio.wrap_future(self._spool.detach(self._reader))

    def counters(self) -> OutputCounters:
        """The counters."""
        counters, reader, first = self._counters, self._reader, self._first
        counters.evicted, counters.behind = reader.evicted, max(0, reader.behind)
        counters.lag_seconds = 0.0 if first is None else round(max(0.0, time.time() - first.time / 1e9), 3)
        return counters

    @property
    def failing(self) -> bool:
        """Its last delivery was not accepted."""
        return self._condition.failing

    @property
    def _output(self) -> Output:
        if self.output is None:
            assert self.planned.problem is not None
            raise self.planned.problem
        return self.output

    # ------------------------------------------------------------------------------------------------------------- the task
    async def _run(self) -> None:
        if not self._counters.opened:
            await self._open_later()
        await self._remember()
        while True:
            taken = await self._next()
            if taken is None:
                self._shaper.close(None if self._ending else time.time_ns())
                await self._summarise()
                continue
            if taken.epoch != self._epoch:
                await self._remember()
            if taken.epoch == self._epoch:
                await self._handle(taken)

    async def _handle(self, taken: Taken) -> None:
        """Delivers what is to be delivered of new alerts, and moves the place on. As long as there is nothing, that can wait a little."""
        shaper = self._shaper
        alerts = [each for row in taken.rows for each in shaper.take(row.seq * MICROSECOND, row.alert)]
        absorbed = 0 if self._absorbed is None else self._absorbed.number
        self._absorbed = Taken(taken.epoch, taken.last, absorbed + taken.number, [])
        if alerts or time.monotonic() >= self._next_advance:
            await self._complete(alerts)
            self._advance()

    def _advance(self) -> None:
        taken, self._absorbed = self._absorbed, None
        if taken is not None:
            self._spool.advance(self._reader, taken, self._shaper.changes())
            self._next_advance = time.monotonic() + ADVANCE_PAUSE

    async def _remember(self) -> None:
        """Takes up what was saved with its place in the spool: it has just begun, or was set to another place."""
        reader = self._reader
        self._absorbed = None
        self._epoch, saved = await asyncio.wrap_future(self._spool.call(lambda: (reader.epoch, dict(reader.memory))))
        core = self.planned.core
        self._shaper = Shaper(
            self.name,
            router=Router(core.get("route", ()), core.get("unless", ())),
            roll_up=core.get("roll_up"),
            rate_limit=core.get("rate_limit"),
            saved=saved,
            counters=self._counters,
        )
        await self._summarise()

    async def _summarise(self) -> None:
        """Delivers the summaries that are due; each is saved before, so that it is the same one after a kill."""
        while summaries := self._shaper.pending[:BATCH]:
            await self._save()
            await self._complete(summaries)
            self._shaper.delivered(summaries)
        await self._save()

    async def _save(self) -> None:
        if changes := self._shaper.changes():
            await asyncio.wrap_future(self._spool.remember(self._reader, self._epoch, changes))

    async def _complete(self, alerts: Sequence[Alert]) -> None:
        if alerts:
            self._first = alerts[0]
            await self._deliver(await self._amender.amend(alerts))
            self._first = None

    async def _next(self) -> Taken | None:
        """The next alerts, waits for them; None if there are none, and a summary is due."""
        while True:
            self._new.clear()
            taken = self._spool.take(self._reader, BATCH)
            if taken is None:
                try:
                    taken = await asyncio.wrap_future(self._spool.fetch(self._reader, BATCH))
                except ERRORS:
                    await asyncio.sleep(1)  # the spool says what is wrong
                    continue
                if taken.number:
                    return taken
                continue  # what is behind it is in memory
            if taken.number:
                return taken
            if self._reader.again:
                await self._deliver_again()
                continue
            self._advance()
            deadline = self._shaper.deadline
            wait = None if deadline is None else (deadline - time.time_ns()) / 1e9
            if wait is not None and (self._ending or wait <= 0):
                self.idle.clear()
                return None
            self.idle.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._new.wait()

    async def _deliver_again(self) -> None:
        """Delivers dead letters that somebody wants to be tried again."""
        try:
            letters = await asyncio.wrap_future(self._spool.letters(self._reader, BATCH))
        except ERRORS:
            await asyncio.sleep(1)
            return
        alerts = [alert for _, alert in letters if alert is not None]
        if alerts:
            await self._deliver(alerts)
        self._spool.redeem(self._reader, [number for number, _ in letters])

    async def _open_later(self) -> None:
        """Tries to open the output until that works, each time another instance: each is opened once at most."""
        pause = FIRST_PAUSE
        while not self._counters.opened:
            self._condition.failing = True
            await self._rest(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)
            await self.close()
            try:
                self.output = await apart(FROM_CONFIG_SECONDS, self.planned.make)
                await self.open()
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  of a plugin
                _raise_own(error)
                self._counters.retries += 1
                self._is_down(error)
        self._condition.works()

    async def _deliver(self, alerts: Sequence[Alert]) -> None:
        """Returns when each alert was accepted, or is a dead letter."""
        parts = [alerts]
        broken = quarantines = 0
        pause, quarantine = FIRST_PAUSE, FIRST_QUARANTINE
        while parts:
            part = parts[-1]
            try:
                async with self._turn:
                    await asked(self._timeout, self._output.deliver, part)
            except (Retry, Late) as error:
                self._counters.retries += 1
                self._counters.timeouts += isinstance(error, Late)
                self._is_down(error)
                if isinstance(error, Blocked):  # each try holds everybody up
                    await self._quarantine(quarantine, words(error))
                    quarantine = min(LONGEST_QUARANTINE, 2 * quarantine)
                    continue
                wish = error.after if isinstance(error, Retry) else None
                await (self._rest(pause) if wish is None else self._rest(min(max(0.0, wish), LONGEST_WISH), at_least=True))
                pause = min(LONGEST_PAUSE, 2 * pause)
                continue
            except Permanent as error:
                parts.pop()
                refused = part if error.refused is None else [alert for alert in part if alert.id in error.refused]
                self._counters.sent += len(part) - len(refused)
                self._bury(refused, str(error))
                self._condition.works()
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  of a plugin
                _raise_own(error)
                self._counters.failures += 1
                broken += 1
                _log.warning("output %s: %s", self.name, words(error))
                if broken < BROKEN_TRIES:
                    await self._rest(pause)
                    continue
                broken = 0
                quarantines += len(part) == 1
                if quarantines >= QUARANTINES:
                    quarantines = 0
                    parts.pop()
                    self._bury(part, f"the output broke on it: {words(error)}")
                    continue
                if len(part) > 1:  # the first one alone: it may be at fault
                    parts[-1:] = [part[1:], part[:1]]
                await self._quarantine(quarantine, f"failed {BROKEN_TRIES} times: {words(error)}")
                quarantine = min(LONGEST_QUARANTINE, 2 * quarantine)
                continue
            else:
                parts.pop()
                self._counters.sent += len(part)
                broken = quarantines = 0
                self._condition.works()
            pause = FIRST_PAUSE

    async def _quarantine(self, seconds: float, what: str) -> None:
        self._condition.quarantined(what, seconds)
        await self._rest(seconds)

    def _bury(self, alerts: Sequence[Alert], reason: str) -> None:
        self._spool.bury(self._reader, alerts, reason)
        tell = all(alert.source != "internal" for alert in alerts)  # or it would refuse what says so, and so on
        self._condition.refused(len(alerts), reason, tell=tell)

    def _is_down(self, error: BaseException) -> None:
        self._condition.down(words(error), behind=self._reader.behind)

    async def _rest(self, seconds: float, *, at_least: bool = False) -> None:
        """Waits a little more, or less, so that not all sensors come back to a server at once; not longer than until `reopen`."""
        self._nudged.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds * random.uniform(1.0 if at_least else 0.75, 1.25)):  # noqa: S311  not secret
                await self._nudged.wait()


def _raise_own(error: BaseException) -> None:
    """Raises a cancellation that is ours, and not one that a plugin made up."""
    if isinstance(error, asyncio.CancelledError) and (task := asyncio.current_task()) is not None and task.cancelling():
        raise error


def words(error: BaseException) -> str:
    """What went wrong with an output, for people."""
    return explained(error, Retry, Permanent, FormatError)
