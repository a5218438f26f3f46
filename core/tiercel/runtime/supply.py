"""Source and decoder of a run: opened, read on the detect thread, and built and opened anew when one of them fails.

What goes wrong with them costs what came meanwhile, as far as the source cannot deliver it again; and never the sensor.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tiercel.errors import UserError
from tiercel.pipeline.detect import PartFailed
from tiercel.plugins.building import BuildError
from tiercel.plugins.calls import WrongType, apart, interrupt, within
from tiercel.plugins.hooks import describe
from tiercel.plugins.quarantine import QUARANTINED, RESTORED
from tiercel.reporting import Report

if TYPE_CHECKING:
    from tiercel.components.source import Decoder, Source
    from tiercel.engine.engine import Engine
    from tiercel.pipeline.detect import Detector
    from tiercel.plan import SourcePlan

__all__ = ["Supply", "SupplyCounters"]

OPEN_SECONDS: Final = 60.0
"""For `Source.open`, which may compile and load a program; and for `Decoder.open`, which may read the state of a host."""
CLOSE_SECONDS: Final = 5.0
STOP_SECONDS: Final = 5.0
"""For `Source.read` to end after `Source.stop`."""
READ_SECONDS: Final = 30.0
"""For one `Source.read`, which is asked to wait for a second at most."""
LOOK: Final = 1.0
"""Seconds between two looks at that."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
STEADY: Final = 60.0
"""Seconds without a failure after which the next one is the first again."""

_log = logging.getLogger("tiercel.source")


@dataclass(slots=True)
class SupplyCounters:
    """What went wrong with source and decoder.

    Attributes:
        failures: calls that raised, took too long, or returned what they may not.
        restarts: how often both were built and opened anew.
        opened: both are open.
    """

    failures: int = 0
    restarts: int = 0
    opened: bool = False


