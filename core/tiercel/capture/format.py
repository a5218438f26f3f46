"""The format of captures, version 1: frames, blocks and entries as bytes. docs/captures.md describes it for other programs.

A capture is a valid zstd stream (RFC 8878): what is not compressed lies in skippable frames. All numbers are little endian.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tiercel.errors import UserError
from tiercel.event import RawBatch

__all__ = [
    "BATCH", "BLOCK", "BLOCK_TAG", "CHECKPOINT", "ENTRY", "FRAME", "HEADER", "HEADER_TAG", "INDEX_ROW", "INDEX_TAG", "JOURNAL", "MAGIC",
    "MAX_CONTENT", "MAX_INDEX", "MAX_JOINED", "MAX_JOINED_RECORDS", "MAX_METADATA", "RESTART", "SKIPPABLE", "STATE", "TRAILER",
    "VERSION", "Block", "CaptureError", "Entry", "FormatError", "pack_block", "pack_entry", "read_block", "read_entries", "skippable",
]  # fmt: skip

MAGIC: Final = b"TIERCEL\x1a"
VERSION: Final = 1
SKIPPABLE: Final = 0x184D2A57
"""Magic number of our skippable frames (RFC 8878, section 3.1.2)."""
FRAME: Final = struct.Struct("<II")
"""Head of a skippable frame: magic number, bytes that follow."""
HEADER_TAG: Final = b"TCAP"
BLOCK_TAG: Final = b"TBLK"
INDEX_TAG: Final = b"TIDX"
HEADER: Final = struct.Struct("<4s8sHHI")
"""Tag, magic, version, 0, CRC-32 of the metadata that follow as JSON."""
BLOCK: Final = struct.Struct("<4sIIIIqqI")
"""Tag, compressed size, size of the content, records of batches, flags, first and last time, CRC-32 of what stands before it."""
INDEX_ROW: Final = struct.Struct("<QqqII")
"""Offset of a block, its first and last time, its records, its flags."""
TRAILER: Final = struct.Struct("<II8s")
"""At the end of the index: CRC-32 of the frame's payload up to here, size of the whole frame, magic."""
ENTRY: Final = struct.Struct("<BBHIqqqI")
"""Kind, flags, 0, bytes that follow; clock, offset of the clock, position, number of records."""

RESTART: Final = 1
"""Flag of a block: it begins with a checkpoint, so that reading may start there."""
BATCH, STATE, CHECKPOINT, JOURNAL = range(1, 5)
KINDS: Final = range(BATCH, JOURNAL + 1)
"""Kinds of entries: records of `Source.read`; a snapshot that the decoder asked for; one for those who start here; `Source.journal`."""
MORE: Final = 1
"""Flag of an entry: the next one, of the same kind, goes on with its records."""
NUMBERED: Final = 2
"""Flag of a batch: each record has a position of its own."""

MAX_METADATA: Final = 4 << 20
MAX_CONTENT: Final = 32 << 20
"""Bytes of a block's content, and of its compressed form."""
MAX_PART: Final = 1 << 20
"""Bytes of records at which an entry ends and another goes on, unless one record alone is longer."""
MAX_RECORD: Final = 16 << 20
MAX_RECORDS: Final = 1 << 16
"""Records of one entry."""
MAX_JOINED: Final = 256 << 20
"""Bytes of entries that go on in one another, without their heads."""
MAX_JOINED_RECORDS: Final = 1 << 20
"""Records of entries that go on in one another."""
MAX_INDEX: Final = 64 << 20


class CaptureError(UserError):
    """A capture that cannot be written or read: ``file: offset N: what``."""


class FormatError(ValueError):
    """Bytes that are not what the format says, or cannot be put into it; those who know the file's name add it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, complete.

    Attributes:
        kind: `BATCH`, `STATE`, `CHECKPOINT` or `JOURNAL`.
        batch: the records: bytes, or (position, bytes) if the source delivers them so. Clock and position are of batches only.
    """

    kind: int
    batch: RawBatch


@dataclass(frozen=True, slots=True)
class Block:
    """What stands before the compressed content of a block, or in the index.

    Attributes:
        records: records of its batches.
        flags: `RESTART` or 0.
        first: time of its first batch, nanoseconds since the epoch; if it has none, of the last one before it, or 0.
        last: time of its last batch, likewise.
        compressed: bytes of its compressed content; 0 in the index.
        content: bytes of its content; 0 in the index.
        offset: where it begins in the file.
    """

    records: int
    flags: int
    first: int
    last: int
    compressed: int = 0
    content: int = 0
    offset: int = 0


def skippable(payload: bytes) -> bytes:
    """A skippable frame."""
    return FRAME.pack(SKIPPABLE, len(payload)) + payload


def pack_block(block: Block) -> bytes:
    """The skippable frame before a block's content."""
    fields = (BLOCK_TAG, block.compressed, block.content, block.records, block.flags, block.first, block.last)
    head = BLOCK.pack(*fields, 0)[:-4]
    return skippable(head + zlib.crc32(head).to_bytes(4, "little"))


