"""What is written is what is read; what is damaged or cut off is an error or an end, never anything else."""

from __future__ import annotations

import struct
import zlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.capture.made import BATCH, CHECKPOINT, JOURNAL, METADATA, SAMPLE, STATE, batch, read, reader, written
from tiercel import RawBatch
from tiercel.capture import CaptureError, Metadata
from tiercel.capture.format import MAX_CONTENT, MAX_RECORD, Block, FormatError, pack_block

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
PLAIN = st.lists(st.binary(max_size=200), max_size=20)
NUMBERED = st.lists(st.tuples(INT64, st.binary(max_size=200)), max_size=20)
TIMES = {"clock": st.integers(0, 1 << 60), "clock_offset": st.integers(-(1 << 60), 1 << 60)}
BATCHES = st.builds(RawBatch, st.just("lab"), PLAIN | NUMBERED, INT64, **TIMES)
STATES = st.builds(RawBatch, st.just("lab"), PLAIN)
ENTRIES = st.lists(st.tuples(st.just(BATCH), BATCHES) | st.tuples(st.sampled_from([STATE, CHECKPOINT, JOURNAL]), STATES), max_size=12)


@given(ENTRIES, st.booleans(), st.booleans())
def test_what_is_written_is_read(entries: list[tuple[int, RawBatch]], flush: bool, close: bool) -> None:
    data = written(entries, flush=flush, close=close)
    opened = reader(data)
    assert opened.metadata == METADATA
    assert [(entry.kind, entry.batch) for entry in opened.entries()] == entries
    assert opened.finished == close
    assert opened.offset == len(data)
    assert opened.losses() == ({"open": 3} if close else {})


def test_long_batches_are_cut_and_joined() -> None:
    large = [(number, bytes([number % 251]) * 5000) for number in range(1000)]
    many = [b""] * 70_000
    entries = [
        (STATE, batch(b"x" * MAX_RECORD)),
        (BATCH, batch(*large, clock=9, position=4)),
        (JOURNAL, batch(*many)),
        (BATCH, batch(b"end")),
    ]
    data = written(entries)
    assert read(data) == entries
    assert len(reader(data).index()) > 3


def test_records_that_captures_cannot_hold() -> None:
    for record in (b"x" * (MAX_RECORD + 1), 7, "text", (1, 2, b"x"), (1, "text"), (1 << 64, b"x")):
        with pytest.raises(FormatError, match=r"a record of 16777217 bytes|neither bytes nor pairs"):
            written([(BATCH, batch(record))])


def test_batches_that_no_reader_would_take() -> None:
    for records in ([b""] * ((1 << 20) + 1), [bytes(MAX_RECORD)] * 17):
        with pytest.raises(FormatError, match="expected at most 1048576 and 268435456 bytes"):
            written([(STATE, batch(*records))])


def test_state_has_no_positions() -> None:
    with pytest.raises(FormatError, match="records of state have positions"):
        written([(STATE, batch((1, b"row")))])
    numbered = bytes([2, 2, 0, 0]) + struct.pack("<IqqqI", 12, 0, 0, 0, 1) + bytes(12)
    with pytest.raises(CaptureError, match="unknown entry"):
        read(written([], close=False) + block(numbered))


def test_a_capture_is_a_zstd_stream() -> None:
    content = zstandard.ZstdDecompressor().stream_reader(written(SAMPLE, flush=True), read_across_frames=True).read()
    assert all(record in content for record in (b"row one", b"fork", b"open bb", b"plain"))


def test_index_leads_to_the_blocks() -> None:
    opened = reader(written(SAMPLE, flush=True))
    blocks = opened.index()
    assert [(each.first, each.last, each.records) for each in blocks] == [
        (0, 0, 0), (0, 0, 0), (1007, 1007, 2), (2007, 2007, 0), (2007, 2007, 0), (2007, 2007, 0), (3007, 3007, 2),
    ]  # fmt: skip
    assert [each.flags for each in blocks] == [0, 0, 0, 0, 0, 1, 0]


