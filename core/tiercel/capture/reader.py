"""Reads captures, which are hostile input: every length has a limit, every check of what does not fit names file and offset."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import orjson
import zstandard

from tiercel.capture.format import (
    BLOCK,
    BLOCK_TAG,
    FRAME,
    HEADER,
    HEADER_TAG,
    INDEX_ROW,
    INDEX_TAG,
    MAGIC,
    MAX_CONTENT,
    MAX_INDEX,
    MAX_JOINED,
    MAX_JOINED_RECORDS,
    MAX_METADATA,
    RESTART,
    SKIPPABLE,
    TRAILER,
    VERSION,
    Block,
    CaptureError,
    Entry,
    FormatError,
    read_block,
    read_entries,
)
from tiercel.capture.metadata import Metadata

__all__ = ["Reader"]


class Reader:
    """Reads one capture from its beginning, or from the block that `seek` chose.

    Attributes:
        name: name of the file, for messages.
        metadata: what the header says.
        offset: bytes read so far.
        finished: the end was reached, and it is an orderly one; False at the end of `entries` if the recording was cut off.
        summary: what the recorder said at the end; empty before.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        """Reads the header.

        Args:
            file: open for reading; needs no seeking but for `index` and `seek`.
            name: for messages.

        Raises:
            CaptureError: it is no capture, or of a version that is not known.
        """
        self._file = file
        self.name = name
        self.offset = 0
        self.finished = False
        self.summary: Mapping[str, Any] = {}
        self.metadata = self._header()

    @property
    def size(self) -> int | None:
        """Bytes of the file; None if it is no regular one."""
        if not self._file.seekable():
            return None
        here = self._file.tell()
        size = self._file.seek(0, 2)
        self._file.seek(here)
        return size

    def losses(self) -> Mapping[str, int]:
        """Event type -> events that were lost while it was recorded; known at the end."""
        counters = self.summary.get("counters")
        found = counters.items() if isinstance(counters, dict) else ()
        losses = {name: each.get("lost") for name, each in found if name.isprintable() and isinstance(each, dict)}
        return {name: lost for name, lost in losses.items() if isinstance(lost, int) and lost}

    def _error(self, offset: int, message: str) -> CaptureError:
        return CaptureError(f"{self.name}: offset {offset}: {message}")

    def _take(self, size: int) -> bytes:
        """The next bytes; fewer only at the end of the file."""
        parts = []
        while size:
            try:
                data = self._file.read(size)
            except OSError as error:
                raise CaptureError(f"{self.name}: cannot be read: {error.strerror}") from error
            if not data:
                break
            parts.append(data)
            size -= len(data)
            self.offset += len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _header(self) -> Metadata:
        head = self._take(FRAME.size + HEADER.size)
        if not head:
            raise CaptureError(f"{self.name}: empty, not a capture")
        if not head.startswith(FRAME.pack(SKIPPABLE, 0)[:4]) or head[8:12] != HEADER_TAG[: len(head[8:12])]:
            raise self._error(0, f"not a capture (got {head[:8].hex()}); `tiercel record` makes them")
        if len(head) < FRAME.size + HEADER.size:
            raise self._error(len(head), "ends within its header")
        _, size = FRAME.unpack_from(head)
        _, magic, version, _, crc = HEADER.unpack_from(head, FRAME.size)
        if magic != MAGIC:
            raise self._error(12, f"not a capture (got {magic.hex()}, expected {MAGIC.hex()})")
        if version != VERSION:
            raise self._error(20, f"a capture of format {version}, this version of Tiercel reads {VERSION}; update Tiercel")
        length = size - HEADER.size
        if not 0 < length <= MAX_METADATA:
            raise self._error(4, f"metadata of {length} bytes (expected 1 to {MAX_METADATA})")
        data = self._take(length)
        if len(data) < length:
            raise self._error(self.offset, "ends within its header")
        if zlib.crc32(data) != crc:
            raise self._error(FRAME.size + HEADER.size, "the metadata are damaged (their CRC-32 does not fit)")
        try:
            return Metadata.from_json(data)
        except FormatError as error:
            raise self._error(FRAME.size + HEADER.size, str(error)) from error

    def _frame(self) -> bytes | None:
        """Payload of the next frame; None if the file ends before its end."""
        start = self.offset
        head = self._take(FRAME.size + len(BLOCK_TAG))
        if len(head) < FRAME.size + len(BLOCK_TAG):
            return None
        magic, size = FRAME.unpack_from(head)
        tag = head[FRAME.size :]
        if magic != SKIPPABLE or not (size == BLOCK.size if tag == BLOCK_TAG else tag == INDEX_TAG and len(tag) <= size <= MAX_INDEX):
            raise self._error(start, f"not the beginning of a block (got {head.hex()})")
        payload = tag + self._take(size - len(tag))
        return payload if len(payload) == size else None

    def blocks(self) -> Iterator[tuple[Block, bytes]]:
        """The blocks that are left, each with its content, which is valid as a whole.

        Raises:
            CaptureError: the file is damaged.
        """
        start = self.offset
        while (payload := self._frame()) is not None:
            try:
                if payload.startswith(INDEX_TAG):
                    self._end(payload)
                    return
                block = read_block(payload, start)
                data = self._take(block.compressed)
                if len(data) < block.compressed:
                    return
                content = _expand(data, block)
            except FormatError as error:
                raise self._error(start, str(error)) from error
            yield block, content
            start = self.offset

    def _end(self, payload: bytes) -> None:
        _, self.summary = _index(payload)
        if self._take(1):
            raise FormatError("there is something behind the index")
        self.finished = True

    def entries(self) -> Iterator[Entry]:
        """The entries that are left, in order. What was cut off in the middle is left out.

        Raises:
            CaptureError: the file is damaged.
        """
        held: Entry | None = None
        size = 0
        for block, content in self.blocks():
            try:
                for entry, more, length in read_entries(content, self.metadata.event_source):
                    if held is None:
                        held, size = entry, length
                    elif held.kind == entry.kind and _form(held) is _form(entry):
                        size += length
                        held.batch.records += entry.batch.records  # type: ignore[operator]  # lists, as read_entries makes them
                        if size > MAX_JOINED or len(held.batch.records) > MAX_JOINED_RECORDS:
                            raise FormatError(f"an entry of more than {MAX_JOINED} bytes or {MAX_JOINED_RECORDS} records")
                    else:
                        raise FormatError("an entry goes on in one of another kind or form")
                    if not more:
                        yield held
                        held = None
            except FormatError as error:
                raise self._error(block.offset, str(error)) from error

    def index(self) -> tuple[Block, ...]:
        """The blocks by the index at the end; none if there is no index, or no way to seek. Where to read on is left as it was.

        Raises:
            CaptureError: the index is damaged.
        """
        if not self._file.seekable():
            return ()
        here = self._file.tell()
        try:
            end = self._file.seek(0, 2)
            self._file.seek(max(0, end - TRAILER.size))
            trailer = self._file.read(TRAILER.size)
            if len(trailer) < TRAILER.size or not trailer.endswith(MAGIC):
                return ()
            _, size, _ = TRAILER.unpack(trailer)
            start = end - size
            if not FRAME.size + TRAILER.size < size <= MAX_INDEX or start < 0:
                raise self._error(end - TRAILER.size, f"an index of {size} bytes")
            self._file.seek(start + FRAME.size)
            blocks, _ = _index(self._file.read(size - FRAME.size))
        except FormatError as error:
            raise self._error(start, str(error)) from error
        finally:
            self._file.seek(here)
        return blocks

    def skip_to(self, time: int) -> None:
        """Goes on with the last checkpoint before a time, if there is an index and one later than here.

        Args:
            time: nanoseconds since the epoch.

        Raises:
            CaptureError: the index is damaged.
        """
        places = [each.offset for each in self.index() if each.flags & RESTART and 0 < each.first < time]
        if places and places[-1] > self.offset:
            self.offset = self._file.seek(places[-1])


