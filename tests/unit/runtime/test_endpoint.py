from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tiercel.config.endpoint import Endpoint as Settings
from tiercel.runtime import endpoint as module
from tiercel.runtime.endpoint import MAX_CONNECTIONS, MAX_REQUEST, Answer, Endpoint
from tiercel.runtime.host import DirectHost

NO_PORT = Settings(port=0)


def broken() -> Answer:
    raise ValueError("bug")


ROUTES = {"/page": lambda: Answer(b"hello\n"), "/broken": broken}


def listening(
    body: Callable[[Endpoint], Awaitable[None]], settings: Settings = NO_PORT, files: dict[str, tuple[str, str]] | None = None
) -> Endpoint:
    """Does `body` while an endpoint listens."""
    endpoint = Endpoint(ROUTES, DirectHost(files or {}))

    async def whole() -> None:
        await endpoint.start(settings)
        try:
            await body(endpoint)
        finally:
            await endpoint.close()

    asyncio.run(whole())
    return endpoint


def exchanged(*requests: bytes, settings: Settings = NO_PORT, close: bool = False) -> list[bytes]:
    """What each request is answered, on a connection of its own."""
    answers = []

    async def body(endpoint: Endpoint) -> None:
        host, _, port = endpoint.address.removeprefix("http://").rpartition(":")
        for request in requests:
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            writer.write(request)
            if close:
                writer.write_eof()
            answers.append(await reader.read())
            writer.close()

    listening(body, settings)
    return answers


def test_a_page() -> None:
    [answer] = exchanged(b"GET /page?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"hello\n"
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Length: 6",
        b"Cache-Control: no-store",
        b"X-Content-Type-Options: nosniff",
        b"Connection: close",
    ]


def test_head_is_get_without_the_body() -> None:
    got, head = exchanged(b"GET /page HTTP/1.0\r\n\r\n", b"HEAD /page HTTP/1.0\r\n\r\n")
    assert head == got.removesuffix(b"hello\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"GET /page/ HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"GET /../page HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /page HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"405 Method Not Allowed"),
        (b"GET /page\r\n\r\n", b"400 Bad Request"),
        (b"GET  /page HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"\r\n\r\n", b"400 Bad Request"),
        (b"\xff\x00 \xfe HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
        (b"GET /broken HTTP/1.1\r\n\r\n", b"500 Internal Server Error"),
    ],
)
def test_what_is_refused(request_: bytes, status: bytes) -> None:
    [answer] = exchanged(request_)
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert (b"Allow: GET, HEAD\r\n" in answer) == status.startswith(b"405")


def test_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    assert exchanged(b"GET /page HTTP/1.1\r\nX: " + b"x" * 2 * MAX_REQUEST, b"GET /page HTTP/1.1\r\n", b"") == [b"", b"", b""]
    assert exchanged(b"GET /page HTTP/1.1\r\n", close=True) == [b""]


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.5)

    async def body(endpoint: Endpoint) -> None:
        port = int(endpoint.address.rpartition(":")[2])
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_CONNECTIONS)]
        await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)  # who is idle for the longest gives way
        writer.write(b"GET /page HTTP/1.1\r\n\r\n")
        assert (await reader.read()).endswith(b"hello\n")
        writer.close()
        with contextlib.suppress(ConnectionResetError):
            assert await opened[0][0].read() == b""
        assert endpoint.refused == 1
        opened[1][1].write(b"GET /page HTTP/1.1\r\n\r\n")
        assert (await opened[1][0].read()).endswith(b"hello\n")
        await asyncio.sleep(0.6)  # the others were too slow
        assert endpoint.refused == MAX_CONNECTIONS - 1
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /page HTTP/1.1\r\n\r\n")
        assert (await reader.read()).endswith(b"hello\n")
        for _, each in opened:
            each.close()
        writer.close()

    assert listening(body).requests == 3


async def nothing(_: Endpoint) -> None:
    pass


def test_ipv6() -> None:
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    assert exchanged(b"GET /page HTTP/1.1\r\n\r\n", settings=Settings(address="::1", port=0))[0].endswith(b"hello\n")


def test_none_if_it_is_switched_off() -> None:
    async def body(endpoint: Endpoint) -> None:
        assert endpoint.address == ""

    listening(body, Settings(enabled=False))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (Settings(address="192.0.2.1"), "192.0.2.1:7765: Cannot assign requested address"),
        (Settings(port=0, certificate="pem"), "grant 'pem': not in the configuration (granted: none)"),
        (Settings(address="no-such-host.invalid"), "no-such-host.invalid:7765: "),
        (Settings(port=0, key="pem"), "endpoint.key: a key without endpoint.certificate"),
    ],
)
def test_where_it_cannot_listen(settings: Settings, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    listening(nothing, settings)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert reason in record.getMessage()
    assert "Unknown error" not in record.getMessage()


def test_a_port_in_use(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        listening(nothing, Settings(port=port))
    assert f"endpoint: cannot listen on 127.0.0.1:{port}: Address already in use; " in caplog.text


def test_a_port_that_becomes_free(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "RETRY", 0.02)
    other = socket.create_server(("127.0.0.1", 0))
    port = other.getsockname()[1]

    async def body(endpoint: Endpoint) -> None:
        await asyncio.sleep(0.1)
        assert (endpoint.address, "Address already in use" in endpoint.problem) == ("", True)
        other.close()
        async with asyncio.timeout(10):
            while not endpoint.address:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (endpoint.address, endpoint.problem) == (f"http://127.0.0.1:{port}", "")

    listening(body, Settings(port=port))
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_what_everybody_can_reach_is_named(caplog: pytest.LogCaptureFixture) -> None:
    listening(nothing, Settings(address="0.0.0.0", port=0))
    assert "can be read by everybody who reaches it" in caplog.text


def test_starting_again_moves_it() -> None:
    async def body(endpoint: Endpoint) -> None:
        old = endpoint.address
        await endpoint.start(NO_PORT)
        assert endpoint.address not in ("", old)
        with pytest.raises(OSError, match="Connect"):
            await asyncio.open_connection("127.0.0.1", int(old.rpartition(":")[2]))

    listening(body)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a certificate for localhost, and its key."""
    folder = tmp_path_factory.mktemp("pem")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    (folder / "both").write_bytes((folder / "cert").read_bytes() + (folder / "key").read_bytes())
    return folder


@pytest.mark.parametrize("settings", [Settings(port=0, certificate="cert", key="key"), Settings(port=0, certificate="both")])
def test_tls(settings: Settings, pem: Path) -> None:
    context = ssl.create_default_context(cafile=pem / "cert")

    async def body(endpoint: Endpoint) -> None:
        assert endpoint.address.startswith("https://127.0.0.1:")
        url = endpoint.address.replace("127.0.0.1", "localhost") + "/page"

        def ask() -> bytes:
            with urllib.request.urlopen(url, context=context, timeout=5) as answer:
                return bytes(answer.read())

        assert await asyncio.to_thread(ask) == b"hello\n"

    listening(body, settings, {name: (str(pem / name), "read") for name in ("cert", "key", "both")})


def test_a_certificate_that_is_none(pem: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = len(os.listdir("/proc/self/fd"))
    listening(nothing, Settings(port=0, certificate="key"), {"key": (str(pem / "key"), "read")})
    assert "cannot listen on 127.0.0.1:0: " in caplog.text
    assert len(os.listdir("/proc/self/fd")) == before
