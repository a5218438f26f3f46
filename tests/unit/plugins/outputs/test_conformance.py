"""The checks for authors of outputs, with our own. Each check has a destination of its own."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.plugins.outputs.servers import Authority, Identity, Rsyslog, WebServer, dead, rsyslog, until
from tiercel import Output
from tiercel.testing.outputs import CHECKS, Destination, run
from tiercel_file import File
from tiercel_http import Http
from tiercel_program import Program
from tiercel_stdout import Stdout
from tiercel_syslog import Syslog

Made = Callable[[Path], AbstractContextManager[Destination]]


def lines(*paths: Path) -> list[bytes]:
    return [line for path in paths if path.is_file() for line in path.read_bytes().splitlines()]


@contextlib.contextmanager
def granted(directory: Path) -> Iterator[Destination]:
    out = directory / "out"
    yield Destination(config={"grant": "out"}, grants={"out": (str(out), "append")}, received=lambda: lines(out))


@contextlib.contextmanager
def own(directory: Path) -> Iterator[Destination]:
    path = directory / "out"

    def stop() -> None:
        path.rename(directory / "earlier")
        path.mkdir()

    yield Destination(config={"path": str(path)}, received=lambda: lines(directory / "earlier", path), stop=stop, start=path.rmdir)


@contextlib.contextmanager
def rotating(directory: Path) -> Iterator[Destination]:
    path = directory / "out"
    config = {"path": str(path), "rotate": {"max_size_mb": 0.01, "keep": 1000}}
    yield Destination(config=config, received=lambda: lines(*sorted(directory.glob("out.*")), path))


@contextlib.contextmanager
def stdout(directory: Path) -> Iterator[Destination]:
    out = directory / "out"
    kept = os.dup(1)
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.close(descriptor)
        yield Destination(config={}, received=lambda: lines(out))
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def script(directory: Path, text: str) -> str:
    path = directory / "program"
    path.write_text(f"#!/bin/sh\ncd {directory}\n[ -e down ] && exit 1\n{text}\n")
    path.chmod(0o755)
    return str(path)


@contextlib.contextmanager
def program(directory: Path) -> Iterator[Destination]:
    down = directory / "down"
    config = {"command": [script(directory, "exec cat >>out")], "environment": {"TOKEN": "hunter2"}}
    yield Destination(config=config, received=lambda: lines(directory / "out"), stop=down.touch, start=down.unlink)


@contextlib.contextmanager
def kept_program(directory: Path) -> Iterator[Destination]:
    def stop() -> None:
        (directory / "down").touch()
        pid = int((directory / "pid").read_text())
        until(lambda: len(lines(directory / "out")) == 20)
        os.kill(pid, signal.SIGKILL)
        until(lambda: dead(pid))

    config = {"command": [script(directory, "echo $$ >pid; exec cat >>out")], "keep_alive": True}
    yield Destination(config=config, received=lambda: lines(directory / "out"), stop=stop, start=(directory / "down").unlink)


@contextlib.contextmanager
def http(body: str) -> Iterator[Destination]:
    with WebServer() as server:
        config = {"url": f"{server.url}/h00k", "body": body, "bearer_token": "hunter2"}
        yield Destination(config=config, received=server.records, stop=server.away.set, start=server.away.clear)


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return Authority(tmp_path_factory.mktemp("authority")).issue("127.0.0.1")


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory, identity: Identity) -> Iterator[Rsyslog]:
    with rsyslog(tmp_path_factory.mktemp("rsyslog"), identity) as running:
        yield running


OUTPUTS: dict[str, tuple[type[Output], Made]] = {
    "file-grant": (File, granted),
    "file-path": (File, own),
    "file-rotating": (File, rotating),
    "stdout": (Stdout, stdout),
    "program": (Program, program),
    "program-kept": (Program, kept_program),
    "http": (Http, lambda directory: http("alert")),
    "http-lines": (Http, lambda directory: http("lines")),
    "http-array": (Http, lambda directory: http("array")),
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("output", OUTPUTS)
def test_outputs(output: str, check: str, tmp_path: Path) -> None:
    cls, made = OUTPUTS[output]
    with made(tmp_path) as destination:
        run(check, cls, destination)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("way", ["unix", "tcp", "tls"])  # udp promises nothing
def test_syslog(way: str, check: str, receiver: Rsyslog, identity: Identity) -> None:
    before = len(lines(receiver.out))
    tls = {"ca_file": str(identity.ca), "certificate_file": str(identity.certificate), "key_file": str(identity.key)}
    configs: dict[str, dict[str, Any]] = {
        "unix": {"path": f"{receiver.socket}.local"},
        "tcp": {"transport": "tcp", "host": "127.0.0.1", "port": receiver.tcp},
        "tls": {"transport": "tls", "host": "127.0.0.1", "port": receiver.gtls, "tls": tls},
    }
    received = lambda: lines(receiver.out)[before:]  # noqa: E731
    run(check, Syslog, Destination(config=configs[way], received=received, stop=receiver.stop, start=receiver.start))
