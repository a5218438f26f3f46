"""`tiercel status`."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Run

VALUES: dict[str, Any] = {
    "version": "1.2", "pid": os.getpid(), "started": 0.0, "restarts": 2, "ready": {"outputs": True, "source": True, "detect": True},
    "generation": 3, "reloads": {"done": 2, "error": ""}, "event_source": "syscall", "source": "ebpf", "events": 70, "alerts": 5, "time": 1,
    "types": {"openat": {"seen": 100, "dropped_place": 60, "passed": 39, "lost": 4}, "connect": {"seen": 0, "lost": 0}},
    "rules": {"Reverse shell": {"matches": 4}, "Quiet": {"matches": 0}, "Web shell": {"matches": 12}},
    "fields": {"syscall:lab.x": {"owner": "tiercel-lab", "failures": 9, "quarantined": True, "error": "ValueError:\nbug", "rules": ["Quiet"]}},
    "outputs": {
        "file/a": {"sent": 5, "retries": 1, "dead": 2, "behind": 0, "evicted": 0, "lag_seconds": 0.0, "quarantined": False, "opened": True},
        "http/b": {"sent": 0, "retries": 7, "dead": 0, "behind": 5, "evicted": 3, "lag_seconds": 61.25, "quarantined": True, "opened": True},
    },
    "spool": {"bytes": 3_500_000, "unsaved": 0, "evicted": 3, "problem": "No space left on device"},
    "endpoint": {"address": "http://127.0.0.1:7765", "problem": ""},
}  # fmt: skip

Shown = Callable[..., tuple[int, str]]


@pytest.fixture
def values() -> dict[str, Any]:
    """Of this process."""
    return {**copy.deepcopy(VALUES), "started": time.time()}


@pytest.fixture
def status(run: Run, tmp_path: Path) -> Shown:
    def shown(values: dict[str, Any], *options: str) -> tuple[int, str]:
        (tmp_path / "counters.json").write_text(json.dumps(values))
        done = run("status", "--counters", "counters.json", *options)
        assert done.err == ""
        return done.code, done.out

    return shown


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table with this heading."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(heading))
    return [re.split(r" {2,}", line) for line in lines[start + 1 :][: ([*lines[start + 1 :], ""]).index("")]]


def test_what_is_shown(status: Shown, values: dict[str, Any]) -> None:
    code, text = status(values)
    assert code == 0
    first, *_ = text.splitlines()
    assert first == f"tiercel 1.2: running, pid {os.getpid()}"
    for expected in (
        "restarts 2", "generation  3: 3 rules, source ebpf (syscall)", "endpoint    http://127.0.0.1:7765",
        "alerts      5, of 70 events judged in Python", "spool       3.3 MiB on disk, 0 in memory only, 3 evicted",
    ):  # fmt: skip
        assert expected in text
    assert rows(text, "SOURCE") == [["ebpf", "openat", "100", "39", "4"]]
    assert rows(text, "OUTPUT")[:2] == [
        ["file/a", "ok", "5", "1", "2", "0", "0.0 s"],
        ["http/b", "quarantined", "0", "7", "0", "5", "61.2 s"],
    ]
    assert [line for line in text.splitlines() if line.startswith("!")] == [
        "! 4 events lost: openat 4",
        "! the spool's disk takes nothing: No space left on device",
        "! output file/a: refused 2 alerts; see `tiercel spool dead-letters`",
        "! output http/b: 3 alerts were removed before it had them",
        "! field lab.x of tiercel-lab is not called: ValueError:?bug; read by: Quiet",
    ]
    assert text.index("12       Web shell") < text.index("4        Reverse shell")
    assert "0        Quiet" not in text


def test_a_sensor_that_is_not_ready(status: Shown, values: dict[str, Any]) -> None:
    values["ready"]["source"] = False
    code, text = status(values)
    assert (code, text.splitlines()[0]) == (1, f"tiercel 1.2: not ready: source, pid {os.getpid()}")


@pytest.mark.parametrize(
    ("supply", "line"),
    [
        ({"failures": 2, "restarts": 1, "opened": True}, "! source ebpf: failed 2 times, was opened anew 1 times; the log says why\n"),
        ({"failures": 3, "restarts": 1, "opened": False}, "! source ebpf: not open; it failed 3 times, and is tried again\n"),
    ],
)
def test_a_source_that_failed(status: Shown, values: dict[str, Any], supply: dict[str, Any], line: str) -> None:
    assert line in status({**values, "supply": supply})[1]


def test_an_enricher_that_is_left_alone(status: Shown, values: dict[str, Any]) -> None:
    enrichers = {"lab": {"failures": 5, "skipped": 7, "quarantined": True}, "good": {"failures": 5, "skipped": 0, "quarantined": False}}
    text = status({**values, "enrichers": enrichers})[1]
    assert "! enricher lab: left alone after 5 failures; 7 alerts went on without it\n" in text
    assert "enricher good" not in text


def test_a_sensor_that_is_stuck(run: Run, values: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "counters.json"
    file.write_text(json.dumps(values))
    os.utime(file, (time.time() - 25, time.time() - 25))
    assert run("status", "--counters", "counters.json").code == 0
    os.utime(file, (time.time() - 35, time.time() - 35))
    done = run("status", "--counters", "counters.json")
    assert (done.code, done.out.splitlines()[0]) == (1, f"tiercel 1.2: not ready: loop, pid {os.getpid()}")


def test_a_file_that_is_just_written(run: Run, values: dict[str, Any], tmp_path: Path) -> None:
    file, text = tmp_path / "counters.json", json.dumps(values)
    file.write_text(f"{text}tail of the one before")
    timer = threading.Timer(0.05, os.truncate, (file, len(text)))
    timer.start()
    assert run("status", "--counters", "counters.json").code == 0
    timer.join()


def test_an_endpoint_that_cannot_listen(status: Shown, values: dict[str, Any]) -> None:
    values["endpoint"] = {"address": "", "problem": "cannot listen on 127.0.0.1:7765: Address already in use"}
    assert "! endpoint: cannot listen on 127.0.0.1:7765: Address already in use\n" in status(values)[1]


def test_a_reload_that_failed(status: Shown, values: dict[str, Any]) -> None:
    values["reloads"] = {"error": "rules.yaml:3:2: no"}
    assert "! the last reload failed, generation 3 stays in force: rules.yaml:3:2: no\n" in status(values)[1]


def test_json(status: Shown, values: dict[str, Any]) -> None:
    code, text = status(values, "--json")
    assert (code, json.loads(text)) == (0, {"running": True, **values})


def test_a_sensor_that_has_ended(status: Shown, values: dict[str, Any]) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    code, text = status({**values, "pid": ended.pid})
    assert (code, text.partition(";")[0]) == (1, "not running")
    assert json.loads(status({**values, "pid": ended.pid}, "--json")[1])["running"] is False


def test_another_process_with_its_number(status: Shown, values: dict[str, Any]) -> None:
    """This one began after what the file tells of."""
    assert status({**values, "started": time.time() - 1e6})[0] == 1


def test_nobody_has_run(run: Run, tmp_path: Path) -> None:
    for _ in ("no file", "an empty file"):
        done = run("status", "--counters", "counters.json")
        assert (done.code, done.out.splitlines()[0], done.err) == (1, "not running", "")
        (tmp_path / "counters.json").touch()
    assert json.loads(run("status", "--counters", "counters.json", "--json").out) == {"running": False}


@pytest.mark.parametrize("content", ["{}", "[]", "x", '{"types": 1, "rules": {}}', "[" * 100_000])
def test_what_are_no_counters(run: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "counters.json").write_text(content)
    done = run("status", "--counters", "counters.json")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("tiercel: counters.json: holds no counters")


def test_counters_of_another_version(run: Run, tmp_path: Path, values: dict[str, Any]) -> None:
    del values["endpoint"]
    (tmp_path / "counters.json").write_text(json.dumps(values))
    done = run("status", "--counters", "counters.json")
    assert done.code == 2
    assert "counters of another version (1.2); restart the sensor" in done.err


@pytest.fixture
def server(values: dict[str, Any]) -> Iterator[str]:
    """An endpoint; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/status"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(json.dumps({**values, "pid": 1}).encode() if found else b"")

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


def test_from_an_endpoint(run: Run, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    done = run("status", "--url", f"{server}/")
    assert (done.code, done.out.splitlines()[0]) == (0, "tiercel 1.2: running, pid 1")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://127.0.0.1:1", "http://127.0.0.1:1/status: no answer: Connection refused"),
        ("{server}/x", "/x/status: 404 Not Found; try again, or another --url"),
        ("file:///etc/passwd#", "--url: not valid (got 'file:///etc/passwd#', expected http://HOST:PORT or https://HOST:PORT)"),
        ("http://127.0.0.1:x", "no answer: nonnumeric port"),
    ],
)
def test_no_endpoint(run: Run, server: str, address: str, message: str) -> None:
    done = run("status", "--url", address.replace("{server}", server))
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_one_of_the_two(run: Run) -> None:
    assert run("status", "--url", "http://x", "--counters", "y").code == 2