class Supply:
    """One source with its decoder."""

    def __init__(
        self, name: str, make: Callable[[], tuple[Source, Decoder]], *, owner: str, report: Report, opened: Callable[[bool], None]
    ) -> None:  # fmt: skip
        """Builds them, and opens nothing.

        Args:
            name: id of the source.
            make: builds both.
            owner: distribution and version of the source's plugin.
            report: makes internal alerts.
            opened: is told whether both are open; callable from any thread.

        Raises:
            tiercel.UserError: one cannot be built.
        """
        self.name, self._make, self._report, self._opened = name, make, report, opened
        self._about = {"source.id": name, "plugin.distribution": owner}
        self._whose = f"{name} of {owner}"
        self.source, self.decoder = make()
        self.counters = SupplyCounters()
        self._stopped = threading.Event()
        self._pause = FIRST_PAUSE
        self._since = 0.0
        self._thread: threading.Thread | None = None

    async def open(self, plan: SourcePlan) -> bool:
        """Opens both; tries again until that works, or `stop` is called.

        Returns:
            Whether they are open.

        Raises:
            tiercel.UserError: one says that it cannot work here.
        """
        task = asyncio.ensure_future(apart(None, self._open_first, plan))
        stopped = None
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK)
            if self._stopped.is_set():
                stopped = stopped or time.monotonic()
                if time.monotonic() - stopped > STOP_SECONDS and not task.done():
                    _log.error("source %s: open has not ended; it is left behind", self.name)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    return False
        task.result()
        return self.counters.opened

    async def run(self, detector: Detector, engine: Callable[[str], Engine]) -> None:
        """Has the detector run on a thread of its own until the source ends, with new instances after each failure.

        Args:
            detector: made with `source` and `decoder`, which are open.
            engine: makes an engine for the origin of a source.

        Raises:
            Exception: what is not the fault of source or decoder.
        """
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        failures: list[BaseException] = []

        def run() -> None:
            try:
                self._run(detector, engine)
            except BaseException as error:  # noqa: BLE001  for who waits
                failures.append(error)
            with contextlib.suppress(RuntimeError):  # it was left behind, and the loop has ended
                loop.call_soon_threadsafe(ended.set)

        thread = self._thread = threading.Thread(target=run, name="detect", daemon=True)
        thread.start()
        stopped = hung = None
        while not ended.is_set():
            now = time.monotonic()
            if self._stopped.is_set():
                stopped = stopped or now
                if now - stopped > STOP_SECONDS:
                    if hung is not None:
                        _log.error("source %s: has not ended %.0f s after it was stopped; it is left behind", self.name, now - stopped)
                        return
                    hung, stopped = now, now
                    interrupt(thread)
            elif detector.reading is not None and now - detector.reading > READ_SECONDS:
                if hung != detector.reading:
                    hung = detector.reading
                    self._tell("source", TimeoutError(f"read has not returned for {now - detector.reading:.0f} s"), "it is interrupted")
                interrupt(thread)
            try:
                await asyncio.wait_for(ended.wait(), LOOK)
            except TimeoutError:
                continue
        if failures:
            raise failures[0]

    def broke(self, error: Exception) -> None:
        """Takes what the rest of a batch was given up for; see `Detector`."""
        self.counters.failures += 1
        _log.error("source %s: the rest of a batch is given up: %s", self.name, describe(error), exc_info=error)

    def unacknowledged(self, error: Exception) -> None:
        """Takes what an acknowledgement raised; see `Acks`."""
        del error
        self.counters.failures += 1

    def stop(self) -> None:
        """Ends the reading. Callable on the main thread."""
        self._stopped.set()
        try:
            within(CLOSE_SECONDS, self.source.stop)
        except Exception as error:  # noqa: BLE001  of a plugin
            _log.error("source %s: not stopped: %s", self.name, describe(error))

    def close(self) -> None:
        """Closes the source; what it does wrong there only costs time."""
        self._is_open(False)
        try:
            within(CLOSE_SECONDS, self.source.close)
        except Exception as error:  # noqa: BLE001  nothing depends on it any more
            _log.warning("source %s: not closed: %s", self.name, describe(error))

    # ------------------------------------------------------------------------------------------------------------ on other threads
    def _open_first(self, plan: SourcePlan) -> None:
        try:
            self._open(plan)
        except Exception as error:
            if isinstance(error, UserError) and not isinstance(error, BuildError):
                raise
            self.counters.failures += 1
            self._again(plan, "source", error, lambda: None)

    def _open(self, plan: SourcePlan) -> None:
        within(OPEN_SECONDS, self.source.open, plan)
        within(OPEN_SECONDS, self.decoder.open, plan, self.source.snapshot)
        origin: object = self.source.origin
        if not isinstance(origin, str):
            raise WrongType(origin, "a str as origin", did="has")
        self._since = time.monotonic()
        self._is_open(True)

    def _run(self, detector: Detector, engine: Callable[[str], Engine]) -> None:
        def beat() -> None:
            detector.beat = time.monotonic()

        while True:
            try:
                detector.run()
            except PartFailed as failed:
                if self._stopped.is_set():
                    _log.warning("source %s: failed while it was stopped: %s", self.name, describe(failed.error))
                    return
                self.counters.failures += failed.part == "source"  # the decoder's were counted one by one
                self._again(detector.plan, failed.part, failed.error, beat)
            else:
                return
            if not self.counters.opened:
                return
            detector.resume(self.source, self.decoder, engine(self.source.origin))

    def _again(self, plan: SourcePlan, part: str, error: Exception, beat: Callable[[], None]) -> None:
        """Builds and opens others until that works, or `stop` is called."""
        if time.monotonic() - self._since > STEADY:
            self._pause = FIRST_PAUSE
        while True:
            self.close()
            self._tell(part, error, f"it is opened anew in {self._pause:.1f} s")
            if self._rest(self._pause, beat):
                return
            self._pause = min(LONGEST_PAUSE, 2 * self._pause)
            part = "source"
            try:
                self.source, self.decoder = self._make()
                self._open(plan)
            except Exception as again:  # noqa: BLE001  a passing lack of something, too
                self.counters.failures += 1
                error = again
            else:
                break
        self.counters.restarts += 1
        _log.info("source %s: works again", self.name)
        self._report(RESTORED, f"source {self._whose} is open again", fields=self._about)
        if self._stopped.is_set():  # it was another one that was told
            self.source.stop()

    def _is_open(self, value: bool) -> None:  # noqa: FBT001  an assignment
        self.counters.opened = value
        self._opened(value)

    def _rest(self, seconds: float, beat: Callable[[], None]) -> bool:
        """Whether it is over."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            beat()
            if self._stopped.wait(min(left, LOOK)):
                return True
        return False

    def _tell(self, part: str, error: Exception, then: str) -> None:
        message = f"{'' if part == 'source' else part + ' of '}source {self._whose} failed: {describe(error)}; {then}"
        _log.error("%s", message)
        self._report(QUARANTINED, message, fields={**self._about, "source.failures": self.counters.failures})
