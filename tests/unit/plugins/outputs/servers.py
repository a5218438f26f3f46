"""Real servers for tests of outputs, on loopback and in temporary directories; and certificates for them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any, Self

from aiohttp import web

from tests.conftest import lacking

SECONDS = 20.0


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def until(condition: Callable[[], Any], *, seconds: float = SECONDS) -> Any:
    """What the condition returns as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)
    return found


def dead(pid: int) -> bool:
    """Whether a process has ended; nobody may have waited for it yet. A killed one can still read before, and write nothing."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def program(name: str) -> str:
    """Path of a program that script/setup --dev installs."""
    found = which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        lacking(f"no {name}; run script/setup --dev")
    return found


@dataclass(frozen=True)
class Identity:
    """A certificate with its key, and the authority that signed it."""

    certificate: Path
    key: Path
    ca: Path


@contextlib.asynccontextmanager
async def listening(handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """The port of a server of our own; at the end all its connections are closed."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handle(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), SECONDS)


class Authority:
    """Signs certificates, below a directory."""

    def __init__(self, directory: Path, name: str = "Test CA") -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.certificate, self.key = directory / "ca.pem", directory / "ca.key"
        self._openssl("req", "-x509", *self._new(self.key), "-days", "2", "-subj", f"/CN={name}", "-out", self.certificate)

    def issue(self, name: str, *, days: int = 2) -> Identity:
        """For a DNS name or an address."""
        kind = "IP" if name[0].isdigit() else "DNS"
        made = Identity(self.directory / f"{name}.pem", self.directory / f"{name}.key", self.certificate)
        request = self.directory / f"{name}.csr"
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={kind}:{name}\nextendedKeyUsage=serverAuth,clientAuth\n")
        self._openssl("req", *self._new(made.key), "-subj", f"/CN={name}", "-out", request)
        signed = ("-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-extfile", extensions)
        self._openssl("x509", "-req", "-in", request, *signed, "-days", str(days), "-out", made.certificate)
        return made

    @staticmethod
    def _new(key: Path) -> tuple[object, ...]:
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key)

    @staticmethod
    def _openssl(*arguments: object) -> None:
        subprocess.run([program("openssl"), *map(str, arguments)], check=True, capture_output=True)


class Rsyslog:
    """rsyslogd with an input of every kind: unix, udp, tcp, and TLS with client certificates by each of its two drivers."""

    def __init__(self, directory: Path, identity: Identity) -> None:
        self.directory, self.identity = directory, identity
        self.socket = directory / "log.sock"
        self.out = directory / "out.jsonl"
        self.udp, self.tcp, self.gtls, self.ossl = free_port(socket.SOCK_DGRAM), free_port(), free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        properties = {name: name for name in ("pri", "procid", "msgid", "msg")}
        properties |= {"version": "protocol-version", "host": "hostname", "app": "app-name", "sd": "structured-data", "tag": "syslogtag"}
        lines = [f'  property(outname="{name}" name="{source}" format="jsonf")' for name, source in properties.items()]
        lines.append('  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")')
        files = f'streamDriver.CAFile="{self.identity.ca}" streamDriver.CertFile="{self.identity.certificate}" streamDriver.KeyFile="{self.identity.key}"'
        tls = f'streamDriver.mode="1" streamDriver.authMode="x509/certvalid" {files} ruleset="out"'
        configuration = "\n".join(
            (
                f'global(workDirectory="{self.directory}" maxMessageSize="16k")',
                'module(load="imudp")\nmodule(load="imptcp")\nmodule(load="imtcp")\nmodule(load="imuxsock" SysSock.Use="off")',
                'template(name="J" type="list" option.jsonf="on") {',
                *lines,
                "}",
                f'ruleset(name="out") {{ action(type="omfile" file="{self.out}" template="J") }}',
                f'input(type="imudp" address="127.0.0.1" port="{self.udp}" ruleset="out")',
                f'input(type="imptcp" address="127.0.0.1" port="{self.tcp}" ruleset="out")',
                f'input(type="imtcp" name="gtls" address="127.0.0.1" port="{self.gtls}" streamDriver.name="gtls" {tls})',
                f'input(type="imtcp" name="ossl" address="127.0.0.1" port="{self.ossl}" streamDriver.name="ossl" {tls})',
                f'input(type="imuxsock" Socket="{self.socket}" UseSpecialParser="off" ParseHostname="on" IgnoreTimestamp="off" ruleset="out")',
                f'input(type="imuxsock" Socket="{self.socket}.local" ruleset="out")',
            )
        )
        (self.directory / "rsyslog.conf").write_text(configuration + "\n")
        command = [program("rsyslogd"), "-n", "-f", str(self.directory / "rsyslog.conf"), "-i", str(self.directory / "pid")]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._up)

    def _up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "log").read_text()
        for port in (self.tcp, self.gtls, self.ossl):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                return False
        return self.socket.exists() and (self.directory / "log.sock.local").exists()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(SECONDS)
        self._process = None

    def messages(self) -> list[dict[str, Any]]:
        """What has arrived."""
        text = self.out.read_text() if self.out.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


