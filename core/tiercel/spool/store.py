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
from tiercel.spool.database import FOREVER, Database, DeadLetter
from tiercel.spool.disk import ERRORS, Disk, Fate
from tiercel.spool.jobs import Advance, Call, Job, Report, SpoolCounters, Stop, Submit, Taken, say_nothing
from tiercel.spool.recent import Reader, Recent
from tiercel.spool.room import SLACK, Room
from tiercel.spool.rows import Row, encode, made

__all__ = ["Spool"]

GROUP: Final = 2048
"""Alerts of one transaction, more or less."""
CURSOR_PAUSE: Final = 0.05
"""Seconds that the places of outputs may wait for a transaction: after a kill an output gets again what it got in this time."""
IDLE: Final = 1.0
"""Longest sleep, seconds: commands may have left a request."""
PAGE_BYTES: Final = 1 << 20
"""Bytes of alerts that are read from the disk at once."""

DEAD_SHARE: Final = 8
"""Dead letters may take one of so many parts of the budget, besides it."""
MAX_LETTERS: Final = 4096
"""Dead letters that wait for a disk."""
TRIES: Final = 3
TRIM_PAUSE: Final = 60.0
"""Seconds between two looks at old dead letters and forgotten outputs."""
SILENCE: Final = 10.0
"""Seconds between two lines of the log about alerts that were removed."""
MICROSECONDS: Final = 1_000_000
FAILURE: Final = "Tiercel internal: spool failure"
EVICTION: Final = "Tiercel internal: spool eviction"

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
        self._settings = settings or SpoolSettings()
        self._disk = Disk(directory, self._settings)
        self._report = report
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._stored: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._readers: dict[str, Reader] = {}
        self._recent = Recent(0)
        self._room = Room(self._recent, self._readers, self._lock)
        self._unsaved: list[Row] = []
        self._letters: list[DeadLetter] = []
        self._last = 0
        self._cursors_due: float | None = None
        self._next_chores = self._next_trim = self._next_words = 0.0
        self._counters = SpoolCounters()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def start(self, stored: Callable[[], None]) -> None:
        """Opens the database, if that is possible, and starts the thread.

        Args:
            stored: called on the thread when there are new alerts for outputs.
        """
        self._stored = stored
        self._last = _now() - 1
        self._recent.start = self._last
        self._save()
        self._thread.start()

    # ------------------------------------------------------------------------------------------------------- for others
    def submit(self, alerts: Sequence[Alert], done: Callable[[], None] | None = None) -> None:
        """Takes alerts; `done` is called on the spool's thread when they are safe, or as safe as they will be while the disk fails."""
        self._jobs.put(Submit(alerts, done))

    def attach(self, name: str) -> Future[Reader]:
        """The place of an output: where it was, or behind the last alert for one that is new."""
        return self.call(lambda: self._attach(name))

    def detach(self, reader: Reader) -> Future[None]:
        """The output is not in use any more; its place is remembered for a while."""
        return self.call(lambda: self._detach(reader))

    def take(self, reader: Reader, limit: int) -> Taken | None:
        """The next alerts of an output that are in memory, at most `limit`; None if they have to be fetched."""
        with self._lock:
            found = self._recent.after(reader.position, limit)
            if found is None:
                return None
            if found:
                reader.position = found[-1].seq
                reader.taken += len(found)
            return Taken(reader.epoch, reader.position, len(found), found)

    def fetch(self, reader: Reader, limit: int) -> Future[Taken]:
        """The next alerts of an output from the disk, at most `limit`. The future may have `ERRORS` of `tiercel.spool.disk`."""
        return self.call(lambda: self._fetch(reader, limit))

    def advance(self, reader: Reader, taken: Taken) -> None:
        """The output has, or will never have, everything up to the end of what it took."""
        self._jobs.put(Advance(reader, taken.epoch, taken.last, taken.number))

    def bury(self, reader: Reader, alerts: Sequence[Alert], reason: str) -> None:
        """Keeps alerts that the output will never accept. Call it before `advance`."""
        now = _now()
        for alert in alerts:
            self._jobs.put(DeadLetter(reader.name, alert, encode(alert), reason=reason, died=now))

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Has a function called on the thread, after all jobs that were left before."""
        future: Future[Any] = Future()
        self._jobs.put(Call(function, future))
        return future

    def counters(self) -> SpoolCounters:
        """The counters; their object is the spool's own."""
        counters, disk = self._counters, self._disk
        counters.unsaved, counters.failures, counters.problem = len(self._unsaved), disk.failures, disk.problem
        counters.bytes = 0 if disk.database is None else disk.database.total
        return counters

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
                self._chores()
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
        rows: list[Row] = []
        done: list[Callable[[], None]] = []
        calls: list[Call] = []
        for job in jobs:
            if isinstance(job, Submit):
                rows += self._rows(job.alerts)
                if job.done is not None:
                    done.append(job.done)
            elif isinstance(job, Advance):
                self._advance(job)
            elif isinstance(job, DeadLetter):
                self._letters.append(job)
            elif isinstance(job, Call):
                calls.append(job)
        try:
            due = self._cursors_due is not None and (last or time.monotonic() >= self._cursors_due)
            if rows or due or self._letters:
                self._keep(rows)
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

    def _rows(self, alerts: Sequence[Alert]) -> list[Row]:
        """Rows with the next numbers."""
        rows = []
        seq = max(self._last + 1, _now())
        for alert in alerts:
            try:
                rows.append(made(seq, alert))
            except Exception as error:  # noqa: BLE001  values of plugins that nothing can write
                self._counters.unstored += 1
                _log.error("spool: alert %s of rule %r cannot be written (%s: %s)", alert.id, alert.rule, type(error).__name__, error)
                continue
            self._last = seq
            seq += 1
        return rows

    def _keep(self, rows: list[Row]) -> None:
        """Writes what there is to write, and hands new alerts to the outputs; what cannot be written stays in memory."""
        self._unsaved += rows
        self._cursors_due = None
        known = self._save()
        fresh = [row for row in rows if row.seq not in known] if known else rows
        with self._lock:
            self._recent.add(fresh)
            for reader in self._readers.values():
                reader.behind += len(fresh)
            self._recent.trim(self._unsaved[0].seq - 1 if self._unsaved else self._last)
        if self._unsaved:
            self._shed()

    def _save(self) -> frozenset[int]:
        """Tries to bring everything to the disk; numbers of alerts that had been there before."""
        disk, before = self._disk, self._disk.problem
        try:
            for attempt in range(TRIES):
                if not attempt and not disk.ready():
                    break
                try:
                    database = self._database()
                    with database.transaction():
                        known = self._write(database)
                except ERRORS as error:
                    self._undo()
                    if not self._worth_trying(disk.failed(error)):
                        break
                else:
                    self._written(known)
                    return known
            return frozenset()
        finally:
            if disk.problem and disk.problem != before:
                self._report(FAILURE, disk.problem, fields={"spool.problem": disk.problem})

    def _database(self) -> Database:
        """The open database; a new one is made to fit what is in memory."""
        known = self._disk.database
        if known is not None:
            return known
        database = self._disk.open()
        try:
            self._join(database)
        except ERRORS:
            self._disk.abandon()
            raise
        return database

    def _join(self, database: Database) -> None:
        """Alerts that came while there was no database follow those that are in it; outputs go on where they were when it was in use."""
        unsaved = self._unsaved
        if not unsaved:
            self._last = max(self._last, database.last)
        collide = bool(unsaved) and database.last >= unsaved[0].seq  # the clock was set back
        places = {name: database.cursor(name) for name in self._readers}
        counts = {name: database.count(place) for name, place in places.items() if place is not None}
        with self._lock:
            if collide:
                for number, row in enumerate(unsaved, database.last + 1):
                    row.seq = self._last = number
            if collide or not self._readers:
                self._recent.restart(list(unsaved), database.last if unsaved else self._last)
            for name, reader in self._readers.items():
                place = places[name]
                if place is not None:
                    reader.move(place)
                    reader.behind = counts[name] + sum(row.seq > place for row in unsaved)
                elif collide:
                    reader.move(database.last)
                    reader.behind = len(unsaved)

    def _write(self, database: Database) -> frozenset[int]:
        known = database.insert(self._unsaved) if self._unsaved else frozenset()
        if self._letters:
            database.bury(self._letters)
        now = _now()
        for reader in self._readers.values():
            if reader.cursor != reader.noted or reader.unnoted:
                database.set_cursor(reader.name, reader.cursor, evicted=reader.unnoted, now=now)
        over = database.total - self._settings.max_bytes
        if over > 0:
            self._room.make(database, over + min(SLACK, self._settings.max_bytes // 16))
        return known

    def _written(self, known: frozenset[int]) -> None:
        counters = self._counters
        counters.stored += len(self._unsaved) - len(known)
        counters.known += len(known)
        counters.buried += len(self._letters)
        for row in self._unsaved:
            row.body = b""
        self._unsaved, self._letters = [], []
        for reader in self._readers.values():
            reader.noted, reader.unnoted = reader.cursor, 0
        counters.evicted += self._settle()
        self._disk.worked()

    def _settle(self) -> int:
        """What was removed is gone: counts it for the outputs, and says so."""
        removed, losses = self._room.settle()
        if losses:
            self._tell_losses(losses, "the spool is full")
        return removed

    def _tell_losses(self, losses: Mapping[Reader, int], why: str) -> None:
        lost = ", ".join(f"{count} of output {reader.name}" for reader, count in losses.items())
        fields = {f"spool.evicted.{reader.name}": reader.evicted for reader in losses}
        self._report(EVICTION, f"alerts were removed before they were delivered, since {why}: {lost}", fields=fields)
        now = time.monotonic()
        if now >= self._next_words:
            self._next_words = now + SILENCE
            _log.warning("spool: alerts were removed before they were delivered, since %s: %s", why, lost)

    def _undo(self) -> None:
        """What was to be removed is still there."""
        if self._room.forget():
            with self._lock:
                self._recent.restart(list(self._unsaved), self._unsaved[0].seq - 1 if self._unsaved else self._last)

    def _worth_trying(self, fate: str) -> bool:
        """Whether the disk may take now what it did not take before."""
        if fate == Fate.NEW_FILE:
            self._file_lost()
            return True
        database = self._disk.database
        if fate == Fate.FULL and database is not None:
            try:
                database.checkpoint()
                with database.transaction():
                    self._room.make(database, max(database.total // 8, self._settings.max_bytes // 64), delivered_only=True)
                self._counters.evicted += self._settle()
            except ERRORS:
                self._undo()
            else:
                return True
        return False

    def _file_lost(self) -> None:
        """A new file was begun: what is in memory goes into it, the rest is lost."""
        losses: dict[Reader, int] = {}
        with self._lock:
            kept = self._recent.after(self._recent.start, FOREVER) or []
            for reader in self._readers.values():
                here = sum(row.seq > reader.position for row in kept)
                lost = reader.behind - reader.taken - here
                reader.noted = -1
                reader.position = max(reader.position, self._recent.start)
                if lost > 0:
                    losses[reader] = lost
                    reader.behind -= lost
                    reader.evicted += lost
                    reader.unnoted += lost
        for row in kept:
            row.body = row.body or encode(row.alert)
        self._unsaved = [*kept, *(row for row in self._unsaved if not kept or row.seq > kept[-1].seq)]
        if losses:
            self._tell_losses(losses, "the file was damaged")

    def _shed(self) -> None:
        """Keeps what is in memory only within its budget."""
        if not self._disk.wanted and len(self._unsaved) > GROUP:
            done = min((reader.cursor for reader in self._readers.values()), default=self._last)
            self._unsaved = [row for row in self._unsaved if row.seq > done]
        over = sum(row.size for row in self._unsaved) - self._settings.memory_bytes
        if over > 0:
            before = len(self._unsaved)
            self._unsaved = self._room.shed(self._unsaved, over + self._settings.memory_bytes // 16)
            self._counters.unstored += before - len(self._unsaved)
            _, losses = self._room.settle()
            if losses:
                self._tell_losses(losses, "memory is full and the disk takes nothing" if self._disk.wanted else "memory is full")
        excess = len(self._letters) - MAX_LETTERS
        if excess > 0:
            self._counters.unstored += excess
            del self._letters[:excess]

    def _attach(self, name: str) -> Reader:
        cursor, behind, database = None, 0, self._disk.database
        if database is not None:
            try:
                cursor = database.cursor(name)
                behind = 0 if cursor is None else database.count(cursor)
            except ERRORS as error:
                self._worth_trying(self._disk.failed(error))
                cursor = None
        reader = Reader(name, self._last if cursor is None else cursor)
        reader.behind = behind + sum(row.seq > reader.cursor for row in self._unsaved)
        with self._lock:
            self._readers[name] = reader
        self._keep([])  # from now on everything is for it, also after a kill
        return reader

    def _detach(self, reader: Reader) -> None:
        self._keep([])
        with self._lock:
            self._readers.pop(reader.name, None)

    def _fetch(self, reader: Reader, limit: int) -> Taken:
        database = self._disk.database
        found: list[tuple[int, Alert | None, int]] = []
        if database is not None:
            try:
                found = database.page(reader.position, limit=limit, max_bytes=PAGE_BYTES)
            except ERRORS as error:
                if self._worth_trying(self._disk.failed(error)):
                    self._keep([])
                raise
        rows = [Row(seq, alert, b"", size) for seq, alert, size in found if alert is not None]
        if len(rows) < len(found):
            self._counters.damaged += len(found) - len(rows)
            _log.error("spool: %d alerts are damaged and were left out for output %s", len(found) - len(rows), reader.name)
        with self._lock:
            reader.position = found[-1][0] if found else max(reader.position, self._recent.start)
            reader.taken += len(found)
            return Taken(reader.epoch, reader.position, len(found), rows)

    def _advance(self, job: Advance) -> None:
        reader = job.reader
        with self._lock:
            if job.epoch != reader.epoch:
                return  # it was set to another place meanwhile
            reader.taken -= job.count
            reader.behind -= job.count
            reader.cursor = job.seq
        if self._cursors_due is None:
            self._cursors_due = time.monotonic() + CURSOR_PAUSE

    # ---------------------------------------------------------------------------------------------------------- chores
    def _chores(self) -> None:
        now = time.monotonic()
        if now < self._next_chores:
            return
        self._next_chores = now + IDLE
        disk = self._disk
        if disk.problem:
            if disk.ready():
                self._keep([])
            return
        database = disk.database
        if database is None:
            return
        try:
            horizon = _now() - round(self._settings.max_age * MICROSECONDS)
            while (removed := self._expire(database, horizon)) > 0:
                self._counters.expired += removed
            if now >= self._next_trim:
                self._next_trim = now + TRIM_PAUSE
                database.trim_dead(before=horizon, max_bytes=self._settings.max_bytes // DEAD_SHARE)
                database.forget_outputs(horizon)
        except ERRORS as error:
            self._undo()
            self._worth_trying(disk.failed(error))

    def _expire(self, database: Database, horizon: int) -> int:
        with database.transaction():
            self._room.age(database, horizon)
        removed, losses = self._room.settle()
        if losses:
            self._tell_losses(losses, "they were too old")
        return removed


def _now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000
