from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.plugins.outputs.support import Numbers, alert
from tiercel import Context, Host, Permanent
from tiercel_stdout import Stdout, tiercel_register_outputs


def made(monkeypatch: pytest.MonkeyPatch, target: int, width: int = 4) -> Stdout:
    """The output with a standard output of its own."""
    duplicate = os.dup
    monkeypatch.setattr(os, "dup", lambda descriptor: duplicate(target) if descriptor == 1 else duplicate(descriptor))
    return Stdout.from_config({"format": "numbers"}, Context("stdout", "web1", Host(), {"numbers": Numbers(width)}))


def lines(count: int, width: int = 4) -> bytes:
    return b"".join(b"%0*d\n" % (width, number) for number in range(1, count + 1))


def test_is_registered() -> None:
    assert list(tiercel_register_outputs()) == [Stdout]


def test_writes_lines_to_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def run() -> None:
        with (tmp_path / "out").open("wb") as file:
            output = made(monkeypatch, file.fileno(), 1000)
            await output.open()
            await output.deliver([alert(number) for number in range(1, 51)])
            await output.close()
            await output.close()

    asyncio.run(run())
    assert (tmp_path / "out").read_bytes() == lines(50, 1000)


def piped(monkeypatch: pytest.MonkeyPatch, width: int, use: Callable[[Stdout, int], Awaitable[None]]) -> None:
    async def run() -> None:
        reader, writer = os.pipe()
        output = made(monkeypatch, writer, width)
        await output.open()
        os.close(writer)
        try:
            await use(output, reader)
        finally:
            await output.close()

    asyncio.run(run())


def read(reader: int, count: int) -> bytes:
    found = b""
    while len(found) < count:
        found += os.read(reader, 65536)
    return found


def test_a_reader_that_pauses_does_not_stop_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(output: Stdout, reader: int) -> None:
        delivery = asyncio.create_task(output.deliver([alert(number) for number in range(1, 201)]))
        await asyncio.sleep(0.05)
        assert not delivery.done()
        expected = lines(200, 1000)
        assert await asyncio.to_thread(read, reader, len(expected)) == expected
        await delivery
        os.close(reader)

    piped(monkeypatch, 1000, use)


def test_an_interrupted_batch_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(output: Stdout, reader: int) -> None:
        batch = [alert(number) for number in range(1, 201)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(output.deliver(batch), 0.05)
        delivery = asyncio.create_task(output.deliver(batch))
        expected = lines(200, 1000)
        assert await asyncio.to_thread(read, reader, len(expected)) == expected
        await delivery
        os.close(reader)

    piped(monkeypatch, 1000, use)


def test_a_reader_that_left_is_permanent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(output: Stdout, reader: int) -> None:
        os.close(reader)
        with pytest.raises(Permanent, match="nobody reads standard output any more"):
            await output.deliver([alert(1)])

    piped(monkeypatch, 4, use)


def test_several_share_standard_output() -> None:
    code = """
import asyncio
from tests.unit.plugins.outputs.support import Numbers, alert
from tiercel import Context, Host
from tiercel_stdout import Stdout

async def main():
    outputs = [Stdout.from_config({"format": "numbers"}, Context(i, "h", Host(), {"numbers": Numbers()})) for i in ("stdout", "stdout/2")]
    for output in outputs:
        await output.open()
        await output.deliver([alert(1)])
    for output in outputs:
        await output.close()

asyncio.run(main())
"""
    path = [entry for entry in sys.path if entry]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{code}"], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "0001\n0001\n")
