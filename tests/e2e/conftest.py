"""The sensor as users run it, for the live tests: started through its launcher, with rules of the test, alerts read from its output."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Alert = dict[str, Any]


def state_option(folder: Path, user: str | int = "tiercel") -> tuple[str, str]:
    """The option that gives a sensor a directory of its own for its spool: the host's is not the tests'."""
    state = folder / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    shutil.chown(state, user)
    return "-o", f"state_dir={state}"


class Sensor:
    """One `tiercel run`. Alerts are JSON lines of its standard output."""

    def __init__(self, binary: Path, folder: Path, rules: str | None, *, options: tuple[str, ...] = (), config: str = "") -> None:
        self.folder = folder
        self._binary = binary
        self.state = folder / "state"
        self._options = [*state_option(folder), *options]
        if rules is not None:
            path = folder / "rules.yaml"
            path.write_text(rules)
            self._options += ["-r", str(path)]
        if config:
            path = folder / "tiercel.yaml"
            path.write_text(config)
            self._options += ["-c", str(path)]
        self.log = folder / "log"
        self.alerts: list[Alert] = []
        self._rest = b""

    def start(self) -> Sensor:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self._binary / "tiercel", "run", "--json", "--stats", *self._options], stdout=subprocess.PIPE, stderr=log
            )
        self.wait_for(lambda: "watching" in self.text(), "the sensor to start", 60)
        return self

    def text(self) -> str:
        """What it said on stderr so far."""
        return self.log.read_text()

    @property
    def sensor_pid(self) -> int:
        """The unprivileged child."""
        (pid,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(pid)

    def wait_for(self, condition: Callable[[], Any], what: str, seconds: float = 15) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"the sensor ended: {self.text()}"
            assert time.monotonic() < end, f"waited {seconds} s for {what}; {len(self.alerts)} alerts; {self.text()}"
            self._read(0.02)

    def _read(self, seconds: float) -> bool:
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return False
        data = os.read(self.process.stdout.fileno(), 1 << 20)
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        self.alerts += [json.loads(line) for line in lines]
        return bool(data)

    def expect(self, rule: str, *, count: int = 1, seconds: float = 15, **fields: Any) -> list[Alert]:
        """Waits until `count` alerts of a rule with these field values (dots as `__`) have come, and returns all that match."""
        wanted = {name.replace("__", "."): value for name, value in fields.items()}

        def found() -> list[Alert]:
            return [
                a for a in self.alerts
                if a["rule"] == rule and all(a["output_fields"].get(name) == value for name, value in wanted.items())
            ]  # fmt: skip

        self.wait_for(lambda: len(found()) >= count, f"{count} alerts of {rule!r} with {wanted}", seconds)
        return found()

    def settle(self, seconds: float = 0.5) -> list[Alert]:
        """All alerts, after nothing has come for a while."""
        while self._read(seconds):
            pass
        return self.alerts

    def stop(self) -> str:
        """Ends it in an orderly way; returns what it said, the statistics included."""
        assert self.process.stdout is not None
        if self.process.stdout.closed:  # the test has done it
            return self.text()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            while self._read(0.1) or self.process.poll() is None:
                pass
        assert self.process.stdout is not None
        while self._read(0):
            pass
        self.process.stdout.close()
        self.process.wait()
        return self.text()

    def counters(self, kind: str) -> dict[str, int]:
        """The kernel's counters of an event type, from the statistics file of the running sensor."""
        return json.loads(Path("/run/tiercel/statistics.json").read_text())["types"].get(kind, {})


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory of root's that everybody may read, outside the directories that rules watch; short, so that sockets fit."""
    path = Path(tempfile.mkdtemp(prefix="tiercel-", dir="/var/lib"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def sensor(installed: Path, live_kernel: None, folder: Path) -> Iterator[Callable[..., Sensor]]:
    """Makes and starts sensors; stops them after the test."""
    running: list[Sensor] = []

    def make(rules: str | None = None, **more: Any) -> Sensor:
        run = Sensor(installed, Path(tempfile.mkdtemp(prefix="run-", dir=folder)), rules, **more)
        run.folder.chmod(0o755)
        running.append(run)
        return run.start()

    yield make
    for run in running:
        run.stop()
