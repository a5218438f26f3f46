"""What a running sensor says of itself: on its log, at its endpoint, in internal alerts. Of a stranger's source, without privilege."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.thirdparty import test_pipeline
from tests.thirdparty.conftest import Installation
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
    assert f"endpoint: cannot listen on 127.0.0.1:{port}: Address already in use; there are no metrics; try another endpoint.port" in line


def test_snapshots_are_alerts(run: Callable[..., Running]) -> None:
    """Thirty seconds are the shortest interval: this test takes as long."""
    running = run(*ANY_PORT, "-o", "metrics_snapshots.interval=30s")
    [fields] = running.expect("Tiercel internal: metrics snapshot", seconds=40)
    assert fields["tiercel_rules"] == 3
