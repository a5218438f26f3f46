"""Reading a BPF ring buffer by mmap: consumer page, producer page, then the data mapped twice (kernel/bpf/ringbuf.c).

The reader runs ahead with a position of its own. The consumer position, which makes room for the kernel and which a next sensor
starts from, moves only when what follows from the records is safe.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import struct
from typing import Final

BUSY: Final = 0x80000000
DISCARDED: Final = 0x40000000
_position = struct.Struct("<Q")
_head = struct.Struct("<I")


class Ring:
    """One ring, one reader."""

    def __init__(self, fd: int, size: int) -> None:
        """Maps a ring of `size` bytes; the descriptor stays the caller's and must outlive the reader."""
        page = mmap.PAGESIZE
        self._size = size
        self._consumer = mmap.mmap(fd, page)
        self._mapping = mmap.mmap(fd, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        self._data = memoryview(self._mapping)[page:]
        self.position: int = _position.unpack_from(self._consumer)[0]
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)

    def read(self, limit: int) -> list[tuple[int, bytes]]:
        """Up to `limit` records that are complete: (position, record)."""
        at, end = self.position, _position.unpack_from(self._mapping)[0]
        mask, data, head = self._size - 1, self._data, _head.unpack_from
        out: list[tuple[int, bytes]] = []
        append = out.append
        while at < end and len(out) < limit:
            start = at & mask
            (length,) = head(data, start)
            if length & BUSY:
                break
            size = length & 0x3FFFFFFF
            if not length & DISCARDED:
                append((at, bytes(data[start + 8 : start + 8 + size])))
            at += size + 15 & ~7
        self.position = at
        return out

    @property
    def written(self) -> int:
        """Position up to which the kernel has written."""
        return int(_position.unpack_from(self._mapping)[0])

    @property
    def unread(self) -> int:
        """Bytes that the kernel has written and this reader not yet read."""
        return self.written - self.position

    @property
    def released(self) -> int:
        """The consumer position."""
        return int(_position.unpack_from(self._consumer)[0])

    def release(self, position: int) -> None:
        """Gives everything before `position` back to the kernel."""
        _position.pack_into(self._consumer, 0, position)

    def wait(self, seconds: float, also: int) -> None:
        """Sleeps until the kernel wakes the ring's readers, descriptor `also` is readable, or the time is up."""
        if self.released == self.position:  # else the kernel would say at once that there are records: those not released
            self._poll.register(also, select.POLLIN)
            self._poll.poll(seconds * 1000)
        else:
            poll = select.poll()
            poll.register(also, select.POLLIN)
            poll.poll(min(seconds, 0.01) * 1000)

    def close(self) -> None:
        """Unmaps."""
        self._data.release()
        self._mapping.close()
        self._consumer.close()


def drain_descriptor(fd: int) -> None:
    """Empties a non-blocking pipe or eventfd that woke us."""
    with contextlib.suppress(BlockingIOError):
        os.read(fd, 64)
