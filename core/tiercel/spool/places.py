"""How far every output is: in memory, and noted on disk with what is kept for it. On the spool's thread, but for `take`."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

from tiercel.spool.database import Database
from tiercel.spool.jobs import Advance, Taken
from tiercel.spool.recent import Reader, Recent
from tiercel.spool.rows import Row

__all__ = ["Places"]

PAGE_BYTES: Final = 1 << 20
"""Bytes of alerts that are read from the disk at once."""


class Places:
    """The outputs that are at work."""

    def __init__(self, recent: Recent, lock: threading.Lock) -> None:
        """No output yet.

        Args:
            recent: the alerts in memory.
            lock: protects them, and the positions of the readers.
        """
        self._recent, self._lock = recent, lock
        self.readers: dict[str, Reader] = {}
        self._away: dict[str, Reader] = {}  # what the disk did not take when they left

    def take(self, reader: Reader, limit: int) -> Taken | None:
        """See `tiercel.spool.store.Spool.take`."""
        with self._lock:
            found = self._recent.after(reader.position, limit)
            if found is None:
                return None
            if found:
                reader.position = found[-1].seq
                reader.taken += len(found)
            return Taken(reader.epoch, reader.position, len(found), found)

    def fetch(self, reader: Reader, limit: int, database: Database | None) -> Taken:
        """The next alerts from the disk. Raises `tiercel.spool.disk.ERRORS`."""
        found = [] if database is None else database.page(reader.position, limit=limit, max_bytes=PAGE_BYTES)
        rows = [Row(seq, alert, b"", size) for seq, alert, size in found if alert is not None]
        with self._lock:
            reader.position = found[-1][0] if found else max(reader.position, self._recent.start)
            reader.taken += len(found)
            return Taken(reader.epoch, reader.position, len(found), rows)

    def advance(self, job: Advance) -> bool:
        """The output has what it took; whether that counts."""
        reader, taken = job.reader, job.taken
        with self._lock:
            if taken.epoch != reader.epoch:
                return False  # it was set to another place meanwhile
            reader.taken -= taken.number
            reader.behind -= taken.number
            reader.cursor = taken.last
        reader.remember(job.changes)
        return True

    def attach(self, name: str, database: Database | None, unsaved: Sequence[Row], last: int) -> Reader:
        """The place of an output. Raises `tiercel.spool.disk.ERRORS`.

        Args:
            name: id of the output.
            database: where it may be noted.
            unsaved: alerts that are not on disk.
            last: number of the last alert: a new output begins behind it.
        """
        reader = self._away.pop(name, None)
        if reader is None:
            cursor = None if database is None else database.cursor(name)
            reader = Reader(name, last if cursor is None else cursor)
            if database is not None and cursor is not None:
                reader.memory, reader.behind = database.memory(name), database.count(cursor)
            reader.again = 0 if database is None else database.count_again(name)
        else:
            reader.move(reader.cursor)
            reader.behind = 0 if database is None else database.count(reader.cursor)
        reader.behind += sum(row.seq > reader.cursor for row in unsaved)
        with self._lock:
            self.readers[name] = reader
        return reader

    def detach(self, reader: Reader) -> None:
        """The output is not at work any more."""
        with self._lock:
            self.readers.pop(reader.name, None)
        if reader.unwritten:
            self._away[reader.name] = reader

    def add(self, rows: list[Row], saved: int) -> None:
        """New alerts for all of them; what is on disk up to the number `saved` may leave memory."""
        with self._lock:
            self._recent.add(rows)
            for reader in self.readers.values():
                reader.behind += len(rows)
            self._recent.trim(saved)

    def done(self, last: int) -> int:
        """Number up to which every output has everything; `last` if there is no output."""
        return min((reader.cursor for reader in self.readers.values()), default=last)

    def write(self, database: Database, now: int) -> None:
        """Notes what is not noted yet, inside a transaction."""
        for reader in (*self.readers.values(), *self._away.values()):
            if reader.cursor != reader.noted or reader.unnoted:
                database.set_cursor(reader.name, reader.cursor, evicted=reader.unnoted, now=now)
            if reader.changed:
                database.set_memory(reader.name, {key: reader.memory.get(key) for key in reader.changed})

    def written(self) -> None:
        """The transaction was committed."""
        for reader in (*self.readers.values(), *self._away.values()):
            reader.noted, reader.unnoted = reader.cursor, 0
            reader.changed.clear()
        self._away.clear()

    def join(self, database: Database, unsaved: Sequence[Row], *, collide: bool, last: int) -> None:
        """The database is in use from now on: outputs go on where they were when it was in use before.

        Args:
            database: the database, just opened.
            unsaved: alerts that came while there was none; they follow those in the database.
            collide: they have got new numbers for that.
            last: number of the last alert that is known.
        """
        places = {name: database.cursor(name) for name in self.readers}
        counts = {name: database.count(place) for name, place in places.items() if place is not None}
        memories = {name: database.memory(name) for name, place in places.items() if place is not None}
        again = {name: database.count_again(name) for name in self.readers}
        with self._lock:
            if collide or not self.readers:
                self._recent.restart(list(unsaved), database.last if unsaved else last)
            for name, reader in self.readers.items():
                place = places[name]
                reader.again = again[name]
                if place is not None:
                    reader.move(place)
                    reader.memory = memories[name]
                    reader.changed.clear()
                    reader.behind = counts[name] + sum(row.seq > place for row in unsaved)
                elif collide:
                    reader.move(database.last)
                    reader.memory.clear()
                    reader.behind = len(unsaved)

    def resync(self, database: Database, *, removed: bool, last: int) -> None:
        """A request has changed places, dead letters, or which alerts there are.

        Args:
            database: it is up to date.
            removed: alerts are gone.
            last: number of the last alert that is known.
        """
        for reader in self.readers.values():
            place = database.cursor(reader.name)
            with self._lock:
                if place is not None and (removed or place != reader.cursor):
                    reader.move(place)
                before, reader.behind = reader.behind, database.count(reader.cursor)
                reader.evicted += max(0, before - reader.behind)  # the request has noted it
                reader.again = database.count_again(reader.name)
        if removed:
            with self._lock:
                self._recent.restart([], last)

    def file_lost(self) -> tuple[list[Row], Mapping[Reader, int]]:
        """A new file was begun: the alerts that are in memory, and what outputs have lost."""
        losses: dict[Reader, int] = {}
        with self._lock:
            kept = self._recent.all()
            for reader in self.readers.values():
                here = sum(row.seq > reader.position for row in kept)
                lost = reader.behind - reader.taken - here
                reader.noted, reader.again = -1, 0
                reader.changed.update(reader.memory)
                reader.position = max(reader.position, self._recent.start)
                if lost > 0:
                    losses[reader] = lost
                    reader.behind -= lost
                    reader.evicted += lost
                    reader.unnoted += lost
        return kept, losses
