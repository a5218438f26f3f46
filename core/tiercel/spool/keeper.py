"""What the spool does with alerts, on its thread: brings them to the disk, and what the disk does not take stays in memory for now."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

from tiercel.alert import Alert
from tiercel.config.spool import SpoolSettings
from tiercel.reporting import Report
from tiercel.spool.database import Database, DeadLetter
from tiercel.spool.disk import ERRORS, Disk, Fate
from tiercel.spool.jobs import SpoolCounters
from tiercel.spool.places import Places
from tiercel.spool.pressure import Pressure
from tiercel.spool.recent import Reader, Recent
from tiercel.spool.requests import removes, serve
from tiercel.spool.room import SLACK, Room
from tiercel.spool.rows import Row, encode, made

__all__ = ["GROUP", "Keeper"]

GROUP: Final = 2048
"""Alerts of one transaction, more or less."""
DEAD_SHARE: Final = 8
"""Dead letters may take one of so many parts of the budget, besides it."""
MAX_LETTERS: Final = 4096
"""Dead letters that wait for a disk."""
TRIES: Final = 3
CHORES_PAUSE: Final = 1.0
TRIM_PAUSE: Final = 60.0
"""Seconds between two looks at old dead letters and forgotten outputs."""
SILENCE: Final = 10.0
"""Seconds between two lines of the log about alerts that were removed."""
MICROSECONDS: Final = 1_000_000
FAILURE: Final = "Tiercel internal: spool failure"
EVICTION: Final = "Tiercel internal: spool eviction"

_log = logging.getLogger("tiercel.spool")


class Keeper:
    """Owns the database and all alerts. Used by one thread; others use `places.take` only.

    Attributes:
        places: of the outputs.
    """

    def __init__(self, disk: Disk, settings: SpoolSettings, report: Report) -> None:
        """Opens nothing yet.

        Args:
            disk: where alerts go.
            settings: budgets and the like.
            report: makes internal alerts.
        """
        self._disk, self._settings, self._report = disk, settings, report
        lock = threading.Lock()
        self._last = _now() - 1
        recent = Recent(self._last)
        self.places = Places(recent, lock)
        self._room = Room(recent, self.places.readers, lock)
        self._recent, self._lock = recent, lock
        self._unsaved: list[Row] = []
        self._letters: list[DeadLetter] = []
        self._redeemed: list[int] = []
        self._told = ""
        self._next_chores = self._next_trim = self._next_words = 0.0
        self._pressure = Pressure(settings.max_bytes, self.places, report)
        self._counters = SpoolCounters(max_bytes=settings.max_bytes)

    def counters(self) -> SpoolCounters:
        """The counters; their object is the keeper's own. For any thread."""
        counters, disk = self._counters, self._disk
        database = disk.database
        counters.unsaved, counters.failures, counters.problem = len(self._unsaved), disk.failures, disk.problem
        counters.sync_failures = disk.sync_failures
        counters.bytes = 0 if database is None else database.total
        return counters

    def rows(self, alerts: Sequence[Alert]) -> list[Row]:
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

    def bury(self, letter: DeadLetter) -> None:
        """Keeps a dead letter; `keep` writes it."""
        self._letters.append(letter)

    def redeem(self, reader: Reader, numbers: Sequence[int]) -> None:
        """Dead letters were delivered again; `keep` writes that."""
        reader.again = max(0, reader.again - len(numbers))
        self._redeemed += numbers

    @property
    def owes(self) -> bool:
        """Whether there is something to write besides alerts and places, at once."""
        return bool(self._letters or self._redeemed)

    def keep(self, rows: list[Row]) -> None:
        """Writes what there is to write, and hands new alerts to the outputs; what cannot be written stays in memory."""
        self._unsaved += rows
        known = self.save()
        fresh = [row for row in rows if row.seq not in known] if known else rows
        self.places.add(fresh, self._unsaved[0].seq - 1 if self._unsaved else self._last)
        if self._unsaved:
            self._shed()

    def save(self) -> frozenset[int]:
        """Tries to bring everything to the disk; numbers of alerts that had been there before."""
        disk = self._disk
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
            self._tell_problem()

    def _tell_problem(self) -> None:
        problem = self._disk.problem
        if problem and problem != self._told:
            self._report(FAILURE, problem, fields={"spool.problem": problem})
        self._told = problem

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
        """Alerts that came while there was no database follow those that are in it."""
        unsaved = self._unsaved
        if not unsaved:
            self._last = max(self._last, database.last)
        collide = bool(unsaved) and database.last >= unsaved[0].seq  # the clock was set back
        if collide:
            with self._lock:
                for number, row in enumerate(unsaved, database.last + 1):
                    row.seq = self._last = number
        self.places.join(database, unsaved, collide=collide, last=self._last)

    def _write(self, database: Database) -> frozenset[int]:
        known = database.insert(self._unsaved) if self._unsaved else frozenset()
        if self._letters:
            database.bury(self._letters)
        if self._redeemed:
            database.redeem(self._redeemed)
        self.places.write(database, _now())
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
        self._unsaved, self._letters, self._redeemed = [], [], []
        self.places.written()
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

    def failed(self, error: Exception) -> None:
        """Something else than `keep` has failed on the disk."""
        if self._worth_trying(self._disk.failed(error)):
            self.keep([])

    def _worth_trying(self, fate: str) -> bool:
        """Whether the disk may take now what it did not take before."""
        if fate == Fate.NEW_FILE:
            self._tell_problem()
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
        kept, losses = self.places.file_lost()
        for row in kept:
            row.body = row.body or encode(row.alert)
        self._unsaved = [*kept, *(row for row in self._unsaved if not kept or row.seq > kept[-1].seq)]
        self._redeemed = []
        if losses:
            self._tell_losses(losses, "the file was damaged")

    def _shed(self) -> None:
        """Keeps what is in memory only within its budget."""
        if not self._disk.wanted and len(self._unsaved) > GROUP:
            done = self.places.done(self._last)
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

    def attach(self, name: str) -> Reader:
        """The place of an output, where it was; behind the last alert for one that is new."""
        try:
            reader = self.places.attach(name, self._disk.database, self._unsaved, self._last)
        except ERRORS as error:
            self.failed(error)
            reader = self.places.attach(name, None, self._unsaved, self._last)
        self.keep([])  # from now on everything is for it, also after a kill
        return reader

    def detach(self, reader: Reader) -> None:
        """The output is not at work any more."""
        self.places.detach(reader)
        self.keep([])

    def chores(self) -> bool:
        """What is to be done from time to time; whether there may be something new for outputs."""
        now = time.monotonic()
        if now < self._next_chores:
            return False
        self._next_chores = now + CHORES_PAUSE
        disk = self._disk
        if disk.problem:
            if disk.ready():
                self.keep([])
            return False
        database = disk.database
        if database is None:
            return False
        try:
            horizon = _now() - round(self._settings.max_age * MICROSECONDS)
            while (removed := self._expire(database, horizon)) > 0:
                self._counters.expired += removed
            self._pressure.look(database)
            disk.relieve()
            if now >= self._next_trim:
                self._next_trim = now + TRIM_PAUSE
                database.trim_dead(before=horizon, max_bytes=self._settings.max_bytes // DEAD_SHARE)
                with database.transaction():
                    database.forget_outputs(horizon, used=self.places.readers, now=_now())
            return self._serve(database)
        except ERRORS as error:
            self._undo()
            self._worth_trying(disk.failed(error))
            return False

    def _serve(self, database: Database) -> bool:
        """Does what commands ask for; whether one did."""
        if not database.asked():
            return False
        self.keep([])  # so that what is on disk is all there is
        if self._unsaved or self._disk.database is not database:
            return False
        with database.transaction():
            done = [(text, serve(database, number, text)) for number, text in database.asked()]
        for text, answer in done:
            _log.info("spool: a command asked %s: %s", text, answer)
        self.places.resync(database, removed=any(removes(text) for text, _ in done), last=self._last)
        return True

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
