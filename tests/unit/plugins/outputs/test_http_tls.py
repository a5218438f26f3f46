"""With TLS: nginx in front of a web server, client certificates, proxies."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from tests.unit.plugins.outputs.http_support import Server, opened, run, tls
from tests.unit.plugins.outputs.servers import Authority, Identity, Nginx, free_port, listening
from tests.unit.plugins.outputs.support import Granting, alert
from tiercel import Context, Permanent, Retry
from tiercel.config.schema import with_defaults
from tiercel_formats import Json
from tiercel_http import Http


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
