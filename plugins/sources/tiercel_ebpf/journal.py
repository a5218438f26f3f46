"""A bounded journal of the records that change the process table, in memory that the supervisor holds.

A new sensor replays it before it goes on in the ring: so it knows of processes that the last one had seen start, and that are gone by
now, when their events come. Layout: offsets of the
oldest and of the next record (u64 each, counted without end), and from byte 4096 a circle of records, each with its length (u32).
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from typing import Final

_length = struct.Struct("<I")
START: Final = 4096
MARK: Final = 0xFFFFFFFF
"""Instead of a length: the rest of the circle is unused, the next record is at its start."""


class Journal:
    """Appends and replays; one process at a time."""

    def __init__(self, fd: int) -> None:
        """Maps the memory behind the descriptor; first bytes of zero mean empty."""
        self._map = mmap.mmap(fd, os.fstat(fd).st_size)
        self._size = len(self._map) - START
        self._first, self._at = struct.unpack_from("<QQ", self._map)  # oldest and next offset, counted without end

    def append(self, record: bytes | memoryview) -> None:
        """Adds a record; the oldest ones make room."""
        need = 4 + (len(record) + 3 & ~3)
        at = self._at % self._size
        if at + need > self._size:  # does not fit before the end: go on at the start
            self._make_room(self._size - at)
            _length.pack_into(self._map, START + at, MARK)
            self._at += self._size - at
            at = 0
        self._make_room(need)
        self._map[START + at + 4 : START + at + 4 + len(record)] = bytes(record)
        _length.pack_into(self._map, START + at, len(record))
        self._at += need
        struct.pack_into("<QQ", self._map, 0, self._first, self._at)

    def _make_room(self, need: int) -> None:
        while self._at + need - self._first > self._size:
            self._first += self._step(self._first)
        struct.pack_into("<QQ", self._map, 0, self._first, self._at)

    def _step(self, offset: int) -> int:
        at = offset % self._size
        (length,) = _length.unpack_from(self._map, START + at)
        return int(self._size - at if length == MARK else 4 + (length + 3 & ~3))

    def replay(self) -> Iterator[bytes]:
        """The records, oldest first."""
        offset = self._first
        while offset < self._at:
            at = offset % self._size
            (length,) = _length.unpack_from(self._map, START + at)
            if length != MARK:
                yield self._map[START + at + 4 : START + at + 4 + length]
            offset += self._step(offset)
