"""Captures in memory."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from tiercel import RawBatch
from tiercel.capture import Metadata, Reader, Writer
from tiercel.capture.format import BATCH, CHECKPOINT, JOURNAL, STATE, Entry

METADATA = Metadata(
    event_source="lab", source="lab", layout="lab-1", origin="boot:1", hostname="there", kernel="6.1 x86_64", version="0.1.0", time=5,
    complete=True, types=frozenset({"open", "close"}), fields=frozenset({"evt.type", "lab.exe"}), paths={"/bin": "/usr/bin"},
)  # fmt: skip


def batch(*records: Any, clock: int = 0, position: int = 0, offset: int = 0) -> RawBatch:
    return RawBatch("lab", list(records), position, clock=clock, clock_offset=offset)


def written(entries: Iterable[tuple[int, RawBatch]], *, metadata: Metadata = METADATA, flush: bool = False, close: bool = True) -> bytes:
    """The bytes of a capture; with `flush`, each entry is a block."""
    out: list[bytes] = []
    writer = Writer(out.append, metadata)
    for kind, each in entries:
        writer.add(kind, each)
        if flush:
            writer.flush()
    if close:
        writer.close({"counters": {"open": {"lost": 3, "seen": 9}}})
    else:
        writer.flush()
    return b"".join(out)


def reader(data: bytes) -> Reader:
    return Reader(io.BytesIO(data), "a capture")


def read(data: bytes) -> list[tuple[int, RawBatch]]:
    return [(entry.kind, entry.batch) for entry in reader(data).entries()]


SAMPLE = [
    (STATE, batch(b"row one", b"row two")),
    (JOURNAL, batch(b"fork")),
    (BATCH, batch((10, b"open a"), (20, b"open bb"), clock=1000, position=10, offset=7)),
    (BATCH, batch(clock=2000, offset=7)),
    (STATE, batch(b"repaired")),
    (CHECKPOINT, batch(b"row one", b"")),
    (BATCH, batch(b"plain", b"", clock=3000, position=30, offset=7)),
]
"""One of everything."""

__all__ = ["BATCH", "CHECKPOINT", "JOURNAL", "METADATA", "SAMPLE", "STATE", "Entry", "batch", "read", "reader", "written"]
