"""The sensor for long: killed again and again, under a storm of execs, and its memory under mixed load.

How long is set by the environment: `TIERCEL_SOAK_KILLS`, `TIERCEL_SOAK_EXECS`, `TIERCEL_SOAK_SECONDS`.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import Sensor
from tests.e2e.hard.harness import HERE, OPENS, Watch, compiled, root_folder, rule, watching

pytestmark = [pytest.mark.live, pytest.mark.soak]

KILLS = int(os.environ.get("TIERCEL_SOAK_KILLS", "200"))
EXECS = int(os.environ.get("TIERCEL_SOAK_EXECS", "100000"))
SECONDS = float(os.environ.get("TIERCEL_SOAK_SECONDS", "600"))
QUICK_DEATHS = 4
"""Deaths in a row within 10 seconds of a birth after which the supervisor still starts another sensor."""
GROWTH = 4 << 20
"""Bytes by which supervisor and sensor may grow under load once they are warm."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with root_folder() as path:
        yield path


def sensor_pid(watch: Watch) -> int:
    """The child of the supervisor, once there is one."""
    children = Path(f"/proc/{watch.sensor.process.pid}/task/{watch.sensor.process.pid}/children")
    watch.sensor.wait_for(lambda: children.read_text().split(), "a sensor")
    return int(children.read_text().split()[0])


def test_killed_at_random_moments(installed: Path, folder: Path) -> None:
    """Each number is alerted at least once; again only with the same id."""
    seed = random.SystemRandom().randrange(1 << 32)
    rng = random.Random(seed)
    (folder / "numbers").mkdir()
    started = time.monotonic()
    with watching(installed, folder, rule("number", f"{OPENS} and fd.name startswith {folder}/numbers/", "evt.type")) as watch:
        watch.seen()
        stream = subprocess.Popen([sys.executable, "-I", "-S", HERE / "stream.py", folder / "numbers", str(1 << 30), "0.004"])
        try:
            quick = 0
            for _ in range(KILLS):
                born, pid = time.monotonic(), sensor_pid(watch)
                long = quick >= QUICK_DEATHS
                quick = 0 if long else quick + 1
                life = 10.2 + rng.random() if long else rng.choice((0.05, 0.5, 1.5, 3)) * rng.random()
                watch.sensor.wait_for(lambda: time.monotonic() > born + life, "the next kill", 60)  # noqa: B023  used at once
                assert sensor_pid(watch) == pid, f"the sensor ended by itself: {watch.sensor.text()}"
                os.kill(pid, signal.SIGKILL)
                watch.sensor.wait_for(lambda: sensor_pid(watch) != pid, "another sensor")  # noqa: B023  used at once
        finally:
            stream.kill()
            stream.wait()
        alerts = [*watch.seen(120)]
        watch.sensor.stop()
    ids: dict[int, list[str]] = {}
    for alert in watch.sensor.alerts:
        if alert["rule"] == "number":
            ids.setdefault(int(Path(alert["output_fields"]["fd.name"]).name), []).append(alert["id"])
    count = max(ids) + 1
    made = len(os.listdir(folder / "numbers"))
    twice = sum(len(found) - 1 for found in ids.values())
    print(
        f"kills: {KILLS} in {time.monotonic() - started:.0f} s (seed {seed}): {made} opens, {twice} alerts twice, {len(alerts)} in the last part"
    )
    assert made == count, f"{made} files, the last alert is of {count - 1}"
    assert sorted(ids) == list(range(count)), f"missing: {sorted(set(range(count)) - set(ids))[:20]}"
    assert all(len(set(found)) == 1 for found in ids.values())
    assert len({found[0] for found in ids.values()}) == count


