from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.capture.test_source import Lab
from tiercel.capture import CaptureError
from tiercel.config.model import APPEND
from tiercel.runtime.host import DirectHost
from tiercel.runtime.recording import Sink, Told, links, open_sink


class Unnamed(Lab):
    name = "unnamed"
    layout = ""


def host(path: Path) -> DirectHost:
    return DirectHost({f"{APPEND}{path}": (str(path), "append")})


def test_writes_all(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    sink = open_sink(path, host(path), source=Lab)
    sink.write(b"x" * 100_000)
    sink.write(b"end")
    sink.close()
    assert path.read_bytes() == b"x" * 100_000 + b"end"


def test_what_exists_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(b"precious")
    with pytest.raises(CaptureError, match=r"capture: not empty \(got 8 bytes\); remove it"):
        open_sink(path, host(path), source=Lab)
    assert path.read_bytes() == b"precious"


def test_a_source_without_a_layout(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    with pytest.raises(CaptureError, match="source unnamed: its records cannot be kept in captures"):
        open_sink(path, host(path), source=Unnamed)
    assert not path.exists()


def test_a_pipe_is_written_as_it_is_read() -> None:
    reading, writing = os.pipe()
    sink = Sink(writing, "pipe")

    def write() -> None:
        sink.write(b"y" * 300_000)
        sink.close()

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as file:
        time.sleep(0.05)
        assert file.read() == b"y" * 300_000
    writer.join()


def test_a_pipe_that_nobody_reads_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiercel.runtime.recording.GRACE", 0.1)
    reading, writing = os.pipe()
    sink = Sink(writing, "pipe")
    threading.Timer(0.1, sink.stop).start()
    with pytest.raises(OSError, match="nobody reads it"):
        sink.write(b"z" * 300_000)
    sink.close()
    os.close(reading)


def test_a_pipe_that_was_left() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    sink = Sink(writing, "pipe")
    with pytest.raises(BrokenPipeError):
        sink.write(b"x")
    sink.close()


def test_links_lead_to_directories() -> None:
    found = links()
    assert all(os.path.isdir(target) and path != target for path, target in found.items())
    assert not os.path.islink("/bin") or found["/bin"] == os.path.realpath("/bin")


def test_the_size_is_told_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    made: Any = SimpleNamespace(records=7, size=3 << 19)
    told = Told(made, clock=lambda: now)
    with caplog.at_level("INFO", "tiercel"):
        for now in (100.0, 109.9, 110.0, 111.0, 120.1):  # noqa: B007  the clock
            told()
    assert caplog.messages == ["recorded 7 records, 1.5 MiB so far"] * 2
