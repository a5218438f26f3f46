"""A sensor that serves all tests of a module, and the parts that they share."""

from __future__ import annotations

import ctypes
import itertools
import os
import re
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Alert, Sensor

HERE = Path(__file__).parent
OPENS = "evt.type in (open, openat, openat2, creat)"
SYNC = "sync"

libc = ctypes.CDLL(None, use_errno=True)


def rule(name: str, condition: str, fields: str = "") -> str:
    """A rule in YAML; the fields are what its alerts carry, beside those that every test wants."""
    names = "evt.type fd.name fd.realpath fd.nameraw proc.name proc.pid " + fields
    output = " ".join(f"{n}=%{n}" for n in names.split())
    return f"- rule: {name}\n  desc: made by a test\n  condition: >\n    {condition}\n  output: {output}\n  priority: NOTICE\n"


class Watch:
    """A running sensor, a directory that it watches, and the alerts since they were last asked for."""

    def __init__(self, sensor: Sensor, folder: Path) -> None:
        self.sensor, self.folder = sensor, folder
        self._seen = 0
        self._numbers = itertools.count()

    def seen(self, seconds: float = 20) -> list[Alert]:
        """The alerts of everything that has happened since the last call. The ring keeps the order: a file opened last closes the list."""
        end = time.monotonic() + seconds
        mark = self.folder / "sync" / str(next(self._numbers))
        while not any(a["rule"] == SYNC and a["output_fields"]["fd.name"] == str(mark) for a in self.sensor.alerts[self._seen :]):
            assert time.monotonic() < end, f"{mark} was not seen within {seconds} s; {self.sensor.text()}"
            read(mark, os.O_CREAT)  # again and again: where the ring was full, the first ones are lost
            self.sensor._read(0.05)
        mark.unlink()
        new = [a for a in self.sensor.alerts[self._seen :] if a["rule"] != SYNC and a["source"] != "internal"]
        self._seen = len(self.sensor.alerts)
        return new

    def run(self, *command: str | int | Path, seconds: float = 60) -> None:
        """Runs a command while reading the alerts, so that they do not dam up."""
        with subprocess.Popen([str(word) for word in command]) as process:
            self.sensor.wait_for(lambda: process.poll() is not None, "the command to end", seconds)
        assert process.returncode == 0


@contextmanager
def root_folder() -> Iterator[Path]:
    """A directory of root's with a short path that nothing else watches."""
    path = Path(tempfile.mkdtemp(prefix="hard-", dir="/var/lib"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        subprocess.run(["rm", "-rf", path], check=True)  # shutil's is recursive: some tests make deep directories


@contextmanager
def watching(binaries: Path, folder: Path, rules: str, *, options: tuple[str, ...] = (), config: str = "") -> Iterator[Watch]:
    """A sensor with these rules and one more that tells the tests how far it is."""
    # A directory of its own: the kernel looks up prefixes that end at a slash, and must be able to drop all else.
    rules += rule(SYNC, f"{OPENS} and fd.directory = {folder}/sync")
    (folder / "sync").mkdir(exist_ok=True)
    run = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
    run.chmod(0o755)
    sensor = Sensor(binaries, run, rules, options=options, config=config)
    try:
        yield Watch(sensor.start(), folder)
    finally:
        if hasattr(sensor, "process") and sensor.process.stdout and not sensor.process.stdout.closed:
            sensor.stop()


def compiled(source: str, target: Path, *flags: str) -> Path:
    """A C program beside this file, built."""
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-pthread", "-o", target, *flags, HERE / source], check=True)
    return target


def fill_ring(sensor: int, calls: Path, *, count: int) -> None:
    """Has a stopped sensor's ring written full: calls of the i386 table come up whatever they open."""
    done = subprocess.run([calls, "int80-open", "/dev/null", str(count)], stdout=subprocess.PIPE, check=True)
    assert int(done.stdout) == count
    assert Path(f"/proc/{sensor}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def count_of(text: str, kind: str, column: str) -> int:
    """A number of the table that a sensor prints at its end."""
    head, line = (re.search(rf"^{word} .*$", text, re.MULTILINE) for word in ("event type", kind))
    assert head is not None
    assert line is not None
    return int(line[0].split()[head[0].split().index(column) - 1])


def in_child(function: Callable[[], Any]) -> None:
    """Runs a function in a forked process, so that directories, namespaces and ids stay its own; fails if it raises."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            function()
            code = 0
        except BaseException:  # noqa: BLE001  the child must not go on as a second test run
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0


def checked(result: int) -> int:
    """The result of a call of `libc`; raises OSError for -1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def read(path: str | bytes | Path, flags: int = os.O_RDONLY, dir_fd: int | None = None) -> None:
    """Opens and closes a file."""
    os.close(os.open(path, flags, dir_fd=dir_fd))


def mount(source: Path | str, target: Path | str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    checked(libc.mount(str(source).encode(), str(target).encode(), kind.encode(), flags, data.encode()))


MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
CLONE_NEWNS, CLONE_NEWPID = 0x20000, 0x20000000


def own_mounts() -> None:
    """Gives the process a mount namespace of its own, whose mounts nobody else sees."""
    checked(libc.unshare(CLONE_NEWNS))
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
