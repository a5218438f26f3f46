"""Against rsyslog: what arrives, and what becomes of a broken connection."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.plugins.outputs.servers import Authority, Identity, Rsyslog, free_port, listening, rsyslog, until
from tests.unit.plugins.outputs.support import Granting, Numbers, alert
from tiercel import Context, Retry, UserError
from tiercel.config.schema import with_defaults
from tiercel_formats import Text
from tiercel_syslog import Syslog, tiercel_register_outputs

SCHEMA = Syslog.config_schema


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory, server: Identity) -> Iterator[Rsyslog]:
    with rsyslog(tmp_path_factory.mktemp("rsyslog"), server) as running:
        yield running


def made(directory: Path = Path("/nonexistent"), **options: Any) -> Syslog:
    context = Context("syslog/x", "web1", Granting(directory), {"numbers": Numbers(), "text": Text()})
    return Syslog.from_config(with_defaults(SCHEMA, options), context)


def ways(receiver: Rsyslog, client: Identity) -> dict[str, dict[str, Any]]:
    tls = {"ca_file": str(client.ca), "certificate_file": str(client.certificate), "key_file": str(client.key)}
    return {
        "unix": {"transport": "unix", "path": str(receiver.socket), "header": "rfc5424"},
        "udp": {"transport": "udp", "host": "127.0.0.1", "port": receiver.udp},
        "tcp": {"transport": "tcp", "host": "127.0.0.1", "port": receiver.tcp},
        "gtls": {"transport": "tls", "host": "127.0.0.1", "port": receiver.gtls, "tls": tls},
        "ossl": {"transport": "tls", "host": "127.0.0.1", "port": receiver.ossl, "tls": tls},
    }


def running(output: Syslog, *steps: Callable[[Syslog], Awaitable[object]]) -> None:
    async def run() -> None:
        await output.open()
        try:
            for step in steps:
                await step(output)
        finally:
            await output.close()

    asyncio.run(run())


def test_is_registered() -> None:
    assert list(tiercel_register_outputs()) == [Syslog]


@pytest.mark.parametrize("way", ["unix", "udp", "tcp", "gtls", "ossl"])
def test_arrives_by_every_transport(receiver: Rsyslog, client: Identity, way: str) -> None:
    rule = f'By {way} "]\\'
    count = 60 if way == "udp" else 300  # the buffer of a UDP socket is small
    batch = [alert(n, rule=rule, message=f"naïve\n{n}", fields={"proc.cmdline": 'sh -c "x]"'}) for n in range(1, count + 1)]
    output = made(facility="local3", **ways(receiver, client)[way])
    running(output, lambda output: output.deliver(batch[:50]), lambda output: output.deliver(batch[50:]))
    escaped = rule.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")

    def found() -> list[dict[str, Any]]:
        return [message for message in receiver.messages() if f'rule="{escaped}"' in message["sd"]]

    arrived = until(lambda: len(found()) >= count and found())
    assert [message["sd"].partition('id="')[2][:32] for message in arrived] == [each.id for each in batch]
    first = arrived[0]
    assert (first["pri"], first["version"], first["host"], first["app"], first["msgid"]) == ("156", "1", "web1", "tiercel", "syscall")
    assert first["procid"] == str(os.getpid())
    assert first["time"].replace("+00:00", "Z") == "2023-11-14T22:13:20.123456Z"
    assert first["sd"].endswith('[tiercel.fields@32473 proc.cmdline="sh -c \\"x\\]\\""]')
    assert first["msg"].startswith("\ufeff")
    assert first["msg"].endswith("Warning naïve\\n1")


def test_the_local_form_is_what_daemons_expect_by_default(receiver: Rsyslog) -> None:
    output = made(transport="unix", path=f"{receiver.socket}.local", app_name="tiercel-local")
    running(output, lambda output: output.deliver([alert(1, message="Über local")]))
    [found] = until(lambda: [message for message in receiver.messages() if message["tag"].startswith("tiercel-local")])
    assert found["tag"] == f"tiercel-local[{os.getpid()}]:"
    assert found["pri"] == "12"
    assert found["msg"].endswith("Warning Über local")


def test_what_was_shortened_is_counted() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        output = made(transport="udp", host="127.0.0.1", port=sock.getsockname()[1])
        running(output, lambda output: output.deliver([alert(1), alert(2, message="x" * 3000)]))
        assert output.counters() == {"truncated": 1}
        assert len(sock.recv(65536)) < 1000
        assert len(sock.recv(65536)) == 2048


@pytest.mark.parametrize("way", ["gtls", "ossl"])
def test_a_client_without_certificate_is_told(receiver: Rsyslog, client: Identity, way: str) -> None:
    options = ways(receiver, client)[way] | {"tls": {"ca_file": str(client.ca)}}

    async def refused(output: Syslog) -> None:
        with pytest.raises(Retry, match=r"tls 127.0.0.1:\d+: (TLS: |the receiver has closed|Connection reset)"):
            await output.deliver([alert(1, rule="Nobody sees this")])

    running(made(**options), refused)
    assert not [message for message in receiver.messages() if "Nobody sees this" in message["sd"]]


def test_servers_are_checked(receiver: Rsyslog, client: Identity, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other", "Somebody else")
    own = {"certificate_file": str(client.certificate), "key_file": str(client.key)}
    for tls, reason in (
        ({"ca_file": str(other.certificate)}, "the server's certificate is refused: (unable to get local issuer|self-signed) certificate"),
        ({"ca_file": str(client.ca), "server_name": "siem.example"}, "the server's certificate is refused: Hostname mismatch"),
        ({}, "the server's certificate is refused: (unable to get local issuer|self-signed) certificate"),
    ):

        async def refused(output: Syslog, reason: str = reason) -> None:
            with pytest.raises(Retry, match=reason):
                await output.deliver([alert(1)])

        running(made(**ways(receiver, client)["ossl"] | {"tls": own | tls}), refused)
    unchecked = {"ca_file": str(other.certificate), "verify": False}
    running(made(**ways(receiver, client)["ossl"] | {"tls": own | unchecked}), lambda output: output.deliver([alert(1, rule="Unchecked")]))
    until(lambda: [message for message in receiver.messages() if 'rule="Unchecked"' in message["sd"]])


@pytest.mark.parametrize("way", ["unix", "tcp", "gtls", "ossl"])
def test_a_receiver_that_restarts_gets_everything(tmp_path: Path, server: Identity, client: Identity, way: str) -> None:
    with rsyslog(tmp_path / "rs", server) as receiver:

        async def through(output: Syslog) -> None:
            for number in range(1, 81):
                if number == 40:  # what a daemon has not read when it ends is gone
                    await asyncio.to_thread(until, lambda: len(receiver.messages()) == 39)
                    await asyncio.to_thread(receiver.stop)
                    with pytest.raises(Retry):
                        await output.deliver([alert(number)])
                    await asyncio.to_thread(receiver.start)
                await output.deliver([alert(number)])

        running(made(**ways(receiver, client)[way]), through)
        expected = [alert(number).id for number in range(1, 81)]
        until(lambda: len(receiver.messages()) >= len(expected))
        assert [message["sd"].partition('id="')[2][:32] for message in receiver.messages()] == expected


def test_a_receiver_that_takes_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stream, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(str(tmp_path / "log"))
        ways: list[dict[str, Any]] = [
            {"transport": "tcp", "host": "127.0.0.1", "port": stream.getsockname()[1]},
            {"transport": "unix", "path": str(tmp_path / "log")},
        ]
        for options in ways:

            async def stuck(output: Syslog) -> None:
                begun = time.monotonic()
                with pytest.raises(Retry, match="timed out"):
                    await output.deliver([alert(n, message="x" * 7000) for n in range(4000)])
                assert time.monotonic() - begun < 10

            running(made(timeout_secs=0.3, **options), stuck)


def test_who_hangs_up_with_data_unread_gets_the_rest_again() -> None:
    async def check() -> None:
        first, received = True, []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal first
            if first:
                first = False
                await asyncio.sleep(0.2)
            else:
                received.append(await reader.read(65536))

        async with listening(serve) as port:
            output = made(transport="tcp", host="127.0.0.1", port=port, format="numbers", fields=False)
            await output.deliver([alert(1)])  # their kernel has it; nobody can tell that it was never read
            await asyncio.sleep(0.4)
            with pytest.raises(Retry, match=r"the receiver has closed the connection|Connection reset by peer"):
                await output.deliver([alert(2)])
            await output.deliver([alert(2)])
            await output.close()
        size, _, message = received[0].partition(b" ")
        assert int(size) == len(message)
        assert message.endswith(b"] 0002")

    asyncio.run(check())


def test_what_has_arrived_is_not_sent_again_to_a_receiver_that_is_slow() -> None:
    """It reads nothing for a while; the delivery is interrupted, as lanes do."""

    async def check() -> None:
        connections: list[bytearray] = []
        paused: list[bool] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(received := bytearray())
            while data := await reader.read(65536):
                received += data
                if received is connections[0] and not paused and len(received) > 2_000_000:
                    paused.append(True)
                    await asyncio.sleep(2)

        batch = [alert(number) for number in range(1, 4001)]
        async with listening(serve) as port:
            context = Context("syslog/x", "web1", Granting(Path("/nonexistent")), {"numbers": Numbers(5000)})
            options = {"transport": "tcp", "host": "127.0.0.1", "port": port, "format": "numbers", "fields": False}
            output = Syslog.from_config(with_defaults(Syslog.config_schema, options), context)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await output.deliver(batch)
            await output.deliver(batch)
            await output.close()
        first, second = ([int(number, 16) for number in re.findall(rb'id="([0-9a-f]{32})"', bytes(each))] for each in connections)
        assert second == list(range(second[0], 4001))
        assert second[0] > 1, "nothing that had arrived was sent again"
        assert max(first) + 1 >= second[0], "nothing is missing"

    asyncio.run(check())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"transport": "unix", "path": "/nonexistent/log"}, "/nonexistent/log: No such file or directory"),
        ({"transport": "tcp", "host": "127.0.0.1", "port": "free"}, r"tcp 127.0.0.1:\d+: Connect"),
        ({"transport": "udp", "host": "nosuchhost.invalid"}, "udp nosuchhost.invalid:514: "),
    ],
)
def test_nobody_there_is_tried_again(options: dict[str, Any], reason: str) -> None:
    async def refused(output: Syslog) -> None:
        with pytest.raises(Retry, match=reason):
            await output.deliver([alert(1)])

    if options.get("port") == "free":
        options["port"] = free_port()
    running(made(**options), refused)


def test_a_task_that_ends_leaves_no_half_message_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        output = made(transport="tcp", host="127.0.0.1", port=server.getsockname()[1])

        async def check() -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await output.deliver([alert(n, message="x" * 7000) for n in range(4000)])
            assert output._way is None

        asyncio.run(check())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transport": "tcp"}, "syslog/x: transport tcp needs the option host"),
        ({"transport": "unix", "host": "h"}, "syslog/x: transport unix has no option host; remove it, or choose one of udp, tcp, tls"),
        ({"transport": "tcp", "host": "h", "tls": {}}, "syslog/x: transport tcp has no option tls; remove it, or choose one of tls"),
        ({"transport": "tls", "host": "h", "tls": {"key_file": "/k"}}, "syslog/x: tls: a key without a certificate; add certificate_file"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        made(**options)


def test_unreadable_certificates_show_at_the_start() -> None:
    with pytest.raises(UserError, match=r"syslog/x: tls: /nonexistent/ca.pem: No such file or directory"):
        running(made(transport="tls", host="h", tls={"ca_file": "/nonexistent/ca.pem"}))


def test_closing_is_always_possible() -> None:
    async def check() -> None:
        output = made()
        await output.close()
        await output.open()
        await output.close()
        await output.close()

    asyncio.run(check())
