"""The ring between kernel and sensor: when it is full, when nobody reads it, when its reader is killed, when the program changes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loaders import Loaders  # what the supervisor is made of
from tests.e2e.conftest import Alert
from tests.e2e.hard.harness import (
    HERE,
    OPENS,
    Watch,
    compiled,
    count_of,
    fill_ring,
    mount,
    read,
    root_folder,
    rule,
    watching,
)  # fmt: skip
from tests.unit.tiercel_supervisor.started import started
from tiercel import ChangePoint, SourcePlan
from tiercel_ebpf import records as r
from tiercel_ebpf.bpf import Map, possible_cpus
from tiercel_ebpf.ring import Ring
from tiercel_ebpf.translate import translate

pytestmark = pytest.mark.live

RING_BYTES = 8 << 20
SMALLEST_RECORD = 168


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled("calls.c", tmp_path_factory.mktemp("calls") / "calls")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled("image.c", tmp_path_factory.mktemp("image") / "image")


@pytest.fixture
def folder() -> Iterator[Path]:
    with root_folder() as path:
        (path / "numbers").mkdir()
        (path / "one").touch()
        yield path


def rules(folder: Path) -> str:
    numbered = rule("number", f"{OPENS} and fd.name startswith {folder}/numbers/", "proc.args evt.time")
    return numbered + rule("one", f"{OPENS} and fd.name = {folder}/one")


def stream(folder: Path, count: int, pause: float = 0) -> list[str | Path]:
    return [sys.executable, "-I", "-S", HERE / "stream.py", folder / "numbers", str(count), str(pause)]


def numbers(alerts: list[Alert]) -> Counter[int]:
    return Counter(int(Path(a["output_fields"]["fd.name"]).name) for a in alerts if a["rule"] == "number")


def assert_each_once_or_with_the_same_id(alerts: list[Alert], count: int) -> None:
    seen = numbers(alerts)
    assert sorted(seen) == list(range(count))
    ids: dict[str, set[str]] = {}
    for alert in alerts:
        ids.setdefault(alert["output_fields"]["fd.name"], set()).add(alert["id"])
    assert {len(found) for found in ids.values()} == {1}
    assert len({i for found in ids.values() for i in found}) == len(ids)


def restarted(watch: Watch, times: int) -> bool:
    return watch.sensor.text().count("watching: ") == times + 1


def kill_sensor(watch: Watch) -> None:
    os.kill(watch.sensor.sensor_pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_full_ring_counts_what_it_loses_and_works_again(installed: Path, live_kernel: None, folder: Path, calls: Path) -> None:
    count = 60_000
    with watching(installed, folder, rules(folder)) as watch:
        watch.seen()
        os.kill(watch.sensor.sensor_pid, signal.SIGSTOP)
        try:
            fill_ring(watch.sensor.sensor_pid, calls, count=count)
            subprocess.run(stream(folder, 50), check=True)  # all of these are lost
        finally:
            os.kill(watch.sensor.sensor_pid, signal.SIGCONT)
        assert watch.seen() == []
        read(folder / "one")
        assert [a["rule"] for a in watch.seen()] == ["one"]
        text = watch.sensor.stop()
    seen, dropped = count_of(text, "open", "seen"), sum(count_of(text, "open", f"-{group}") for group in ("process", "scalars", "place"))
    lost, passed = count_of(text, "open", "lost"), count_of(text, "open", "passed")
    assert seen == dropped + lost + passed
    assert seen >= count
    assert count - RING_BYTES // SMALLEST_RECORD <= lost < count
    assert count_of(text, "openat", "lost") >= 50
    assert count_of(text, "openat", "seen") == sum(
        count_of(text, "openat", c) for c in ("-process", "-scalars", "-place", "lost", "passed")
    )  # fmt: skip


@pytest.mark.slow
def test_nothing_is_lost_while_the_reader_stands_still(installed: Path, live_kernel: None, folder: Path) -> None:
    with watching(installed, folder, rules(folder)) as watch:
        watch.seen()
        os.kill(watch.sensor.sensor_pid, signal.SIGSTOP)
        try:
            subprocess.run(stream(folder, 1000, 0.01), check=True)
        finally:
            os.kill(watch.sensor.sensor_pid, signal.SIGCONT)
        alerts = watch.seen()
        text = watch.sensor.stop()
    assert count_of(text, "openat", "lost") == 0
    assert numbers(alerts) == dict.fromkeys(range(1000), 1), text
    last = max(a["output_fields"]["evt.time"] for a in alerts)
    first = min(a["output_fields"]["evt.time"] for a in alerts)
    assert last - first > 9_000_000_000  # the time of the event, not of the look


@pytest.mark.slow
def test_a_sensor_that_is_killed_is_replaced_and_nothing_is_missing(installed: Path, live_kernel: None, folder: Path) -> None:
    count = 8000
    with watching(installed, folder, rules(folder)) as watch:
        watch.seen()
        with subprocess.Popen([str(w) for w in stream(folder, count, 0.001)]) as source:
            for times in range(1, 4):
                have = len(watch.sensor.alerts)
                watch.sensor.wait_for(lambda: len(watch.sensor.alerts) > have + 300, "alerts of the stream")  # noqa: B023  used at once
                kill_sensor(watch)
                watch.sensor.wait_for(lambda: restarted(watch, times), "another sensor")  # noqa: B023  used at once
            assert source.poll() is None, "the stream was too short"
            watch.sensor.wait_for(lambda: source.poll() is not None, "the stream to end", 60)
        alerts = watch.seen()
        text = watch.sensor.stop()
    assert "was killed by signal 9; starting another (restart 3)" in text
    assert_each_once_or_with_the_same_id(alerts, count)
    words = " ".join(map(str, stream(folder, count, 0.001)[1:]))
    assert {(a["output_fields"]["proc.pid"], a["output_fields"]["proc.args"]) for a in alerts} == {(source.pid, words)}


@pytest.mark.slow
def test_alerts_that_nobody_took_before_the_kill_come_from_the_next_sensor(installed: Path, live_kernel: None, folder: Path) -> None:
    """Standard output is full: alerts are made and not written when the sensor is killed."""
    count = 1500
    with watching(installed, folder, rules(folder)) as watch:
        watch.seen()
        subprocess.run(stream(folder, count), check=True)  # a pipe takes 64 KiB of it
        time.sleep(1)
        kill_sensor(watch)
        watch.sensor.wait_for(lambda: restarted(watch, 1), "another sensor")
        alerts = watch.seen()
        watch.sensor.stop()
    assert_each_once_or_with_the_same_id(alerts, count)


@pytest.mark.slow
def test_alerts_that_a_full_disk_did_not_take_before_the_kill_come_from_the_next_sensor(
    installed: Path, live_kernel: None, folder: Path
) -> None:
    count, disk = 1500, folder / "disk"
    disk.mkdir()
    mount("tmpfs", disk, "tmpfs", 0, "size=256k,mode=755")
    try:
        with watching(installed, folder, rules(folder), options=("--output-file", str(disk / "alerts"))) as watch:
            watch.seen()
            filler = disk / "filler"
            filler.write_bytes(bytes(200 << 10))
            watch.run(*stream(folder, count))
            watch.sensor.wait_for(lambda: "No space left" in watch.sensor.text(), "the disk to be full")
            time.sleep(0.5)
            kill_sensor(watch)
            subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
            filler.unlink()
            watch.sensor.wait_for(lambda: restarted(watch, 1), "another sensor")
            watch.seen()
            text = watch.sensor.stop()
            assert "output file/output-file" in text
            lines = (disk / "alerts").read_text().splitlines()
    finally:
        subprocess.run(["umount", disk], check=True)
    # No half a line of the killed sensor spoils one of the next.
    assert_each_once_or_with_the_same_id([a for a in map(json.loads, lines) if a["rule"] == "number"], count)


def test_the_next_sensor_knows_processes_that_began_and_ended_before_it(
    installed: Path, live_kernel: None, folder: Path, image: Path
) -> None:
    """The record of the exec is read and given back by the first sensor, that of the open is read by the second; the process is gone."""
    program = folder / "shortlived"
    shutil.copy(image, program)
    text = rule("one", f"{OPENS} and fd.name = {folder}/one and proc.exepath = {program}", "proc.args proc.exe proc.pname proc.exepath")
    with watching(installed, folder, text) as watch:
        with subprocess.Popen([program, "ready", "read", "open", folder / "one"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            watch.seen()
            time.sleep(0.3)  # in which the exec's batch is given back
            os.kill(watch.sensor.sensor_pid, signal.SIGSTOP)
            assert process.communicate(b"1", timeout=10) is not None
        assert not Path(f"/proc/{process.pid}").exists()
        kill_sensor(watch)
        watch.sensor.wait_for(lambda: restarted(watch, 1), "another sensor")
        (alert,) = watch.seen()
    fields = alert["output_fields"]
    assert (fields["proc.pid"], fields["proc.name"], fields["proc.exe"]) == (process.pid, "shortlived", str(program))
    assert fields["proc.args"] == f"ready read open {folder}/one"


def test_verdicts_of_a_killed_sensor_mean_nothing_under_other_rules(installed: Path, live_kernel: None, folder: Path, image: Path) -> None:
    """The rule file changes while the sensor is dead; a process that was let pass by the old rules is caught by the new ones."""

    def rules_for(name: str) -> str:
        return rule("one", f"{OPENS} and fd.name = {folder}/one and proc.name = {name}")

    program = folder / "aaaa"
    shutil.copy(image, program)
    with watching(installed, folder, rules_for("bbbb")) as watch:
        file = str(folder / "one")
        words = ["ready", "open", file, "wait", "100", "open", file, "ready", "read", "opens", "3", file]
        with subprocess.Popen([program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.readline()
            assert watch.seen() == []
            path = watch.sensor.folder / "rules.yaml"
            path.write_text(path.read_text().replace("proc.name = bbbb", "proc.name = aaaa"))
            kill_sensor(watch)
            watch.sensor.wait_for(lambda: restarted(watch, 1), "another sensor")
            process.communicate(b"1", timeout=10)
        assert [a["output_fields"]["proc.name"] for a in watch.seen()] == ["aaaa"] * 3


def test_a_ring_has_the_size_of_the_options_until_the_sensor_is_started_anew(
    installed: Path, live_kernel: None, folder: Path, calls: Path
) -> None:
    """A sensor that takes over from one that was killed finds the ring as it is, whatever the file says by now."""
    with watching(installed, folder, rules(folder), config="sources: {ebpf: {ring_size_mb: 1}}\n") as watch:
        watch.seen()
        (watch.sensor.folder / "tiercel.yaml").write_text("sources: {ebpf: {ring_size_mb: 64}}\n")
        kill_sensor(watch)
        watch.sensor.wait_for(lambda: restarted(watch, 1), "another sensor")
        watch.run(*stream(folder, 100, 0.001))
        assert numbers(watch.seen()) == dict.fromkeys(range(100), 1)
        os.kill(watch.sensor.sensor_pid, signal.SIGSTOP)
        try:
            fill_ring(watch.sensor.sensor_pid, calls, count=10_000)
        finally:
            os.kill(watch.sensor.sensor_pid, signal.SIGCONT)
        watch.seen()
        text = watch.sensor.stop()
    assert 10_000 - (1 << 20) // SMALLEST_RECORD <= count_of(text, "open", "lost") < 10_000


# Two loads


def _open_numbers(directory: Path, stop: Path) -> Callable[[], None]:
    def act() -> None:
        number = 0
        while not stop.exists():
            for _ in range(50):
                os.close(os.open(directory / str(number), os.O_CREAT | os.O_WRONLY))
                number += 1
        stop.write_text(str(number))

    return act


def plan(generation: int, fields: frozenset[str]) -> dict[str, Any]:
    message, _ = translate(
        SourcePlan(
            event_source="syscall", generation=1, wanted_types=frozenset({"openat"}), judged=(), fields=fields | {"fd.name"},
            guards=ChangePoint.NEVER, verdict=lambda _: (),
        ),
        ring_bytes=64 << 20,
    )  # fmt: skip
    return message | {"generation": generation}


def test_a_second_load_delivers_no_event_twice_and_loses_none(installed: Path, live_kernel: None, folder: Path) -> None:
    """Loads plans over one another, as the supervisor does, while a process opens numbered files all the time."""
    (site,) = (installed.parent / "lib").glob("python3.*/site-packages")
    loaders = Loaders(site, ("ebpf",))
    answer, descriptors = started(loaders, "ebpf", plan(1, frozenset()))
    ring = Ring(descriptors["events"], answer["ring_bytes"])
    stop = folder / "stop"
    pid = os.fork()
    if pid == 0:
        try:
            _open_numbers(folder / "numbers", stop)()
        finally:
            os._exit(0)
    try:
        attached = {name: fd for name, fd in descriptors.items() if name.startswith("attached.")}
        assert len(attached) == 4
        for generation, fields in ((2, frozenset({"proc.cwd"})), (3, frozenset()), (4, frozenset({"user.uid", "proc.tty"}))):
            time.sleep(0.2)
            answer, descriptors = started(loaders, "ebpf", plan(generation, fields))
            assert {name: descriptors[name] for name in attached} == attached
            assert answer["generation"] == generation
        time.sleep(0.2)
    finally:
        stop.touch()
        os.waitpid(pid, 0)
    count = int(stop.read_text())
    found: Counter[int] = Counter()
    generations: list[int] = []
    prefix = os.fsencode(folder / "numbers") + b"/"
    while batch := ring.read(4096):
        for _, record in batch:
            head = r.HEAD.unpack_from(record)
            start = r.STRINGS + head[r.AT + r.REAL]
            path = record[start : start + head[r.LEN + r.REAL]]
            if path.startswith(prefix):
                found[int(path.removeprefix(prefix))] += 1
                generations.append(head[r.GENERATION])
    counter = Map(descriptors["counters"], key_size=4, value_size=64 * possible_cpus())
    numbers_ = counter.lookup(r.KINDS.index("openat").to_bytes(4, "little"))
    ring.close()
    for fd in descriptors.values():
        os.close(fd)
    assert numbers_ is not None
    assert sum(int.from_bytes(numbers_[i : i + 8], "little") for i in range(40, len(numbers_), 64)) == 0  # lost
    assert found == dict.fromkeys(range(count), 1)
    assert generations == sorted(generations)
    assert set(generations) == {1, 2, 3, 4}