def _form(entry: Entry) -> type:
    """What its records are: the format has no two forms in one entry."""
    return type(entry.batch.records[0]) if entry.batch.records else bytes


def _expand(data: bytes, block: Block) -> bytes:
    """The content of a block, which is one zstd frame of the size that it says."""
    try:
        head = zstandard.get_frame_parameters(data)
        if head.content_size != block.content or head.window_size > MAX_CONTENT:
            raise FormatError(f"a frame of {head.content_size} bytes (expected {block.content})")
        return zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError(f"the content of a block is damaged: {error}") from error


def _index(payload: bytes) -> tuple[tuple[Block, ...], Mapping[str, Any]]:
    """The blocks and the summary of an index.

    Raises:
        FormatError: it is none.
    """
    head = len(INDEX_TAG) + 4
    if len(payload) < head + TRAILER.size or not payload.startswith(INDEX_TAG):
        raise FormatError("not an index")
    crc, size, magic = TRAILER.unpack_from(payload, len(payload) - TRAILER.size)
    body = payload[: -TRAILER.size]
    if magic != MAGIC or size != len(payload) + FRAME.size or zlib.crc32(body) != crc:
        raise FormatError("the index is damaged (its size or CRC-32 does not fit)")
    end = head + INDEX_ROW.size * int.from_bytes(body[len(INDEX_TAG) : head], "little")
    if end > len(body):
        raise FormatError("the index is shorter than it says")
    blocks = tuple(
        Block(records, flags, first, last, offset=at) for at, first, last, records, flags in INDEX_ROW.iter_unpack(body[head:end])
    )
    try:
        summary = orjson.loads(body[end:])
    except orjson.JSONDecodeError as error:
        raise FormatError(f"the summary is no JSON: {error}") from error
    if not isinstance(summary, dict):
        raise FormatError("the summary is no JSON object")
    return blocks, summary
