from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.outputs.support import Granting, Numbers, alert, context
from tiercel import Context, Retry, UserError
from tiercel_file import File, tiercel_register_outputs


def made(directory: Path) -> File:
    return File.from_config({"grant": "alerts", "format": "numbers"}, context(directory))


class Disk:
    """Stands in for os.write: takes so many bytes per call, and fails where it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *steps: int | OSError) -> None:
        self.steps = list(steps)
        self.write = os.write
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: Any) -> int:
        step = self.steps.pop(0) if self.steps else len(data)
        if isinstance(step, OSError):
            raise step
        return self.write(descriptor, data[:step])


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def test_is_registered() -> None:
    assert list(tiercel_register_outputs()) == [File]


def test_appends_one_line_per_alert(tmp_path: Path) -> None:
    (tmp_path / "alerts").write_text("old\n")

    async def run() -> None:
        output = made(tmp_path)
        await output.open()
        await output.deliver([alert(1), alert(2)])
        await output.deliver([])
        await output.deliver([alert(3)])
        await output.close()

    asyncio.run(run())
    assert (tmp_path / "alerts").read_text() == "old\n0001\n0002\n0003\n"


def test_partial_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Disk(monkeypatch, 3, 1, 2)

    async def run() -> None:
        output = made(tmp_path)
        await output.open()
        await output.deliver([alert(1), alert(2)])
        await output.close()

    asyncio.run(run())
    assert (tmp_path / "alerts").read_text() == "0001\n0002\n"


def test_a_full_disk_is_tried_again_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Disk(monkeypatch, 7, full(), full())

    async def run() -> None:
        output = made(tmp_path)
        await output.open()
        batch = [alert(1), alert(2), alert(3)]
        for _ in range(2):
            with pytest.raises(Retry, match="grant alerts: No space left on device"):
                await output.deliver(batch)
        await output.deliver(batch)
        await output.deliver(batch)
        await output.close()

    asyncio.run(run())
    assert (tmp_path / "alerts").read_text() == "0001\n0002\n0003\n" * 2


@given(st.lists(st.integers(1, 9) | st.none(), max_size=12))
def test_whatever_the_disk_does_each_alert_is_one_whole_line(tmp_path_factory: pytest.TempPathFactory, steps: list[int | None]) -> None:
    directory = tmp_path_factory.mktemp("disk")

    async def run() -> None:
        output = made(directory)
        await output.open()
        for first in (1, 3):
            for _ in range(len(steps) + 1):
                try:
                    await output.deliver([alert(first), alert(first + 1)])
                    break
                except Retry:
                    continue
        await output.close()

    with pytest.MonkeyPatch.context() as monkeypatch:
        Disk(monkeypatch, *(full() if step is None else step for step in steps))
        asyncio.run(run())
    assert (directory / "alerts").read_text() == "0001\n0002\n0003\n0004\n"


def test_reopen_writes_to_the_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        output = made(tmp_path)
        await output.open()
        await output.deliver([alert(1)])
        Disk(monkeypatch, 2, full())
        with pytest.raises(Retry):
            await output.deliver([alert(2)])
        (tmp_path / "alerts").rename(tmp_path / "alerts.1")
        await output.reopen()
        await output.deliver([alert(2)])
        await output.close()

    asyncio.run(run())
    assert (tmp_path / "alerts.1").read_text() == "0001\n", "no half a line is left behind"
    assert (tmp_path / "alerts").read_text() == "0002\n"


def test_a_refused_reopen_keeps_the_old_file(tmp_path: Path) -> None:
    async def run() -> None:
        host = Granting(tmp_path)
        output = File.from_config({"grant": "alerts", "format": "numbers"}, Context("file", "web1", host, {"numbers": Numbers()}))
        await output.open()
        host.refuses = True
        with pytest.raises(UserError):
            await output.reopen()
        await output.deliver([alert(1)])
        await output.close()

    asyncio.run(run())
    assert (tmp_path / "alerts").read_text() == "0001\n"


def test_descriptors_are_released(tmp_path: Path) -> None:
    async def run() -> list[int]:
        host = Granting(tmp_path)
        output = File.from_config({"grant": "alerts", "format": "numbers"}, Context("file", "web1", host, {"numbers": Numbers()}))
        await output.close()
        await output.open()
        await output.reopen()
        await output.close()
        await output.close()
        return host.opened

    for descriptor in asyncio.run(run()):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
