from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.runtime.asynchronous import asynchronous
from tiercel.errors import UserError
from tiercel.runtime.control import MAX_PATH, NAME, Control, NotRunning, ask


async def asked() -> Mapping[str, Any]:
    return {"ok": True, "lines": ["a", "b"]}


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose path leaves room for a socket's."""
    with tempfile.TemporaryDirectory(prefix="tc-", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture
def control(short: Path) -> Control:
    return Control(short, {"reload": asked})


def lines(path: Path, data: bytes) -> bytes:
    """What comes back for some bytes."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(5)
        channel.connect(str(path))
        channel.sendall(data)
        channel.shutdown(socket.SHUT_WR)
        return channel.makefile("rb").read()


@asynchronous
async def test_a_request_and_its_answer(control: Control, short: Path) -> None:
    await control.start()
    assert await asyncio.to_thread(ask, short, {"op": "reload"}) == {"ok": True, "lines": ["a", "b"]}
    assert (short / NAME).stat().st_mode & 0o777 == 0o600
    await control.close()
    await control.close()
    assert not (short / NAME).exists()
    with pytest.raises(NotRunning, match="no running sensor listens there"):
        ask(short, {"op": "reload"})


@pytest.mark.parametrize(
    "data", [b"\n", b"{}\n", b"[]\n", b'{"op": "exec"}\n', b'{"op": ["reload"]}\n', b'{"op": null}\n', b"\xff\n", b"[" * 100_000 + b"\n"]
)
@asynchronous
async def test_anything_else_is_refused(control: Control, short: Path, data: bytes) -> None:
    await control.start()
    answer = json.loads(await asyncio.to_thread(lines, short / NAME, data))
    assert answer == {"error": "request: not known (expected op, one of reload)"}
    await control.close()


@asynchronous
async def test_a_line_without_an_end_is_left_alone(control: Control, short: Path) -> None:
    await control.start()
    with contextlib.suppress(ConnectionError):  # it is closed while we write
        assert await asyncio.to_thread(lines, short / NAME, b"x" * (3 << 20)) == b""
    assert (await asyncio.to_thread(ask, short, {"op": "reload"}))["ok"]
    await control.close()


@asynchronous
async def test_a_refusal_is_an_error_of_the_command(control: Control, short: Path) -> None:
    await control.start()
    with pytest.raises(UserError, match="request: not known"):
        await asyncio.to_thread(ask, short, {"op": "dance"})
    await control.close()


@asynchronous
async def test_the_socket_of_a_sensor_that_died_is_replaced(control: Control, short: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(short / NAME))
    await control.start()
    assert (await asyncio.to_thread(ask, short, {"op": "reload"}))["ok"]
    await control.close()


@asynchronous
async def test_the_socket_of_one_that_lives_is_its_own(control: Control, short: Path, caplog: pytest.LogCaptureFixture) -> None:
    await control.start()
    other = Control(short, {})
    with caplog.at_level(logging.WARNING):
        await other.start()
    assert "another sensor listens there" in caplog.text
    await other.close()
    assert (await asyncio.to_thread(ask, short, {"op": "reload"}))["ok"]
    await control.close()


@asynchronous
async def test_what_cannot_be_bound_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    control = Control(tmp_path / ("x" * MAX_PATH), {})
    with caplog.at_level(logging.WARNING):
        await control.start()
    assert "its path is too long" in caplog.text
    await control.close()