def test_exec_loop(installed: Path, folder: Path) -> None:
    """Two images take turns in one process, each opens the file at once; only one of them is trusted. The alerts are the other's, all of them."""
    file = folder / "file"
    file.touch()
    good, evil = (compiled("image.c", folder / name, "-static") for name in ("good", "evil"))
    fields = "proc.args proc.exepath"
    rules = rule("evil", f"{OPENS} and fd.name = {file} and not proc.exepath in ({good})", fields)
    started = time.monotonic()
    # Without a pause no image lives long enough for a verdict in the kernel; with one, each verdict is the last image's until it is replaced.
    loops = [(0, EXECS), (25, max(EXECS // 100, 20)), (60, max(EXECS // 250, 20))]
    with watching(installed, folder, rules) as watch:
        watch.seen()
        running = [subprocess.Popen([good, "again", file, str(ms), str(count), evil, good]) for ms, count in loops]
        watch.sensor.wait_for(lambda: all(p.poll() is not None for p in running), "the loops to end", 3600)
        assert [p.returncode for p in running] == [0] * len(running)
        alerts = watch.seen(60)
        text = watch.sensor.stop()
    assert {a["output_fields"]["proc.exepath"] for a in alerts} == {str(evil)}
    got = sorted((words[2], int(words[3])) for words in (a["output_fields"]["proc.args"].split(" ") for a in alerts))
    expected = sorted((str(ms), left) for ms, count in loops for left in range(count - 1, -1, -2))
    print(f"exec loop: {sum(count for _, count in loops)} execs in {time.monotonic() - started:.0f} s, {len(got)} alerts")
    assert len(got) == len(expected), f"{len(got)} alerts, not {len(expected)}; {text}"
    assert got == expected


def pss(pid: int) -> int:
    """Proportional set size, bytes (proc_pid_smaps(5))."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1]) << 10


STORMS = {
    "forks": "import os\nwhile True:\n if not (pid := os.fork()): os._exit(0)\n os.waitpid(pid, 0)",
    "execs": "import os\nwhile True:\n os.waitpid(os.spawnv(os.P_NOWAIT, '/bin/true', ['true', os.urandom(4).hex()]), 0)",
    "opens": "import os, itertools\nfor n in itertools.count():\n"
    " fd = os.open(f'{DIR}/{n % 100000}', os.O_CREAT | os.O_RDWR)\n os.unlink(f'{DIR}/{n % 100000}')\n os.close(fd)",
    "connects": "import socket, itertools\nfor n in itertools.count():\n"
    " with socket.socket(type=socket.SOCK_STREAM if n % 50 == 0 else socket.SOCK_DGRAM) as s:\n"
    "  s.connect_ex((f'127.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255 or 1}', 9))",
    "secrets": "import time, itertools\nfor n in itertools.count():\n open('/etc/shadow').close()\n time.sleep(.01)",
}
"""Endless programs. A connect that is refused comes up from an interpreter, so only some are; the last makes alerts of the built-in rules."""


@contextmanager
def storm(folder: Path) -> Iterator[None]:
    running = [
        subprocess.Popen([sys.executable, "-I", "-S", "-c", f"DIR = {str(folder)!r}\n{code}"], stderr=subprocess.DEVNULL)
        for code in STORMS.values()
    ]  # fmt: skip
    try:
        yield
    finally:
        assert [p.poll() for p in running] == [None] * len(running), "a storm has calmed by itself"
        for process in running:
            process.kill()
            process.wait()


def test_memory_under_load(installed: Path, folder: Path) -> None:
    """Supervisor and sensor do not grow once they are warm. Tables and caches are bounded, and filled after two fifths of the time."""
    run = folder / "run"
    run.mkdir()
    (folder / "opens").mkdir()
    sensor = Sensor(installed, run, None).start()
    try:
        pids = (sensor.process.pid, sensor.sensor_pid)
        idle = [pss(pid) for pid in pids]
        readings: list[tuple[float, list[int]]] = []
        start = time.monotonic()
        with storm(folder / "opens"):
            for share in (0.2, 0.4, 0.6, 0.8, 1.0):
                sensor.wait_for(lambda: time.monotonic() > start + share * SECONDS, "time to pass", SECONDS + 60)  # noqa: B023  used at once
                readings.append((time.monotonic() - start, [pss(pid) for pid in pids]))
        assert sensor.sensor_pid == pids[1]
        alerts = len(sensor.alerts)
        text = sensor.stop()
    finally:
        sensor.stop()
    print(f"memory: supervisor + sensor, MiB PSS, idle {_mib(idle)}; " + ", ".join(f"{at:.0f} s {_mib(now)}" for at, now in readings))
    print(f"{alerts} alerts\n{text[text.index('events judged') :]}")
    assert sum(readings[-1][1]) - sum(readings[1][1]) < GROWTH


def _mib(sizes: list[int]) -> str:
    return " + ".join(f"{size / (1 << 20):.1f}" for size in sizes)