def test_reading_starts_at_the_last_checkpoint_before_a_time() -> None:
    later = [(CHECKPOINT, batch(b"row two")), (BATCH, batch(b"late", clock=9000, offset=7))]
    data = written([*SAMPLE, *later])

    def rest(time: int) -> list[tuple[int, RawBatch]]:
        opened = reader(data)
        opened.skip_to(time)
        found = [(entry.kind, entry.batch) for entry in opened.entries()]
        assert opened.finished
        assert opened.offset == len(data)
        return found

    assert rest(0) == rest(3007) == [*SAMPLE, *later]
    assert rest(3008) == rest(9007) == [*SAMPLE[5:], *later]
    assert rest(9008) == rest(1 << 62) == later


def test_a_checkpoint_that_fills_its_block() -> None:
    later = [(CHECKPOINT, batch(bytes(1 << 20))), (BATCH, batch(b"late", clock=9000, offset=7))]
    opened = reader(written([*SAMPLE, *later]))
    assert [each.records for each in opened.index()] == [2, 2, 0, 1]
    opened.skip_to(3008)
    assert [(entry.kind, entry.batch) for entry in opened.entries()] == later


def test_no_index_of_what_was_cut_off() -> None:
    data = written(SAMPLE)
    assert reader(data[:-1]).index() == ()
    assert reader(written(SAMPLE, close=False)).index() == ()


@pytest.mark.parametrize("flush", [False, True])
def test_cut_off_anywhere(flush: bool) -> None:
    whole = written(SAMPLE, flush=flush)
    header = len(written([], close=False))
    ends = [each.offset for each in reader(whole).index()[1:]] + [len(written(SAMPLE, flush=flush, close=False))]
    for length in range(len(whole)):
        data = whole[:length]
        if length < header:
            with pytest.raises(CaptureError, match=r"empty|ends within its header|not a capture"):
                reader(data)
            continue
        opened = reader(data)
        assert opened.index() == ()
        entries = [(entry.kind, entry.batch) for entry in opened.entries()]
        assert entries == SAMPLE[: len(entries)]
        assert not opened.finished
        whole_blocks = sum(end <= length for end in ends)
        assert len(entries) == (whole_blocks if flush else (0, 5, 7)[whole_blocks])  # a checkpoint begins a block


@given(st.data())
@settings(max_examples=300)
def test_damaged_anywhere(data: st.DataObject) -> None:
    whole = bytearray(written(SAMPLE, flush=True))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        opened = reader(bytes(whole))
        entries = [(entry.kind, entry.batch) for entry in opened.entries()]
        opened.index()
    except CaptureError as error:
        assert str(error).startswith("a capture: ")
        assert "\n" not in str(error)
    else:
        assert entries == SAMPLE


@given(st.binary(max_size=300))
def test_anything_behind_a_header(rest: bytes) -> None:
    data = written([], close=False) + rest
    try:
        assert read(data) == []
        reader(data).index()
    except CaptureError as error:
        assert "offset" in str(error)


def block(content: bytes, *, said: int | None = None, compressed: bytes | None = None) -> bytes:
    data = zstandard.compress(content) if compressed is None else compressed
    return pack_block(Block(0, 0, 0, 0, len(data), len(content) if said is None else said)) + data


@given(st.binary(min_size=1, max_size=300))
def test_any_content_of_a_block(content: bytes) -> None:
    try:
        read(written([], close=False) + block(content))
    except CaptureError as error:
        assert "offset" in str(error)


def test_bombs() -> None:
    header = written([], close=False)
    zeros = bytes(1 << 20)
    for data in (
        block(zeros, said=MAX_CONTENT + 1),
        block(zeros, said=10),
        block(zeros, compressed=zstandard.ZstdCompressor(write_content_size=False).compress(zeros)),
        block(zeros, compressed=zstandard.compress(zeros) + b"more"),
        block(bytes([1, 0]) + bytes(2) + struct.pack("<IqqqI", 0, 0, 0, 0, 1 << 31)),
        block(bytes([1, 0]) + bytes(2) + struct.pack("<IqqqI", 4, 0, 0, 0, 1) + b"\xff\xff\xff\xff"),
    ):
        with pytest.raises(CaptureError, match=f"offset {len(header)}: "):
            read(header + data)


