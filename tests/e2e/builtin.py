"""The built-in rules under watch: a sensor that runs them, and which of its alerts come from what a test did.

Conditions are the installed ones, untouched. Outputs say the ancestors as well, so that what others do on the same machine is told apart.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import lacking
from tests.e2e.conftest import Alert, Sensor

PROGRAMS = Path(__file__).parent / "programs"
ANCESTORS = [f"proc.apid[{level}]" for level in range(1, 16)]
"""Fields with the process ids of the ancestors that tests look at."""
PYTHON = "/usr/bin/python3"  # Debian's own, an executable and no wrapper

SHELL, CREDENTIALS, REVERSE, OUTWARD, MEMORY = RULES = (
    "Server starts a shell",
    "Credential file read by untrusted program",
    "Reverse shell",
    "Shell or interpreter connects outward",
    "Execution from memory or a world-writable directory",
)


def tool(name: str) -> str:
    """Path of a program that a test needs."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    return found if found is not None else lacking(f"{name} is not installed")


def run(*command: object, code: int | None = 0, **more: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; `code` is the exit status that is expected, None any."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, check=False, **{"stdin": subprocess.DEVNULL, **more}
    )
    assert code in (None, done.returncode), f"{command} gave {done.returncode}: {done.stdout}{done.stderr}"
    return done


def compiled(folder: Path, name: str) -> Path:
    """The executable of a C program of the tests."""
    program = folder / name
    if not program.exists():
        run(tool("gcc"), "-O1", "-Wall", "-Werror", "-o", program, PROGRAMS / f"{name}.c")
    return program


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def served(command: Sequence[object], ready: Callable[[], Any], **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server in the foreground until the block ends."""
    with subprocess.Popen([str(part) for part in command], **more) as server:
        try:
            end = time.monotonic() + 20
            while not ready():
                assert server.poll() is None, f"{command} ended with {server.returncode}"
                assert time.monotonic() < end, f"{command} is not ready"
                time.sleep(0.02)
            yield server
        finally:
            server.terminate()


def listening(port: int) -> Callable[[], bool]:
    """Whether somebody answers on a port of 127.0.0.1."""

    def ready() -> bool:
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    return ready


def rules_of(binaries: Path) -> str:
    """The installed built-in rules, with the ancestors in every output."""
    (path,) = binaries.parent.glob("lib/python*/site-packages/tiercel_rules/tiercel.yaml")
    items = yaml.safe_load(path.read_text())
    rules = [item for item in items if "rule" in item]
    assert {rule["rule"] for rule in rules} == set(RULES)
    for rule in rules:
        rule["output"] += "".join(f" %{name}" for name in ANCESTORS)
    return yaml.safe_dump(items, sort_keys=False)


class Watch:
    """A running sensor with the built-in rules."""

    def __init__(self, sensor: Sensor, folder: Path) -> None:
        self.sensor = sensor
        self.folder = folder
        self._marked = Path(tempfile.mkdtemp(prefix="tiercel-", dir="/dev/shm"))
        shutil.copy("/bin/true", self._marked / "mark")

    def close(self) -> None:
        self.sensor.stop()
        shutil.rmtree(self._marked)

    def during(self, deed: Callable[..., Any], *arguments: object, **more: Any) -> list[Alert]:
        """The alerts of what `deed` started, in order. Events come in order, so that an alert which is sure to come says that all before
        it are there."""
        before = self._mark()
        deed(*arguments, **more)
        after = self._mark()
        return [alert for alert in self.sensor.alerts[before:after] if os.getpid() in _ancestors(alert) and not _is_mark(alert)]

    def _mark(self) -> int:
        """Number of alerts when all that has happened so far is among them."""
        mark = uuid.uuid4().hex
        run(self._marked / "mark", mark)
        self.sensor.expect(MEMORY, proc__cmdline=f"mark {mark}", seconds=30)
        return len(self.sensor.alerts)


def _is_mark(alert: Alert) -> bool:
    return str(alert["output_fields"].get("proc.cmdline")).startswith("mark ")


def _ancestors(alert: Alert) -> list[int]:
    return [pid for name in ANCESTORS if (pid := alert["output_fields"][name]) is not None]


def shown(alerts: list[Alert], *fields: str) -> list[tuple[Any, ...]]:
    """Rule and these fields of each alert."""
    return [(alert["rule"], *(alert["output_fields"][field] for field in fields)) for alert in alerts]
