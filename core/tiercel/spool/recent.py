"""The alerts that came last, in memory: outputs that keep up need no disk, and what the disk does not take is here only."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tiercel.spool.rows import Row

__all__ = ["Reader", "Recent"]

MAX_ROWS: Final = 2048
MAX_BYTES: Final = 2 << 20


class Reader:
    """How far one output is.

    Attributes:
        name: id of the output.
        position: number of the last alert that it took.
        epoch: counts how often it was set to another place; what it took before does not count any more.
        cursor: number of the last alert of those that it has for sure. The spool's thread's own, as what follows.
        behind: alerts that it does not have yet.
        taken: those of them that it has taken.
        evicted: alerts that were removed before it took them.
        unnoted: those of them that are not noted on disk yet.
        noted: the cursor that is on disk.
        again: dead letters that it is to get again.
        memory: what is kept for the output besides its place: key -> value, bounded by who keeps it.
        changed: keys of the memory that are not on disk yet as they are.
    """

    __slots__ = ("again", "behind", "changed", "cursor", "epoch", "evicted", "memory", "name", "noted", "position", "taken", "unnoted")

    def __init__(self, name: str, cursor: int) -> None:
        """Behind the alert with the number `cursor`."""
        self.name = name
        self.epoch = self.behind = self.taken = self.evicted = self.unnoted = self.again = 0
        self.cursor = self.position = cursor
        self.noted = -1
        self.memory: dict[str, str] = {}
        self.changed: set[str] = set()

    def remember(self, changes: Mapping[str, str | None]) -> None:
        """Changes its memory; None removes a key."""
        for key, value in changes.items():
            if value is None:
                self.memory.pop(key, None)
            else:
                self.memory[key] = value
        self.changed.update(changes)

    @property
    def unwritten(self) -> bool:
        """Whether something about it is not on disk yet."""
        return self.cursor != self.noted or bool(self.unnoted or self.changed)

    def move(self, cursor: int) -> None:
        """Sets it to another place."""
        self.epoch += 1
        self.taken = 0
        self.noted = -1  # it may come to the same place again
        self.cursor = self.position = cursor


class Recent:
    """Rows in order. Everything in the spool behind `start` is here. The caller has a lock."""

    def __init__(self, start: int) -> None:
        """Nothing yet behind the number `start`."""
        self.start = start
        self._rows: list[Row] = []
        self._numbers: list[int] = []
        self._bytes = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Adds rows behind all others."""
        self._rows += rows
        self._numbers += [row.seq for row in rows]
        self._bytes += sum(row.size for row in rows)

    def after(self, seq: int, limit: int) -> list[Row] | None:
        """The rows that follow a number; None if some of them may be on disk only."""
        if seq < self.start:
            return None
        at = bisect_right(self._numbers, seq)
        return self._rows[at : at + limit]

    def all(self) -> list[Row]:
        """All rows."""
        return list(self._rows)

    def trim(self, saved: int) -> None:
        """Lets the oldest go that are on disk, those up to the number `saved`, until the rest is few."""
        at, size = 0, self._bytes
        while at < len(self._rows) and (len(self._rows) - at > MAX_ROWS or size > MAX_BYTES) and self._numbers[at] <= saved:
            size -= self._rows[at].size
            at += 1
        if at > len(self._rows) // 8:  # not one by one: what is behind moves
            self.start = self._numbers[at - 1]
            self._bytes = size
            del self._rows[:at], self._numbers[:at]

    def remove(self, unwanted: Callable[[Row], bool]) -> None:
        """Removes rows that the spool removes."""
        kept = [row for row in self._rows if not unwanted(row)]
        if len(kept) != len(self._rows):
            self._rows, self._numbers = kept, [row.seq for row in kept]
            self._bytes = sum(row.size for row in kept)

    def restart(self, rows: list[Row], start: int) -> None:
        """Begins anew with these rows."""
        self.start, self._rows, self._numbers = start, rows, [row.seq for row in rows]
        self._bytes = sum(row.size for row in rows)
