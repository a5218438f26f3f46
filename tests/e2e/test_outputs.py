"""All outputs of one sensor at once, to real receivers: the same alerts everywhere, and those that were away get what they missed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Sensor
from tests.unit.plugins.outputs.servers import Authority, Identity, Nginx, Rsyslog, WebServer, dead, rsyslog, until

pytestmark = pytest.mark.live

RULES = """
- rule: probe
  desc: made by a test
  condition: evt.type in (open, openat) and fd.name startswith FOLDER/probe/
  output: probe %fd.name
  priority: WARNING
"""

CONFIG = """
outputs:
  stdout: {format: json}
  file/root: {grant: alerts}
  file/own: {path: FOLDER/own/alerts.json, rotate: {max_size_mb: 0.02, keep: 1000, compression: zstd}}
  program: {command: [FOLDER/each], environment: {TOKEN: t0ken}}
  program/kept: {command: [FOLDER/all], keep_alive: true}
  http:
    url: NGINX/hook
    body: lines
    signing_key: k3y
    tls: {ca_grant: ca, certificate_grant: certificate, key_grant: key}
  syslog/tcp: {transport: tcp, host: 127.0.0.1, port: TCP, format: json, app_name: by-tcp}
  syslog/tls:
    transport: tls
    host: 127.0.0.1
    port: TLS
    format: json
    app_name: by-tls
    tls: {ca_grant: ca, certificate_grant: certificate, key_grant: key}
  syslog/unix: {path: FOLDER/rsyslog/log.sock.local, format: json, app_name: by-unix}
grants:
  alerts: {path: FOLDER/alerts.json, mode: append}
  ca: {path: FOLDER/tls/ca.pem, mode: read}
  certificate: {path: FOLDER/tls/sensor.pem, mode: read}
  key: {path: FOLDER/tls/sensor.key, mode: read}
"""

Documents = dict[str, list[dict[str, Any]]]


@pytest.fixture
def authority(folder: Path) -> Authority:
    return Authority(folder / "tls")


@pytest.fixture
def server(authority: Authority) -> Identity:
    return authority.issue("127.0.0.1")


@pytest.fixture
def collector(folder: Path, server: Identity) -> Iterator[Rsyslog]:
    with rsyslog(folder / "rsyslog", server) as running:
        (folder / "rsyslog").chmod(0o755)
        yield running


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def probe(folder: Path, numbers: Sequence[int]) -> None:
    for number in numbers:
        os.close(os.open(folder / "probe" / f"{number:04}", os.O_RDONLY | os.O_CREAT))


def read(path: Path) -> list[dict[str, Any]]:
    """JSON lines of a file; half a line at its end is left out."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:  # not yet, or compressed a moment ago
        return []
    if path.suffix == ".zst":
        import zstandard

        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return [json.loads(line) for line in data.splitlines(keepends=True) if line.endswith(b"\n")]


def rotated(folder: Path) -> list[dict[str, Any]]:
    paths = sorted(path for path in folder.glob("alerts.json.*") if path.suffix != ".tmp" and not Path(f"{path}.zst").exists())
    return [each for path in (*paths, folder / "alerts.json") for each in read(path)]


def test_every_output_gets_every_alert(
    folder: Path, authority: Authority, server: Identity, collector: Rsyslog, sensor: Callable[..., Sensor]
) -> None:
    authority.issue("sensor").key.chmod(0o600)  # root's alone: it is granted
    (folder / "probe").mkdir()
    own = folder / "own"
    own.mkdir()
    shutil.chown(own, "tiercel")
    script(
        folder / "each",
        f"{{ id -u; grep -E 'Cap(Eff|Prm)' /proc/self/status; env; pwd; }} >{own}/who; exec cat >>{own}/each.json",
    )
    script(folder / "all", f"echo $$ >{own}/pid; exec cat >>{own}/all.json")

    with WebServer() as behind:
        nginx = Nginx(folder / "nginx", server, behind.url)
        with nginx:
            config = CONFIG.replace("FOLDER", str(folder)).replace("NGINX", nginx.url)
            config = config.replace("TCP", str(collector.tcp)).replace("TLS", str(collector.gtls))
            running = sensor(RULES.replace("FOLDER", str(folder)), config=config)

            def received() -> Documents:
                found: Documents = {
                    "stdout": list(running.alerts),
                    "file/root": read(folder / "alerts.json"),
                    "file/own": rotated(own),
                    "program": read(own / "each.json"),
                    "program/kept": read(own / "all.json"),
                    "http": [json.loads(record) for record in behind.records()],
                    "by-tcp": [],
                    "by-tls": [],
                    "by-unix": [],
                }
                for message in collector.messages():
                    found[message["app"]].append(json.loads(message["msg"]))
                return {name: [each for each in alerts if each["rule"] == "probe"] for name, alerts in found.items()}

            def complete(count: int, seconds: float = 60) -> None:
                def lacking() -> dict[str, int]:
                    return {
                        name: number for name, alerts in received().items() if (number := len({each["id"] for each in alerts})) != count
                    }

                try:
                    running.wait_for(lambda: not lacking(), f"{count} alerts everywhere", seconds)
                except AssertionError as error:
                    raise AssertionError(f"{lacking()} have not {count}") from error

            probe(folder, range(100))
            complete(100)
            assert {len(alerts) for alerts in received().values()} == {100}, "nothing had failed, and alerts came twice"
        collector.stop()
        kept = int((own / "pid").read_text())
        os.kill(kept, signal.SIGKILL)
        until(lambda: dead(kept))
        probe(folder, range(100, 200))
        running.wait_for(lambda: len(received()["file/root"]) == 200, "those that work, while others do not")
        collector.start()
        with nginx:
            complete(200)
            probe(folder, range(200, 250))
            os.kill(running.sensor_pid, signal.SIGKILL)  # whatever each output is doing
            probe(folder, range(250, 300))
            complete(300)
            found = received()
            said = running.stop()

    expected = {each["id"]: each for each in found["file/root"]}
    names = [f"{folder}/probe/{number:04}" for number in range(300)]
    assert [each["output_fields"]["fd.name"] for each in expected.values()] == names
    for name, alerts in found.items():
        unique = {each["id"]: each for each in alerts}
        assert unique == expected, f"{name}: another alert"
        assert list(unique) == list(expected), f"{name}: another order"
    assert len(list(own.glob("alerts.json.*.zst"))) >= 2
    assert all("X-Tiercel-Signature" in headers for headers, _ in behind.requests)

    who = (own / "who").read_text()
    user = own.stat().st_uid
    assert who.startswith(f"{user}\n")
    assert who.count("\t0000000000000000\n") == 2, who
    assert sorted(line.split("=")[0] for line in who.splitlines() if "=" in line) == ["LANG", "PATH", "PWD", "TOKEN"], who
    assert who.endswith("\n/\n")
    assert "t0ken" not in said
    assert "k3y" not in said
