"""Making room: what is removed when alerts are too many or too old, in the order that is promised, and who lost what by it.

What every output has goes first, then what some still wait for; of each the least urgent priority first, and of that the oldest.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tiercel.alert import Priority
from tiercel.spool.database import FOREVER, Database
from tiercel.spool.recent import Reader, Recent
from tiercel.spool.rows import Row

__all__ = ["SLACK", "Room"]

SLACK: Final = 1 << 20
"""Bytes that are removed at once beyond what is too much, but not more than a sixteenth of the budget."""


class Room:
    """Removes alerts from disk and memory.

    What is removed inside a transaction counts when `settle` says so: call it, or `forget`, when the transaction has ended.
    """

    def __init__(self, recent: Recent, readers: Mapping[str, Reader], lock: threading.Lock) -> None:
        """Looks after alerts in memory and on disk.

        Args:
            recent: the alerts in memory.
            readers: the outputs.
            lock: protects `recent` and the positions of the readers.
        """
        self._recent, self._readers, self._lock = recent, readers, lock
        self._removed = 0
        self._losses: dict[Reader, int] = {}

    def settle(self) -> tuple[int, Mapping[Reader, int]]:
        """How many alerts were removed since the last call, and how many of them outputs have lost by it."""
        removed, losses = self._removed, self._losses
        self._removed, self._losses = 0, {}
        for reader, count in losses.items():
            reader.behind -= count
            reader.evicted += count
            reader.unnoted += count
        return removed, losses

    def forget(self) -> bool:
        """The transaction failed: nothing was removed from the disk. Whether something was removed from memory."""
        removed, self._removed, self._losses = self._removed, 0, {}
        return removed > 0

    def make(self, database: Database, size: int, *, delivered_only: bool = False) -> None:
        """Removes alerts of at least `size` bytes from the disk, inside a transaction."""
        done = self._delivered()
        for stretches in ([(-1, done)],) if delivered_only else ([(-1, done)], self._waiting(done)):
            for priority, (low, high) in itertools.product(reversed(Priority), stretches):
                while size > 0 and (found := database.oldest(priority, after=low, to=high, size=size)) is not None:
                    last, taken = found
                    self._leave_memory(lambda row: low < row.seq <= last and row.alert.priority == priority)  # noqa: B023  used at once
                    for reader, position in self._positions(last):
                        self._lose(reader, database.count_priority(priority, max(low, position), last))
                    self._removed += database.remove(priority, after=low, to=last, size=taken)
                    size -= taken

    def _waiting(self, done: int) -> list[tuple[int, int]]:
        """The stretches of numbers behind `done` without those that outputs have taken and may not have yet.

        Were those removed, nobody would know after a kill that they are missing. There are only a few of them for each output.
        """
        with self._lock:
            taken = sorted((reader.cursor, reader.position) for reader in self._readers.values() if reader.taken)
        stretches, low = [], done
        for first, last in taken:
            if first > low:
                stretches.append((low, first))
            low = max(low, last)
        return [*stretches, (low, FOREVER)]

    def age(self, database: Database, before: int) -> None:
        """Removes the oldest alerts with numbers below `before` from the disk, not too many at once, inside a transaction."""
        found = database.aged(before)
        if found is None:
            return
        last, size = found
        self._leave_memory(lambda row: row.seq <= last)
        for reader, position in self._positions(last):
            self._lose(reader, database.count(position, last))
        self._removed += database.remove_aged(last, size=size)

    def shed(self, rows: Sequence[Row], size: int) -> list[Row]:
        """Removes alerts of at least `size` bytes from memory; those of `rows` that are left."""
        done = self._delivered()
        gone: set[int] = set()
        for row in sorted(rows, key=lambda row: (row.seq > done, -row.alert.priority, row.seq)):
            if size <= 0:
                break
            gone.add(row.seq)
            size -= row.size
        self._leave_memory(lambda row: row.seq in gone)
        for reader, position in self._positions(FOREVER):
            self._lose(reader, sum(seq > position for seq in gone))
        self._removed += len(gone)
        return [row for row in rows if row.seq not in gone]

    def _delivered(self) -> int:
        """Number up to which every output has everything."""
        return min((reader.cursor for reader in self._readers.values()), default=FOREVER)

    def _leave_memory(self, unwanted: Callable[[Row], bool]) -> None:
        with self._lock:
            self._recent.remove(unwanted)

    def _positions(self, last: int) -> list[tuple[Reader, int]]:
        """The outputs that have not taken everything up to a number, and how far they are."""
        with self._lock:
            return [(reader, reader.position) for reader in self._readers.values() if reader.position < last]

    def _lose(self, reader: Reader, count: int) -> None:
        if count:
            self._losses[reader] = self._losses.get(reader, 0) + count
