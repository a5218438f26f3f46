"""The spool: one thread that owns the database. Everybody else leaves jobs for it, and takes alerts that it has put into memory.

A group of jobs is one transaction. If the disk does not take it, its alerts stay in memory, are delivered from there, and are offered to
the disk again from time to time: detection never waits for a disk that does not work.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from tiercel.alert import Alert
from tiercel.config.spool import SpoolSettings
from tiercel.reporting import Report, say_nothing
from tiercel.spool.database import DeadLetter
from tiercel.spool.disk import ERRORS, Disk
from tiercel.spool.jobs import Advance, Call, Job, Redeem, SpoolCounters, Stop, Submit, Taken
from tiercel.spool.keeper import GROUP, Keeper
from tiercel.spool.recent import Reader
from tiercel.spool.rows import Row, encode

__all__ = ["Spool"]

CURSOR_PAUSE: Final = 0.05
"""Seconds that the places of outputs may wait for a transaction: after a kill an output gets again what it got in this time."""
IDLE: Final = 1.0
"""Longest sleep, seconds: commands may have left a request."""

_log = logging.getLogger("tiercel.spool")


class Spool:
    """Keeps alerts; all methods are safe in all threads unless they say otherwise."""

    def __init__(self, directory: Path | None, settings: SpoolSettings | None = None, *, report: Report = say_nothing) -> None:
        """Opens nothing yet.

        Args:
            directory: where the database is; None keeps alerts in memory only.
            settings: budgets and the like; None for the defaults.
            report: makes internal alerts.
        """
        settings = settings or SpoolSettings()
        self._disk = Disk(directory, settings)
        self._keeper = Keeper(self._disk, settings, report)
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._stored: Callable[[], None] = lambda: None
        self._cursors_due: float | None = None
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def start(self, stored: Callable[[], None]) -> None:
        """Opens the database, if that is possible, and starts the thread.

        Args:
            stored: called on the thread when there are new alerts for outputs.
        """
        self._stored = stored
        self._keeper.save()
        self._thread.start()

    # ------------------------------------------------------------------------------------------------------- for others
    def submit(self, alerts: Sequence[Alert], done: Callable[[], None] | None = None) -> None:
        """Takes alerts; `done` is called on the spool's thread when they are safe, or as safe as they will be while the disk fails."""
        self._jobs.put(Submit(alerts, done))

    def attach(self, name: str) -> Future[Reader]:
        """The place of an output: where it was, or behind the last alert for one that is new."""
        return self.call(lambda: self._keeper.attach(name))

    def detach(self, reader: Reader) -> Future[None]:
        """The output is not in use any more; its place is remembered for a while."""
        return self.call(lambda: self._keeper.detach(reader))

    def take(self, reader: Reader, limit: int) -> Taken | None:
        """The next alerts of an output that are in memory, at most `limit`; None if they have to be fetched."""
        return self._keeper.places.take(reader, limit)

    def fetch(self, reader: Reader, limit: int) -> Future[Taken]:
        """The next alerts of an output from the disk, at most `limit`. The future may have `ERRORS` of `tiercel.spool.disk`."""
        return self.call(lambda: self._read(lambda: self._fetch(reader, limit)))

    def advance(self, reader: Reader, taken: Taken, changes: Mapping[str, str | None] | None = None) -> None:
        """The output has, or will never have, everything up to the end of what it took.

        Args:
            reader: of the output.
            taken: what it took.
            changes: of its memory, `Reader.memory`, written in one transaction with its place; None for a key that goes. They do not
                count if `Taken.epoch` has changed meanwhile: then the output begins with the memory as it is at the new place.
        """
        self._jobs.put(Advance(reader, taken, changes or {}))

    def remember(self, reader: Reader, epoch: int, changes: Mapping[str, str | None]) -> Future[None]:
        """Changes the memory of an output; resolved when that is on disk, with its place, or the disk takes nothing now."""
        return self.call(lambda: self._remember(reader, epoch, changes))

    def bury(self, reader: Reader, alerts: Sequence[Alert], reason: str) -> None:
        """Keeps alerts that the output will never accept. Call it before `advance`."""
        now = time.time_ns() // 1000
        for alert in alerts:
            self._jobs.put(DeadLetter(reader.name, alert, encode(alert), reason=reason, died=now))

    def letters(self, reader: Reader, limit: int) -> Future[list[tuple[int, Alert | None]]]:
        """Dead letters that an output is to get again, with their numbers. The future may have `ERRORS` of `tiercel.spool.disk`."""
        return self.call(lambda: self._read(lambda: self._letters(reader, limit)))

    def redeem(self, reader: Reader, numbers: Sequence[int]) -> None:
        """The output was given dead letters again. Call it after `bury` for those that it has refused again."""
        self._jobs.put(Redeem(reader, numbers))

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Has a function called on the thread, after all jobs that were left before."""
        future: Future[Any] = Future()
        self._jobs.put(Call(function, future))
        return future

    def counters(self) -> SpoolCounters:
        """The counters; their object is the spool's own."""
        return self._keeper.counters()

    def close(self) -> None:
        """Commits what there is and closes the database. What is submitted later is not kept."""
        self._jobs.put(Stop())
        self._thread.join()

    # ------------------------------------------------------------------------------------------------------- the thread
    def _run(self) -> None:
        stopped = False
        while not stopped:
            jobs = self._next_jobs()
            stopped = any(isinstance(job, Stop) for job in jobs)
            try:
                self._work(jobs, last=stopped)
                if self._keeper.chores():
                    self._stored()
            except Exception:  # noqa: BLE001  a bug of ours must not end the thread that detection waits for
                _log.exception("spool: a group of %d jobs failed", len(jobs))
        self._disk.close()

    def _next_jobs(self) -> list[Job]:
        wait = IDLE if self._cursors_due is None else max(0.0, self._cursors_due - time.monotonic())
        jobs: list[Job] = []
        alerts = 0
        try:
            jobs.append(self._jobs.get(timeout=wait) if wait else self._jobs.get_nowait())
            while alerts < GROUP:
                alerts += len(job.alerts) if isinstance(job := jobs[-1], Submit) else 1
                jobs.append(self._jobs.get_nowait())
        except queue.Empty:
            pass
        return jobs

    def _work(self, jobs: list[Job], *, last: bool) -> None:
        keeper = self._keeper
        rows: list[Row] = []
        done: list[Callable[[], None]] = []
        calls: list[Call] = []
        for job in jobs:
            if isinstance(job, Submit):
                rows += keeper.rows(job.alerts)
                if job.done is not None:
                    done.append(job.done)
            elif isinstance(job, Advance):
                if keeper.places.advance(job) and self._cursors_due is None:
                    self._cursors_due = time.monotonic() + CURSOR_PAUSE
            elif isinstance(job, DeadLetter):
                keeper.bury(job)
            elif isinstance(job, Redeem):
                keeper.redeem(job.reader, job.numbers)
            elif isinstance(job, Call):
                calls.append(job)
        try:
            due = self._cursors_due is not None and (last or time.monotonic() >= self._cursors_due)
            if rows or due or keeper.owes:
                self._cursors_due = None
                keeper.keep(rows)
        finally:
            for call in done:
                call()
        if rows:
            self._stored()
        for each in calls:
            if each.future.set_running_or_notify_cancel():
                try:
                    each.future.set_result(each.function())
                except Exception as error:  # noqa: BLE001  of who asked
                    each.future.set_exception(error)

    def _read(self, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except ERRORS as error:
            self._keeper.failed(error)
            raise

    def _fetch(self, reader: Reader, limit: int) -> Taken:
        taken = self._keeper.places.fetch(reader, limit, self._disk.database)
        damaged = taken.number - len(taken.rows)
        if damaged:
            self._keeper.counters().damaged += damaged
            _log.error("spool: %d alerts are damaged and were left out for output %s", damaged, reader.name)
        return taken

    def _letters(self, reader: Reader, limit: int) -> list[tuple[int, Alert | None]]:
        database = self._disk.database
        found = [] if database is None else database.again(reader.name, limit)
        if not found:
            reader.again = 0
        return found

    def _remember(self, reader: Reader, epoch: int, changes: Mapping[str, str | None]) -> None:
        if epoch == reader.epoch:
            reader.remember(changes)
            self._keeper.keep([])
