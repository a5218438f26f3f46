"""A capture as a source gives the decoder what it got live, at the same places."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.capture.made import BATCH, CHECKPOINT, METADATA, SAMPLE, STATE, batch, reader, written
from tiercel import ChangePoint, RawBatch, Source, SourcePlan, Stability
from tiercel.capture import CaptureError, CaptureSource
from tiercel.capture.format import Entry
from tiercel.capture.recorder import Recorder

SECOND = 1_000_000_000
PLAN = SourcePlan("lab", 1, METADATA.types, (), METADATA.fields, ChangePoint.NEVER, lambda _: ())


class Lab(Source):
    """Delivers what it is given."""

    name = "lab"
    event_source = "lab"
    summary = "For tests."
    api_version = "1.0"
    stability = Stability.BETA
    layout = "lab-1"
    origin = "boot:1"

    def __init__(self, *steps: RawBatch | None, journal: tuple[bytes, ...] = ()) -> None:
        self.steps = list(steps)
        self.states: list[RawBatch | None] = []
        self.kept = journal
        self.stopped = False

    def read(self, timeout: float) -> RawBatch | None:
        return self.steps.pop(0) if self.steps else None

    def snapshot(self) -> RawBatch | None:
        return self.states.pop(0) if self.states else None

    def journal(self) -> Iterator[bytes]:
        return iter(self.kept)

    def pack(self, record: str) -> bytes:
        return record.encode()

    def stop(self) -> None:
        self.stopped = True

    def counters(self) -> dict[str, dict[str, int]]:
        return {"open": {"lost": 2}}


def replayed(data: bytes, **more: Any) -> CaptureSource:
    opened = reader(data)
    source = CaptureSource(opened.metadata, opened.entries(), unpack=bytes.decode, **more)
    source.open(PLAN)
    return source


def taken(source: Source, asks: tuple[int, ...]) -> list[Any]:
    """What a decoder gets that asks for a snapshot at the start and during these batches."""
    got: list[Any] = [source.snapshot(), list(source.journal())]
    number = 0
    while (each := source.read(1)) is not None:
        got.append(each)
        if number in asks:
            got.append(source.snapshot())
        number += 1
    return got


ASKS = (0, 2)


@pytest.fixture
def live() -> tuple[bytes, list[Any]]:
    """A recording, and what its decoder got."""
    batches = [batch((n, bytes([n])), clock=n, position=n) for n in range(4)]
    source = Lab(*batches, batch(clock=9), journal=(b"fork",))
    source.states = [batch("one", "two"), None, batch("three")]
    out: list[bytes] = []
    recorder = Recorder(source, out.append, METADATA, name="file")
    got = taken(recorder, ASKS)
    recorder.finish()
    return b"".join(out), got


def test_the_decoder_gets_what_it_got_live(live: tuple[bytes, list[Any]]) -> None:
    data, got = live
    assert [each is None for each in got].count(True) == 1
    assert taken(replayed(data), ASKS) == got


def test_a_decoder_that_asks_elsewhere_gets_nothing_stale(live: tuple[bytes, list[Any]]) -> None:
    data, _ = live
    got = taken(replayed(data), (1, 3))
    assert [each for each in got if each is None] == [None, None]


def test_losses_are_in_the_capture(live: tuple[bytes, list[Any]]) -> None:
    opened = reader(live[0])
    list(opened.entries())
    assert opened.losses() == {"open": 2}
    assert opened.summary["records"] == 4


def test_checkpoints_are_for_those_who_start_there() -> None:
    states = [each for kind, each in SAMPLE if kind == STATE]
    entries = [Entry(kind, each) for kind, each in SAMPLE]

    def run(some: list[Entry]) -> list[Any]:
        source = CaptureSource(METADATA, some, unpack=bytes)
        source.open(PLAN)
        return taken(source, (0, 1, 2))

    assert run(entries) == [states[0], [b"fork"], SAMPLE[2][1], None, SAMPLE[3][1], states[1], SAMPLE[6][1], None]
    assert run(entries[5:]) == [SAMPLE[5][1], [], SAMPLE[6][1], None]


def test_entries_can_be_replayed_again() -> None:
    entries = [Entry(STATE, batch(b"row")), Entry(BATCH, batch(b"record"))]
    for _ in range(2):
        source = CaptureSource(METADATA, entries, unpack=bytes.decode)
        source.open(PLAN)
        assert taken(source, ()) == [batch("row"), [], batch(b"record")]


def test_damaged_snapshot() -> None:
    with pytest.raises(CaptureError, match="here: a record of a snapshot is damaged: "):
        replayed(written([(STATE, batch(b"\xff"))]), where="here")


class TestSpeed:
    DATA = written([(BATCH, batch(bytes([n]), clock=n * SECOND)) for n in (5, 6, 6, 7)])

    def test_twenty_times_as_fast(self) -> None:
        source, begin, times = replayed(self.DATA, speed=20), time.monotonic(), []
        while (each := source.read(0.01)) is not None:
            if each.records:
                times.append(time.monotonic() - begin)
            assert times or each.clock
        assert len(times) == 4
        assert times[0] < 0.05 <= times[1] <= times[2] < times[3]
        assert times[3] >= 0.1

    def test_waits_no_longer_than_asked(self) -> None:
        source = replayed(self.DATA, speed=0.001)
        assert source.read(0.01) == batch(b"\x05", clock=5 * SECOND)
        assert source.read(0.01) == RawBatch("lab", (), clock=6 * SECOND)

    def test_stop_ends_the_wait(self) -> None:
        source = replayed(self.DATA, speed=0.001)
        source.read(1)
        source.stop()
        assert source.read(60) is None


class TestRecorder:
    def test_full_disk(self) -> None:
        def write(data: bytes) -> None:
            if b"TBLK" in data[:20]:
                raise OSError(28, "No space left on device")

        recorder = Recorder(Lab(batch(b"x")), write, METADATA, name="file")
        recorder.read(1)
        with pytest.raises(CaptureError, match=r"^file: cannot be written: No space left on device; what was written so far"):
            recorder.finish()
        recorder.finish()  # nothing is tried again

    def test_records_that_captures_cannot_hold(self) -> None:
        recorder = Recorder(Lab(batch(7)), lambda _: None, METADATA, name="file")
        with pytest.raises(CaptureError, match="file: source lab delivered what captures cannot hold"):
            recorder.read(1)

    def test_hands_on(self) -> None:
        source = Lab()
        recorder = Recorder(source, lambda _: None, METADATA, name="file")
        recorder.stop()
        assert source.stopped
        assert (recorder.origin, recorder.counters(), recorder.event_source) == ("boot:1", {"open": {"lost": 2}}, "lab")

    def test_checkpoints_and_blocks_by_the_clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = [100.0]
        monkeypatch.setattr("tiercel.capture.recorder.time.monotonic", lambda: now[0])
        source = Lab(*(batch(bytes([n]), clock=n) for n in range(1, 5)))
        source.states = [batch("later")]
        out: list[bytes] = []
        recorder = Recorder(source, out.append, METADATA, name="file")
        for seconds in (0, 0.5, 1.5, 61):
            now[0] = 100 + seconds
            recorder.read(1)
        recorder.finish()
        opened = reader(b"".join(out))
        assert [(each.records, each.flags) for each in opened.index()] == [(2, 0), (1, 0), (1, 1)]
        assert [entry.kind for entry in opened.entries()] == [BATCH, BATCH, BATCH, CHECKPOINT, BATCH]