@contextlib.contextmanager
def rsyslog(directory: Path, identity: Identity) -> Iterator[Rsyslog]:
    directory.mkdir(parents=True, exist_ok=True)
    made = Rsyslog(directory, identity)
    made.start()
    try:
        yield made
    finally:
        made.stop()


class WebServer:
    """Takes alerts by POST, in a loop of its own: an output that stops its loop does not stop the server. Says 503 while it is `away`."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.away = threading.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _handle(self, request: web.Request) -> web.Response:
        data = await request.read()
        if self.away.is_set():  # and repeats what should be secret
            return web.Response(status=503, text=request.headers.get("Authorization", ""), headers={"Retry-After": "0"})
        self.requests.append((dict(request.headers), data))
        return web.Response()

    async def _serve(self) -> None:
        application = web.Application(client_max_size=1 << 26)
        application.router.add_post("/{anything:.*}", self._handle)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._up.set()
        await self._over.wait()
        await runner.cleanup()

    def records(self) -> list[bytes]:
        """The alerts, one by one, whatever the requests held."""
        found: list[bytes] = []
        for _, data in list(self.requests):
            found += [json.dumps(each).encode() for each in json.loads(data)] if data.startswith(b"[") else data.splitlines()
        return found

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(SECONDS)
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(SECONDS)


class Nginx:
    """nginx that demands client certificates, in front of another server; with files that make it answer otherwise."""

    def __init__(self, directory: Path, identity: Identity, behind: str) -> None:
        self.directory, self.port = directory, free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        directory.mkdir(exist_ok=True)
        paths = " ".join(f"{name}_temp_path {directory}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (directory / "nginx.conf").write_text(
            f"""
            daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log; worker_processes 1;
            events {{ worker_connections 64; }}
            http {{
              access_log off; {paths}
              server {{
                listen 127.0.0.1:{self.port} ssl;
                ssl_certificate {identity.certificate}; ssl_certificate_key {identity.key};
                ssl_client_certificate {identity.ca}; ssl_verify_client on;
                client_max_body_size 64k;
                location / {{
                  if (-f {directory}/busy) {{ add_header Retry-After 7 always; return 429; }}
                  if (-f {directory}/broken) {{ return 502; }}
                  if (-f {directory}/forbidden) {{ return 403; }}
                  proxy_pass {behind};
                }}
              }}
            }}
            """
        )

    def __enter__(self) -> Self:
        command = [
            program("nginx"),
            "-p",
            str(self.directory),
            "-c",
            str(self.directory / "nginx.conf"),
            "-e",
            str(self.directory / "error.log"),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._up)
        return self

    def _up(self) -> bool:
        assert self._process.poll() is None, (self.directory / "error.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.wait(SECONDS)
