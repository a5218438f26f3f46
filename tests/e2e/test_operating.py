"""What the sensor says of itself while it watches the host: events that got lost, restarts, its status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Alert, Sensor
from tests.e2e.hard.harness import OPENS, compiled, fill_ring, rule
from tests.unit.runtime.test_exposition import checked

pytestmark = pytest.mark.live

ANY_PORT = ("-o", "endpoint.port=0")
LOST = "Tiercel internal: events lost"


@pytest.fixture
def watcher(sensor: Callable[..., Sensor], folder: Path) -> Sensor:
    """Of one file, and of ends of processes."""
    rules = rule("one", f"{OPENS} and fd.name = {folder}/one") + rule("ends", "evt.type = procexit and proc.name = no-such")
    return sensor(rules, options=ANY_PORT)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled("calls.c", tmp_path_factory.mktemp("calls") / "calls")


def internal(sensor: Sensor, name: str) -> list[Alert]:
    return [alert for alert in sensor.alerts if alert["rule"] == name]


def test_events_that_got_lost_are_alerts_whose_numbers_add_up(watcher: Sensor, calls: Path) -> None:
    pid = watcher.sensor_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        fill_ring(pid, calls, count=60_000)
    finally:
        os.kill(pid, signal.SIGCONT)
    watcher.wait_for(lambda: internal(watcher, LOST), "an alert about lost events")
    text = watcher.stop()
    lost = {line.split()[0]: int(line.split()[6]) for line in _table(text)}
    told: dict[str, int] = {}
    for alert in internal(watcher, LOST):
        for name, value in alert["output_fields"].items():
            if name.startswith("loss.by_type."):
                kind = name.removeprefix("loss.by_type.")
                told[kind] = told.get(kind, 0) + value
    assert told == {kind: number for kind, number in lost.items() if number}
    assert told["open"] > 1000
    first = internal(watcher, LOST)[0]
    assert (first["source"], first["priority"]) == ("internal", "Critical")
    assert "one" in first["output_fields"]["loss.rules"]
    assert "blind: one" in first["output"]


def _table(text: str) -> list[str]:
    """The rows of the counters of event types, which a sensor prints at its end."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if re.match(r"event type +seen", line))
    end = next(number for number, line in enumerate(lines) if line.startswith("decoder: "))
    return lines[start + 1 : end]


def test_a_restart_is_an_alert(watcher: Sensor) -> None:
    """It may come again after the next kill, with the same id."""

    def told() -> dict[int, set[str]]:
        ids: dict[int, set[str]] = {}
        for alert in internal(watcher, "Tiercel internal: sensor restarted"):
            ids.setdefault(alert["output_fields"]["sensor.restarts"], set()).add(alert["id"])
        return ids

    for number in (1, 2):
        os.kill(watcher.sensor_pid, signal.SIGKILL)
        watcher.wait_for(lambda: number in told(), "the next sensor")  # noqa: B023  used at once
    assert [len(found) for found in told().values()] == [1, 1]
    assert {alert["output_fields"]["sensor.reason"] for alert in internal(watcher, "Tiercel internal: sensor restarted")} == {
        "was killed by signal 9"
    }


def test_status_and_metrics(watcher: Sensor, installed: Path, folder: Path) -> None:
    (folder / "one").touch()
    watcher.expect("one")

    def status(**more: Any) -> tuple[int, dict[str, Any]]:
        done = subprocess.run([installed / "tiercel", "status", "--json"], capture_output=True, text=True, check=False, **more)
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)

    watcher.wait_for(lambda: status()[1].get("alerts", 0) >= 1, "the statistics to be written")
    code, found = status()
    assert (code, found["running"], found["pid"], found["generation"]) == (0, True, watcher.sensor_pid, 1)
    assert found["outputs"]["stdout"]["sent"] >= 1
    assert status(user="nobody")[0] == 0
    with urllib.request.urlopen(f"{found['endpoint']['address']}/metrics", timeout=10) as answer:
        page = answer.read()
    checked(page)
    assert b'tiercel_source_events_passed_total{source="ebpf",type="openat"}' in page
    shown = subprocess.run([installed / "tiercel", "status"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"^ebpf +openat +\d+ +\d+ +0$", shown, re.MULTILINE), shown
    watcher.stop()
    code, found = status()
    assert (code, found["running"]) == (1, False)


def test_a_reload_is_an_alert_and_a_number_of_the_status(watcher: Sensor, installed: Path) -> None:
    file = watcher.folder / "rules.yaml"
    file.write_text(file.read_text() + rule("two", f"{OPENS} and fd.name = {watcher.folder}/two"))
    watcher.process.send_signal(signal.SIGHUP)
    watcher.wait_for(lambda: internal(watcher, "Tiercel internal: reloaded"), "the alert about the reload")
    [alert] = internal(watcher, "Tiercel internal: reloaded")
    assert alert["output_fields"]["reload.generation"] == 2
    (watcher.folder / "two").touch()
    watcher.expect("two")

    def status() -> dict[str, Any]:
        done = subprocess.run([installed / "tiercel", "status", "--json"], capture_output=True, text=True, check=False)
        return dict(json.loads(done.stdout))

    watcher.wait_for(lambda: status()["generation"] == 2, "the statistics to be written")
    assert (status()["reloads"]["done"], "two" in status()["rules"]) == (1, True)


def test_what_it_says_at_the_start(watcher: Sensor) -> None:
    assert re.search(r"watching: 2 rules for \d event types, source ebpf \(syscall\); alerts to stdout$", watcher.text(), re.MULTILINE)
