"""Writes captures. Nothing is written back: standard output does as well as a file."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson
import zstandard

from tiercel.capture.format import (
    BATCH,
    CHECKPOINT,
    FRAME,
    HEADER,
    HEADER_TAG,
    INDEX_ROW,
    INDEX_TAG,
    MAGIC,
    RESTART,
    TRAILER,
    VERSION,
    Block,
    pack_block,
    pack_entry,
    skippable,
)  # fmt: skip

if TYPE_CHECKING:
    from tiercel.capture.metadata import Metadata
    from tiercel.event import RawBatch

__all__ = ["Writer"]

LEVEL: Final = 1
"""Compression: level 3 takes 4 % off, at half as much time again (bench/capture.py)."""
FULL: Final = 512 << 10
"""Bytes of content at which a block is written."""


class Writer:
    """Writes one capture.

    Attributes:
        records: records of batches so far.
        size: bytes written so far.
    """

    def __init__(self, write: Callable[[bytes], object], metadata: Metadata) -> None:
        """Writes the header.

        Args:
            write: takes all of the bytes that it is given, or raises `OSError`.
            metadata: what the header says.
        """
        self._write = write
        self._compress = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True).compress
        self._index: list[bytes] = []
        self._clear()
        self._last = 0
        self.records = self.size = 0
        data = metadata.to_json()
        self._put(skippable(HEADER.pack(HEADER_TAG, MAGIC, VERSION, 0, zlib.crc32(data)) + data))

    def _clear(self) -> None:
        self._parts: list[bytes] = []
        self._held = self._count = self._flags = 0
        self._first: int | None = None

    def _put(self, data: bytes) -> None:
        self._write(data)
        self.size += len(data)

    def add(self, kind: int, batch: RawBatch) -> None:
        """Adds a batch (see `tiercel.capture.format` for the kinds). A checkpoint begins a block.

        Raises:
            OSError: the file cannot be written.
            FormatError: the batch has records that captures cannot hold.
        """
        if kind == CHECKPOINT:
            self.flush()
            self._flags = RESTART
        if kind == BATCH:
            self._last = batch.clock + batch.clock_offset
            self._first = self._last if self._first is None else self._first
            self._count += len(batch.records)
            self.records += len(batch.records)
        for part in pack_entry(kind, batch):
            self._parts.append(part)
            self._held += len(part)
            if self._held >= FULL:
                self.flush()

    def flush(self) -> None:
        """Writes what is held as a block. What was cut off can be read up to its last whole block."""
        if not self._parts:
            return
        content = b"".join(self._parts)
        data = self._compress(content)
        first = self._last if self._first is None else self._first
        self._index.append(INDEX_ROW.pack(self.size, first, self._last, self._count, self._flags))
        head = pack_block(Block(self._count, self._flags, first, self._last, len(data), len(content)))
        self._clear()
        self._put(head + data)

    def close(self, summary: Mapping[str, Any]) -> None:
        """Writes what is held, and the index.

        Args:
            summary: what there is to say at the end (losses), for JSON.
        """
        self.flush()
        text = orjson.dumps(summary)
        payload = b"".join((INDEX_TAG, len(self._index).to_bytes(4, "little"), *self._index, text))
        size = FRAME.size + len(payload) + TRAILER.size
        self._put(skippable(payload + TRAILER.pack(zlib.crc32(payload), size, MAGIC)))