def read_block(payload: bytes, offset: int) -> Block:
    """The block whose frame has this payload, of the size of `BLOCK`.

    Raises:
        FormatError: it is none, or larger than blocks may be.
    """
    _, compressed, content, records, flags, first, last, crc = BLOCK.unpack(payload)
    if zlib.crc32(payload[:-4]) != crc:
        raise FormatError("a block's head is damaged (its CRC-32 does not fit)")
    if max(compressed, content) > MAX_CONTENT or not compressed or not content:
        raise FormatError(f"a block of {compressed} bytes, {content} uncompressed (expected 1 to {MAX_CONTENT})")
    return Block(records, flags, first, last, compressed, content, offset)


def pack_entry(kind: int, batch: RawBatch) -> Iterator[bytes]:
    """A batch as entries, usually one.

    Raises:
        FormatError: its records are neither bytes nor (position, bytes), or too long.
    """
    try:
        yield from _entries(kind, batch)
    except FormatError:
        raise
    except (TypeError, ValueError, struct.error) as error:
        raise FormatError(f"its records are neither bytes nor pairs of a position and bytes: {error}") from error


def _entries(kind: int, batch: RawBatch) -> Iterator[bytes]:
    records = batch.records
    numbered = bool(records) and isinstance(records[0], tuple)
    if numbered and kind != BATCH:
        raise FormatError("records of state have positions")
    positions, data = map(list, zip(*records, strict=True)) if numbered else ([], list(records))
    sizes = list(map(len, data))
    start = 0
    for end in _cuts(sizes):
        more = MORE if end < len(data) else 0
        part = data[start:end]
        count = end - start
        numbers = struct.pack(f"<{count}q", *positions[start:end]) if numbered else b""
        lengths = struct.pack(f"<{count}I", *sizes[start:end])
        length = len(numbers) + len(lengths) + sum(sizes[start:end])
        flags = more | (NUMBERED if numbered else 0)
        head = ENTRY.pack(kind, flags, 0, length, batch.clock, batch.clock_offset, batch.position, count)
        yield b"".join((head, numbers, lengths, *part))
        start = end


def _cuts(sizes: Sequence[int]) -> Iterator[int]:
    """Where entries end."""
    if len(sizes) > MAX_JOINED_RECORDS or sum(sizes) + 12 * len(sizes) > MAX_JOINED:
        raise FormatError(f"{len(sizes)} records of {sum(sizes)} bytes (expected at most {MAX_JOINED_RECORDS} and {MAX_JOINED} bytes)")
    if len(sizes) <= MAX_RECORDS and sum(sizes) <= MAX_PART:
        yield len(sizes)
        return
    start = held = 0
    for number, size in enumerate(sizes):
        if size > MAX_RECORD:
            raise FormatError(f"a record of {size} bytes (expected at most {MAX_RECORD})")
        if number > start and (held + size > MAX_PART or number - start >= MAX_RECORDS):
            yield number
            start, held = number, 0
        held += size
    yield len(sizes)


def read_entries(content: bytes, source: str) -> Iterator[tuple[Entry, bool, int]]:
    """The entries of a block's content, each with whether the next one goes on with it, and how many bytes it has.

    Raises:
        FormatError: they are none.
    """
    at = 0
    while at < len(content):
        if at + ENTRY.size > len(content):
            raise FormatError(f"an entry ends within its head, at byte {at} of the content")
        kind, flags, _, length, clock, offset, position, count = ENTRY.unpack_from(content, at)
        if kind not in KINDS or flags & ~(MORE | NUMBERED if kind == BATCH else MORE):
            raise FormatError(f"unknown entry (got kind {kind}, flags {flags}), at byte {at} of the content")
        body = at + ENTRY.size
        at = body + length
        if at > len(content):
            raise FormatError(f"an entry is longer than its block (got {length} bytes), at byte {body} of the content")
        records = _records(content, body, at, count=count, numbered=bool(flags & NUMBERED))
        yield Entry(kind, RawBatch(source, records, position, clock=clock, clock_offset=offset)), bool(flags & MORE), length


def _records(content: bytes, start: int, end: int, *, count: int, numbered: bool) -> list[Any]:
    width = 12 if numbered else 4
    if count > MAX_RECORDS or start + width * count > end:
        raise FormatError(f"an entry says that it has {count} records, at byte {start} of the content")
    at = start + width * count
    lengths = struct.unpack_from(f"<{count}I", content, at - 4 * count)
    if at + sum(lengths) != end:
        raise FormatError(f"the records of an entry do not fill it, at byte {start} of the content")
    data = []
    for length in lengths:
        data.append(content[at : at + length])
        at += length
    if not numbered:
        return data
    return list(zip(struct.unpack_from(f"<{count}q", content, start), data, strict=True))
