"""What a running sensor says of itself: on its log, at its endpoint, in internal alerts. Of a stranger's source, without privilege."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import yaml

from tests.conftest import lacking
from tests.thirdparty import test_pipeline
from tests.thirdparty.conftest import Installation, call
from tests.thirdparty.servers import Queue
from tests.thirdparty.test_pipeline import Running, order
from tests.unit.runtime.test_exposition import checked, read

queue, directory, run = test_pipeline.queue, test_pipeline.directory, test_pipeline.run
ANY_PORT = ("-o", "endpoint.port=0")


def endpoint(running: Running) -> str:
    """The address that it says."""
    running.said("endpoint: ")
    found = re.search(r"endpoint: metrics and health at (\S+)", running.text())
    assert found is not None, running.text()
    return found[1]


def page(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return bytes(answer.read())


def test_what_it_says_at_the_start(run: Callable[..., Running], folder: Path) -> None:
    running = run(*ANY_PORT)
    [line] = [line for line in running.text().splitlines() if "watching" in line]
    assert line.endswith(f"watching: 3 rules for 2 event types, source shop/berlin (shop); alerts to ledger {folder}/out/ledger"), line


def test_metrics_and_status(run: Callable[..., Running], queue: Queue, installation: Installation) -> None:
    queue.put(order("mallory", price=200_000), "no JSON", order("alice"))
    running = run(*ANY_PORT)
    running.expect("Large order")
    queue.wait_acknowledged(3)
    address = endpoint(running)
    metrics = page(f"{address}/metrics")
    checked(metrics)
    values = {(name, *dict(labels).values()): value for (name, labels), value in read(metrics).items()}
    assert values["tiercel_alerts_total",] == 1
    assert values["tiercel_source_events_seen_total", "shop", "order"] == 3
    assert values["tiercel_decoder_value", "shop", "malformed"] == 1
    assert values["tiercel_rule_matches_total", "Large order", "Warning", "shop"] == 1
    assert values["tiercel_rule_matches_total", "Refund to staff", "Critical", "shop"] == 0
    assert values["tiercel_output_sent_total", "ledger"] == 1
    assert values["tiercel_spool_stored_total",] == 1
    done = installation.tiercel("status", "--url", address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("tiercel ")
    assert f"running, pid {running.process.pid}" in done.stdout
    assert "Large order" in done.stdout
    found: dict[str, Any] = json.loads(installation.tiercel("status", "--url", address, "--json").stdout)
    assert (found["running"], found["alerts"], found["outputs"]["ledger"]["sent"]) == (True, 1, 1)
    assert json.loads(page(f"{address}/healthz")) == {"status": "ok"}
    assert json.loads(page(f"{address}/readyz"))["status"] == "ok"


def test_a_port_in_use_stops_nothing(run: Callable[..., Running], queue: Queue) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = run("-o", f"endpoint.port={port}")
        queue.put(order("mallory", price=200_000))
        running.expect("Large order")
        [line] = [line for line in running.text().splitlines() if "endpoint" in line]
    assert (
        f"endpoint: cannot listen on 127.0.0.1:{port}: Address already in use; there are no metrics, it is tried again every 30 s; try another"
        in line
    )


def test_snapshots_are_alerts(run: Callable[..., Running]) -> None:
    """Thirty seconds are the shortest interval: this test takes as long."""
    running = run(*ANY_PORT, "-o", "metrics_snapshots.interval=30s")
    [fields] = running.expect("Tiercel internal: metrics snapshot", seconds=40)
    assert fields["tiercel_rules"] == 3


def test_a_reload_that_failed_is_an_alert_a_metric_and_a_line_of_the_status(
    run: Callable[..., Running], folder: Path, queue: Queue, installation: Installation
) -> None:
    running = run(*ANY_PORT)
    address = endpoint(running)
    (folder / "rules.yaml").write_text("- rule: Broken\n  condition: shop.nosuch = 1\n")
    running.process.send_signal(signal.SIGHUP)
    [fields] = running.expect("Tiercel internal: reload failed")
    assert "shop.nosuch" in str(fields["reload.errors"])
    values = {(name, *dict(labels).values()): value for (name, labels), value in read(page(f"{address}/metrics")).items()}
    assert values["tiercel_reloads_total", "failed"] == 1
    assert values["tiercel_reload_last_ok",] == 0
    shown = installation.tiercel("status", "--url", address).stdout
    assert "! the last reload failed, generation 1 stays in force: " in shown
    assert "shop.nosuch" in shown
    queue.put(order("mallory", price=200_000))
    running.expect("Large order")


class Echo(BaseHTTPRequestHandler):
    """A server that refuses, and quotes what it was told in confidence."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400, f"refused {self.headers['X-Key']}")
        self.end_headers()
        self.wfile.write(f"{self.path} {self.headers['X-Key']} {self.headers['Authorization']}".encode())

    def log_message(self, *_: Any) -> None:
        pass


