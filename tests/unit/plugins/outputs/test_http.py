"""Against a real web server, behind nginx where TLS is concerned."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import gzip
import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.unit.plugins.outputs.servers import Authority, Identity, Nginx, free_port, listening
from tests.unit.plugins.outputs.support import Granting, Numbers, alert
from tiercel import Context, Permanent, Retry, UserError
from tiercel.config.schema import with_defaults
from tiercel_formats import Json, Text
from tiercel_http import Http, tiercel_register_outputs

Respond = Callable[[bytes], web.Response]


def made(directory: Path = Path("/nonexistent"), **options: Any) -> Http:
    context = Context("http/x", "web1", Granting(directory), {"numbers": Numbers(), "text": Text(), "json": Json()})
    return Http.from_config(with_defaults(Http.config_schema, options), context)


class Server:
    """Takes everything, unless it is told otherwise for the next requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[Any, bytes]] = []
        self.next: list[web.Response | Respond | None] = []
        self.connections: set[Any] = set()
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append((request, body))
        self.connections.add(request.transport)
        answer = self.next.pop(0) if self.next else None
        if answer is None:
            return web.Response(status=204)
        return answer(body) if callable(answer) else answer

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body in self.requests]


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    application = web.Application(client_max_size=1 << 24)
    application.router.add_route("*", "/{anything:.*}", server.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def run(check: Callable[[Server], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serving() as server:
            await check(server)

    asyncio.run(main())


@contextlib.asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[Http]:
    output = made(**options)
    await output.open()
    try:
        yield output
    finally:
        await output.close()


def test_is_registered() -> None:
    assert list(tiercel_register_outputs()) == [Http]


def test_one_alert_in_a_request_in_order_on_one_connection() -> None:
    async def check(server: Server) -> None:
        async with opened(url=server.url + "/hook?a=1", bearer_token="t0ken", headers={"X-Team": "blue"}) as output:
            await output.deliver([alert(n) for n in range(1, 21)])
            await output.deliver([alert(21)])
        assert [json.loads(body)["id"] for body in server.bodies] == [alert(n).id for n in range(1, 22)]
        request = server.requests[0][0]
        assert (request.method, request.path_qs) == ("POST", "/hook?a=1")
        assert (request.headers["Content-Type"], request.headers["Authorization"], request.headers["X-Team"]) == (
            "application/json",
            "Bearer t0ken",
            "blue",
        )
        assert len(server.connections) == 1

    run(check)


@pytest.mark.parametrize(("body", "expected"), [("array", b"[0001,0002,0003]"), ("lines", b"0001\n0002\n0003\n")])
def test_batches(body: str, expected: bytes) -> None:
    async def check(server: Server) -> None:
        async with opened(url=server.url, body=body, format="numbers", batch_max=3) as output:
            await output.deliver([alert(n) for n in range(1, 8)])
        assert server.bodies[0] == expected
        assert len(server.bodies) == 3

    run(check)


def test_compressed_and_signed() -> None:
    async def check(server: Server) -> None:
        async with opened(url=server.url, body="lines", format="numbers", compression="gzip", signing_key="k3y") as output:
            await output.deliver([alert(1)])
        request, read = server.requests[0]
        assert read == b"0001\n", "aiohttp decompresses what it reads"
        stamp, signature = request.headers["X-Tiercel-Signature"].removeprefix("t=").split(",v1=")
        sent = gzip.compress(b"0001\n", 6, mtime=0)
        assert signature == hmac.new(b"k3y", f"{stamp}.".encode() + sent, hashlib.sha256).hexdigest()
        assert abs(int(stamp) - time.time()) < 60

    run(check)


def test_statuses_that_are_tried_again() -> None:
    async def check(server: Server) -> None:
        date = email.utils.formatdate(time.time() + 90, usegmt=True)
        cases: list[tuple[int, dict[str, str], float | None]] = [
            (408, {}, None),
            (425, {}, None),
            (429, {"Retry-After": "7"}, 7.0),
            (503, {"Retry-After": date}, 90.0),
            (500, {"Retry-After": "nonsense"}, None),
            (407, {}, None),
        ]
        async with opened(url=server.url) as output:
            for status, headers, after in cases:
                server.next = [web.Response(status=status, headers=headers, text="try\nlater")]
                with pytest.raises(Retry, match=f"{server.url}: {status} .*: try later") as caught:
                    await output.deliver([alert(1)])
                assert caught.value.after == (after if after is None else pytest.approx(after, abs=5))

    run(check)


def test_what_was_accepted_is_not_sent_again() -> None:
    async def check(server: Server) -> None:
        async with opened(url=server.url, format="numbers") as output:
            batch = [alert(n) for n in range(1, 5)]
            server.next = [None, None, web.Response(status=500)]
            with pytest.raises(Retry):
                await output.deliver(batch)
            await output.deliver(batch)
            await output.deliver([alert(1)])
        assert server.bodies == [b"0001", b"0002", b"0003", b"0003", b"0004", b"0001"]

    run(check)


def test_refusals_name_the_alerts_that_they_are_about() -> None:
    async def check(server: Server) -> None:
        async with opened(url=server.url, format="numbers") as output:
            server.next = [None, web.Response(status=404, text="no such hook"), web.Response(status=500)]
            batch = [alert(n) for n in range(1, 4)]
            with pytest.raises(Retry):
                await output.deliver(batch)
            with pytest.raises(Permanent, match="404 Not Found: no such hook") as caught:
                await output.deliver(batch)
            assert caught.value.refused == {alert(2).id}
        assert server.bodies == [b"0001", b"0002", b"0003", b"0003"]

    run(check)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_batch_is_split_until_only_the_culprit_is_refused(status: int) -> None:
    def picky(body: bytes) -> web.Response:
        lines = body.split()
        return web.Response(status=status if len(lines) > 4 or b"0007" in lines else 200)

    async def check(server: Server) -> None:
        server.next = [picky] * 100
        async with opened(url=server.url, format="numbers", body="lines") as output:
            with pytest.raises(Permanent) as caught:
                await output.deliver([alert(n) for n in range(1, 21)])
            assert caught.value.refused == {alert(7).id}
        accepted = [line for body in server.bodies if picky(body).status == 200 for line in body.split()]
        assert accepted == [b"%04d" % n for n in range(1, 21) if n != 7]

    run(check)


def test_redirects_are_not_followed() -> None:
    async def check(server: Server) -> None:
        async with opened(url=server.url, bearer_token="t0ken") as output:
            server.next = [web.Response(status=302, headers={"Location": "/elsewhere"})]
            with pytest.raises(Permanent, match="302 Found"):
                await output.deliver([alert(1)])
        assert len(server.requests) == 1

    run(check)


def test_secrets_that_the_server_repeats_are_not_shown() -> None:
    async def check(server: Server) -> None:
        secrets = {"bearer_token": "t0ken-1", "signing_key": "k3y-22", "headers": {"X-Api-Key": "v4lue-33"}}
        async with opened(url=server.url + "/T00/hook-secret", **secrets) as output:
            server.next = [
                web.Response(status=403, reason="t0ken-1", text="Bearer t0ken-1 v4lue-33 k3y-22 at /T00/hook-secret\x1b[2J" + "x" * 9000)
            ]
            with pytest.raises(Permanent) as caught:
                await output.deliver([alert(1)])
        for secret in ("t0ken-1", "k3y-22", "v4lue-33", "hook-secret", "\x1b"):
            assert secret not in str(caught.value)
        assert len(str(caught.value)) < 400

    run(check)


def test_a_slow_server_is_given_up() -> None:
    async def main() -> None:
        async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with listening(stall) as port, opened(url=f"http://127.0.0.1:{port}/secret", timeout_secs=0.2) as output:
            with pytest.raises(Retry, match=f"^http://127.0.0.1:{port}: timed out$"):
                await output.deliver([alert(1)])

    asyncio.run(main())


def test_a_server_that_is_away_gets_the_rest_when_it_is_back() -> None:
    async def main() -> None:
        async with serving() as first:
            output = made(url=first.url + "/secret", format="numbers")
            await output.open()
            await output.deliver([alert(1)])
            port = int(first.url.rpartition(":")[2])
        for _ in range(2):
            with pytest.raises(
                Retry, match=rf"^http://127.0.0.1:{port}: (the server has closed the connection|Connect call failed|Connection reset)"
            ):
                await output.deliver([alert(2)])
        again = Server()
        application = web.Application()
        application.router.add_post("/secret", again.handle)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
        await output.deliver([alert(2)])
        await output.reopen()
        await output.deliver([alert(3)])
        await output.close()
        await runner.cleanup()
        assert again.bodies == [b"0002", b"0003"]

    asyncio.run(main())


def test_garbage_instead_of_an_answer() -> None:
    async def main() -> None:
        async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\x00\xff HTTP/9 hello\r\n\r\n")

        async with listening(garble) as port, opened(url=f"http://127.0.0.1:{port}") as output:
            with pytest.raises(Retry):
                await output.deliver([alert(1)])

    asyncio.run(main())


# ------------------------------------------------------------------------------------------------------------------------ TLS


def tls(identity: Identity, **changes: Any) -> dict[str, Any]:
    return {"ca_file": str(identity.ca), "certificate_file": str(identity.certificate), "key_file": str(identity.key)} | changes


def test_nginx_with_client_certificates(tmp_path: Path, server: Identity, client: Identity) -> None:
    async def check(behind: Server) -> None:
        with Nginx(tmp_path / "nginx", server, behind.url) as nginx:
            async with opened(url=nginx.url + "/alerts", body="array", tls=tls(client)) as output:
                await output.deliver([alert(n) for n in range(1, 51)])
                await output.deliver([alert(n) for n in range(51, 101)])
            assert [each["id"] for body in behind.bodies for each in json.loads(body)] == [alert(n).id for n in range(1, 101)]
            async with opened(url=nginx.url, tls={"ca_file": str(client.ca)}) as output:
                with pytest.raises(Permanent, match=r"400 Bad Request: .*No required SSL certificate was sent"):
                    await output.deliver([alert(1)])

    run(check)


def test_statuses_of_nginx(tmp_path: Path, server: Identity, client: Identity) -> None:
    async def check(web_server: Server) -> None:
        with Nginx(tmp_path / "nginx", server, web_server.url) as nginx:
            async with opened(url=nginx.url, tls=tls(client)) as output:
                for name, error, after in (("busy", Retry, 7), ("broken", Retry, None), ("forbidden", Permanent, None)):
                    (nginx.directory / name).touch()
                    with pytest.raises(error) as caught:
                        await output.deliver([alert(1)])
                    assert getattr(caught.value, "after", None) == after
                    (nginx.directory / name).unlink()
                assert web_server.bodies == []
                await output.deliver([alert(1)])
                assert len(web_server.bodies) == 1

    run(check)


def test_a_request_too_large_for_nginx_is_split(tmp_path: Path, server: Identity, client: Identity) -> None:
    """It answers as soon as it has seen the length, and hangs up."""

    async def check(web_server: Server) -> None:
        batch = [alert(number, message="x" * (1000 if number != 50 else 200_000)) for number in range(1, 201)]
        with Nginx(tmp_path / "nginx", server, web_server.url) as nginx:
            async with opened(url=nginx.url, tls=tls(client), body="lines", batch_max=200) as output:
                with pytest.raises(Permanent, match="413") as caught:
                    await output.deliver(batch)
        assert caught.value.refused == {alert(50).id}
        received = [json.loads(line)["id"] for body in web_server.bodies for line in body.splitlines()]
        assert received == [each.id for each in batch if each.id != alert(50).id]

    run(check)


def test_granted_certificates(tmp_path: Path, server: Identity, client: Identity) -> None:
    for name, path in (("ca", client.ca), ("certificate", client.certificate), ("key", client.key)):
        (tmp_path / name).write_bytes(path.read_bytes())

    class Reading(Granting):
        def open_granted(self, grant: str) -> int:
            import os

            return os.open(self.directory / grant, os.O_RDONLY)

    async def check(behind: Server) -> None:
        with Nginx(tmp_path / "nginx", server, behind.url) as nginx:
            options = {"url": nginx.url, "tls": {"ca_grant": "ca", "certificate_grant": "certificate", "key_grant": "key"}}
            context = Context("http/x", "web1", Reading(tmp_path), {"json": Json()})
            output = Http.from_config(with_defaults(Http.config_schema, options), context)
            await output.open()
            await output.deliver([alert(1)])
            await output.close()
        assert len(behind.bodies) == 1

    run(check)


def test_certificates_that_are_refused(tmp_path: Path, server: Identity, client: Identity) -> None:
    other = Authority(tmp_path / "other", "Somebody else")

    async def check(behind: Server) -> None:
        with Nginx(tmp_path / "nginx", server, behind.url) as nginx:
            for options, reason in (
                (
                    tls(client, ca_file=str(other.certificate)),
                    "the server's certificate is refused: unable to get local issuer certificate",
                ),
                (tls(client, server_name="siem.example"), "the server's certificate is refused: Hostname mismatch"),
            ):
                async with opened(url=nginx.url + "/secret", tls=options) as output:
                    with pytest.raises(Retry, match=f"^{nginx.url}: {reason}") as caught:
                        await output.deliver([alert(1)])
                    assert "secret" not in str(caught.value)
            async with opened(url=nginx.url, tls=tls(client, ca_file=str(other.certificate), verify=False)) as output:
                await output.deliver([alert(1)])
        assert len(behind.bodies) == 1

    run(check)


def test_a_renewed_certificate_is_used(tmp_path: Path, server: Identity, client: Identity) -> None:
    authority = Authority(tmp_path / "mine", "Somebody else")
    stranger = authority.issue("sensor")
    for path, old in ((tmp_path / "pem", stranger.certificate), (tmp_path / "key", stranger.key)):
        path.write_bytes(old.read_bytes())

    async def check(behind: Server) -> None:
        with Nginx(tmp_path / "nginx", server, behind.url) as nginx:
            options = tls(client, certificate_file=str(tmp_path / "pem"), key_file=str(tmp_path / "key"))
            async with opened(url=nginx.url, tls=options) as output:
                with pytest.raises(Permanent, match="The SSL certificate error"):
                    await output.deliver([alert(1)])
                (tmp_path / "pem").write_bytes(client.certificate.read_bytes())
                (tmp_path / "key").write_bytes(client.key.read_bytes())
                await output.reopen()
                await output.deliver([alert(1)])

    run(check)


# ---------------------------------------------------------------------------------------------------------------------- proxy


class Proxy:
    """The part of a web proxy that matters here: CONNECT, and whole URLs, with basic authentication."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split("\r\n")[0].split(" ")
        self.seen.append(f"{method} {target}")
        if "Proxy-Authorization: Basic dTpw\r\n" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = target.removeprefix("http://").partition("/")[0].partition(":")
        upstream_reader, upstream = await asyncio.open_connection(host, int(port))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            upstream.write(head.replace(f"http://{host}:{port}", "", 1).encode())
        await asyncio.gather(self.copy(reader, upstream), self.copy(upstream_reader, writer))

    @staticmethod
    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()


def test_through_a_proxy(tmp_path: Path, server: Identity, client: Identity) -> None:
    async def check(behind: Server) -> None:
        proxy = Proxy()
        with Nginx(tmp_path / "nginx", server, behind.url) as nginx:
            async with listening(proxy.serve) as port:
                address = f"http://127.0.0.1:{port}"
                login = {"proxy": address, "proxy_username": "u", "proxy_password": "p"}
                async with opened(url=nginx.url + "/a", tls=tls(client), **login) as output:
                    await output.deliver([alert(1), alert(2)])
                async with opened(url=behind.url + "/b", **login) as output:
                    await output.deliver([alert(3)])
                async with opened(url=nginx.url + "/c", tls=tls(client), proxy=address) as output:
                    with pytest.raises(Retry, match=f"the proxy {address} answers 407"):
                        await output.deliver([alert(4)])
                gone = f"http://127.0.0.1:{free_port()}"
                async with opened(url=nginx.url + "/d", tls=tls(client), proxy=gone) as output:
                    with pytest.raises(Retry, match=f"the proxy {gone}: Connect"):
                        await output.deliver([alert(5)])
                target = nginx.url.removeprefix("https://")
        assert proxy.seen == [f"CONNECT {target}", f"POST {behind.url}/b", f"CONNECT {target}"]
        assert [request.path for request, _ in behind.requests] == ["/a", "/a", "/b"]

    run(check)


# -------------------------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "http://h", "tls": {}}, "http/x: tls is for https://, and the url is http://h"),
        ({"url": "http://h", "proxy": "http://p", "proxy_password": "x"}, "http/x: proxy_password needs proxy_username"),
        ({"url": "http://h", "proxy_username": "x"}, "http/x: proxy_username needs proxy"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        made(**options)


def test_unreadable_certificates_show_at_the_start() -> None:
    with pytest.raises(UserError, match=r"http/x: tls: /nonexistent/ca.pem: No such file"):
        asyncio.run(made(url="https://h", tls={"ca_file": "/nonexistent/ca.pem"}).open())


def test_registering_does_not_import_aiohttp() -> None:
    path: Sequence[str] = [entry for entry in sys.path if entry]
    code = f"import sys; sys.path[:0] = {path!r}; import tiercel_http; print('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
