"""Alerts of a running sensor reach their outputs, whatever happens to it and to them."""

from __future__ import annotations

import json
import pwd
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.conftest import Sensor
from tests.e2e.delivery.killing import killed
from tests.e2e.hard.harness import OPENS, read, rule

pytestmark = [pytest.mark.live, pytest.mark.slow]


class Picky(ThreadingHTTPServer):
    """Answers every request with `status`, and keeps the ids of the alerts that it accepted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status = 400
        self.accepted: list[str] = []


class Answer(BaseHTTPRequestHandler):
    server: Picky

    def do_POST(self) -> None:
        alert = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.status < 300:
            self.server.accepted.append(alert["id"])
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def picky() -> Iterator[Picky]:
    with Picky() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_killed_with_outputs_that_are_down(installed: Path, folder: Path) -> None:
    """The long version is in tests/soak."""
    result = killed(installed, folder, kills=12, rate=2000, down=20, rng=random.Random(5))
    print(result.check())
    assert sorted(result.delays)[len(result.delays) * 99 // 100] < 1  # a dead output delays no other


def test_commands_beside_a_running_sensor(installed: Path, folder: Path, sensor: Callable[..., Sensor], picky: Picky) -> None:
    file = folder / "file"
    file.touch()
    output = f'outputs: {{stdout: , http/picky: {{url: "http://127.0.0.1:{picky.server_address[1]}/"}}}}\n'
    run = sensor(rule("opened", f"{OPENS} and fd.name = {file}"), config=output)

    def tiercel(*words: str) -> str:
        command = [str(installed / "tiercel"), *words, "-o", f"state_dir={run.state}"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    read(file)
    (alert,) = run.expect("opened")
    listed = json.loads(tiercel("alerts", "list", "--rule", "open*", "--json"))
    assert (listed["id"], listed["fields"]["fd.name"]) == (alert["id"], str(file))
    dead = json.loads(tiercel("spool", "dead-letters", "--json"))
    assert [(each["output"], each["id"]) for each in dead if each["rule"] == "opened"] == [("http/picky", alert["id"])]
    assert "400" in dead[0]["reason"]
    assert "http/picky: refused: " in tiercel("alerts", "show", alert["id"])
    picky.status = 204
    assert tiercel("spool", "replay", "--dead-letters").endswith("alerts will be sent again\n")
    run.wait_for(lambda: alert["id"] in picky.accepted, "the dead letter to be accepted")
    assert tiercel("spool", "replay", "--output", "stdout", "--since", "1h").endswith("alerts will be sent again\n")
    run.wait_for(lambda: [each["id"] for each in run.alerts].count(alert["id"]) == 2, "the alert to come again")
    assert [each["waiting"] for each in json.loads(tiercel("spool", "status", "--json"))["outputs"]] == [0, 0]
    assert run.state.stat().st_mode & 0o077 == 0


def test_a_full_disk_stops_nothing(folder: Path, sensor: Callable[..., Sensor]) -> None:
    small, file = folder / "small", folder / "file"
    small.mkdir()
    file.touch()
    options = "size=1m,mode=700,uid=" + str(pwd.getpwnam("tiercel").pw_uid)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", small], check=True)
    try:
        (small / "ballast").write_bytes(bytes(800_000))
        run = sensor(rule("opened", f"{OPENS} and fd.name = {file}"), options=("-o", f"state_dir={small}"))
        for _ in range(1000):
            read(file)
        run.expect("opened", count=1000)
        (failure,) = run.expect("Tiercel internal: spool failure")
        assert "full" in failure["output"]
        assert "spool: " in run.text()
        (small / "ballast").unlink()
        run.wait_for(lambda: "works again" in run.text(), "the spool to work again", 60)
        run.stop()
        assert len({each["id"] for each in run.alerts if each["rule"] == "opened"}) == 1000
    finally:
        subprocess.run(["umount", "-l", small], check=True)