def test_secrets_are_nowhere(run: Callable[..., Running], folder: Path, queue: Queue, installation: Installation) -> None:
    """Not in the log, the metrics, the status, nor in internal alerts, though server and configuration give many occasions."""
    secrets = {"PATH_SECRET": "hunter2-path", "KEY": "hunter2-key", "TOKEN": "hunter2-token"}
    installation.environment |= secrets
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        (folder / "url").write_text(f"http://127.0.0.1:{server.server_port}/{secrets['PATH_SECRET']}")
        installation.environment["URL"] = (folder / "url").read_text()
        text = (folder / "tiercel.yaml").read_text()
        more = (
            "outputs:\n  http/oncall: {url: 'env:URL', bearer_token: 'env:TOKEN', headers: {X-Key: 'env:KEY'}}\n"
            "  program: {command: [/bin/sh, -c, 'echo no $KEY >&2; exit 65'], environment: {KEY: 'env:KEY'}}\n"
        )
        (folder / "tiercel.yaml").write_text(text.replace("outputs:\n", more))
        running = run(*ANY_PORT, "-o", "log.level=debug")
        address = endpoint(running)
        queue.put(order("mallory", price=200_000))
        running.expect("Tiercel internal: alerts refused", 2)
        running.said("program: ")
        everything = [running.text(), json.dumps(running.ledger())]
        everything += [page(f"{address}/{name}").decode() for name in ("metrics", "status", "readyz")]
        server.shutdown()
    everything.append(running.stop())
    assert "http/oncall" in everything[0]
    assert re.search(r"program: .*no \*\*\*$", everything[0], re.MULTILINE), everything[0]
    for secret in secrets.values():
        assert [text for text in everything if secret in text] == []


def test_prometheus_reads_it_over_tls_and_takes_the_alert_rules_of_the_documentation(
    run: Callable[..., Running], folder: Path, queue: Queue, repository: Path, tmp_path: Path
) -> None:
    program = shutil.which("prometheus")
    if program is None:
        lacking("prometheus is not installed")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    call(*command.split(), cwd=folder)
    (folder / "key").chmod(0o644)  # the sensor is another user here; under a supervisor root opens it
    with (folder / "tiercel.yaml").open("a") as config:
        config.write(f"  cert: {{path: {folder}/cert, mode: read}}\n  key: {{path: {folder}/key, mode: read}}\n")
    running = run(*ANY_PORT, "-o", "endpoint.certificate=cert", "-o", "endpoint.key=key")
    queue.put(order("mallory", price=200_000))
    address = endpoint(running)
    assert address.startswith("https://127.0.0.1:")
    [rules] = re.findall(r"^```yml\n(groups:.*?)^```$", (repository / "docs/operating.md").read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "rules.yml").write_text(rules)
    scrape = {
        "job_name": "tiercel",
        "scheme": "https",
        "scrape_interval": "1s",
        "tls_config": {"ca_file": str(folder / "cert")},
        "static_configs": [{"targets": [address.removeprefix("https://")]}],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "scrape_configs": [scrape]}))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = (f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{port}")
    with (tmp_path / "log").open("wb") as log, subprocess.Popen([program, *options], stdout=log, stderr=log) as prometheus:
        try:

            def asked(path: str) -> Any:
                try:
                    return json.loads(page(f"http://127.0.0.1:{port}/api/v1/{path}"))["data"]
                except OSError:
                    return {}  # it is about to listen

            running.wait_for(lambda: asked("query?query=tiercel_rule_matches_total%3E0").get("result"), 60)
            [found] = asked("query?query=tiercel_rule_matches_total%3E0")["result"]
            assert (found["metric"]["rule"], found["value"][1]) == ("Large order", "1")
            [group] = asked("rules")["groups"]
            assert len(group["rules"]) == rules.count("- alert:")
        finally:
            prometheus.terminate()
