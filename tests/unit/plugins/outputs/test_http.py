"""Against a real web server."""

from __future__ import annotations

import asyncio
import email.utils
import gzip
import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from tests.unit.plugins.outputs.http_support import Server, made, opened, run, serving
from tests.unit.plugins.outputs.servers import listening
from tests.unit.plugins.outputs.support import alert
from tiercel import Permanent, Retry, UserError
from tiercel_http import Http, tiercel_register_outputs


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