def test_an_entry_that_never_ends() -> None:
    endless = bytes([1, 1]) + bytes(2) + struct.pack("<IqqqI", 4 << 16, 0, 0, 0, 1 << 16) + bytes(4 << 16)
    data = written([], close=False) + block(endless) * 20
    with pytest.raises(CaptureError, match="an entry of more than"):
        read(data)


def test_an_entry_goes_on_in_its_own_kind_and_form() -> None:
    head = struct.pack("<IqqqI", 0, 0, 0, 0, 0)
    data = written([], close=False) + block(bytes([1, 1, 0, 0]) + head + bytes([2, 0, 0, 0]) + head)
    with pytest.raises(CaptureError, match="goes on in one of another kind or form"):
        read(data)
    plain = bytes([1, 1, 0, 0]) + struct.pack("<IqqqI", 4, 0, 0, 0, 1) + bytes(4)
    numbered = bytes([1, 2, 0, 0]) + struct.pack("<IqqqI", 12, 0, 0, 0, 1) + bytes(12)
    with pytest.raises(CaptureError, match="goes on in one of another kind or form"):
        read(written([], close=False) + block(plain + numbered))


class TestHeader:
    def made(self, metadata: bytes, *, magic: bytes = b"TIERCEL\x1a", version: int = 1) -> bytes:
        payload = struct.pack("<4s8sHHI", b"TCAP", magic, version, 0, zlib.crc32(metadata)) + metadata
        return struct.pack("<II", 0x184D2A57, len(payload)) + payload

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "a capture: empty, not a capture"),
            (b"\x7fELF", "a capture: offset 0: not a capture (got 7f454c46); `tiercel record` makes them"),
            (b"- rule: x\n" * 20, "offset 0: not a capture"),
            (zstandard.compress(b"x" * 100), "offset 0: not a capture"),
        ],
    )
    def test_not_a_capture(self, data: bytes, message: str) -> None:
        with pytest.raises(CaptureError) as error:
            reader(data)
        assert message in str(error.value)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"version": 2}, "offset 20: a capture of format 2, this version of Tiercel reads 1; update Tiercel"),
            ({"magic": b"SYSDIG\0\0"}, "offset 12: not a capture"),
            ({"metadata": b"{"}, "offset 28: its metadata are no JSON"),
            ({"metadata": b"[]"}, "offset 28: its metadata are no JSON object"),
            ({"metadata": b"{}"}, "its metadata have no event_source (got 'None', expected str)"),
            ({"metadata": b""}, "metadata of 0 bytes"),
            (
                {"metadata": METADATA.to_json().replace(b'"lab-1"', b'"\\u001b[2J"')},
                "its metadata have no layout (got '\\x1b[2J', expected str)",
            ),
        ],
    )
    def test_another_header(self, change: dict, message: str) -> None:
        with pytest.raises(CaptureError) as error:
            reader(self.made(**({"metadata": METADATA.to_json()} | change)))
        assert message in str(error.value)

    def test_more_keys_than_known(self) -> None:
        assert reader(self.made(METADATA.to_json()[:-1] + b',"later":[1]}')).metadata == METADATA


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/bin", "/usr/bin"),
        ("/bin/", "/usr/bin/"),
        ("/bin/sh", "/usr/bin/sh"),
        ("/binary", None),
        ("bin/sh", None),
        ("/", None),
        ("", None),
    ],
)
def test_paths_of_that_host(path: str, leads_to: str | None) -> None:
    assert METADATA.resolve(path) == leads_to


def test_metadata_round_trip() -> None:
    assert Metadata.from_json(METADATA.to_json()) == METADATA
