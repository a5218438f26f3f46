"""Which plan a record was made under.

Programs read their generation once for each call, and every record says it. While records of an earlier plan may still come, batches
are cut where the plan changes, and say it too; before and after that nobody looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

__all__ = ["UNDER_WAY", "Turns"]

UNDER_WAY: Final = 10.0
"""Seconds after a switch in which a call that began before it may still write its record: a program runs for microseconds, but its
processor may be taken away in the middle of it (virtual machines)."""

Record = tuple[int, bytes]


class Turns:
    """Switches from one plan to the next, in the order of their numbers."""

    def __init__(self, generation: int, number: int) -> None:
        """`generation` is what the kernel writes into records, of which they have 16 bits; `number` that of the plan."""
        self._numbers = {_low(generation): number}
        self._oldest = self._newest = number
        self._since = 0.0
        self._end: int | None = None

    @property
    def turning(self) -> bool:
        """True while records of an earlier plan may still come."""
        return len(self._numbers) > 1

    def switched(self, generation: int, number: int, *, now: float) -> None:
        """From now on records are made under another plan."""
        self._numbers[_low(generation)] = number
        self._newest, self._since, self._end = number, now, None

    def look(self, *, now: float, written: int, read: int) -> None:
        """Finds out whether all records of earlier plans have been read.

        Args:
            now: seconds, monotonic.
            written: position up to which the kernel has written.
            read: position up to which records have been read.
        """
        if self._end is None and now - self._since >= UNDER_WAY:
            self._end = written
        if self._end is not None and read >= self._end:
            self._numbers = {low: number for low, number in self._numbers.items() if number == self._newest}
            self._oldest = self._newest

    def runs(self, records: list[Record]) -> Iterator[tuple[int, list[Record]]]:
        """Cuts records where the plan changes: (number of the plan, records). What an earlier sensor left counts for the oldest plan."""
        numbers, oldest = self._numbers, self._oldest
        for number, run in groupby(records, lambda each: numbers.get(each[1][2] | each[1][3] << 8, oldest)):
            yield number, list(run)

    @property
    def newest(self) -> int:
        """Number of the plan in force."""
        return self._newest


def _low(generation: int) -> int:
    return generation & 0xFFFF
