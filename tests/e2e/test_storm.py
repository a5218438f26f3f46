"""Outputs with routes, roll-ups and rate limits in a running sensor; and a storm of events, of which each must be accounted for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hard.harness import OPENS, compiled, count_of, read, root_folder, rule, watching

pytestmark = pytest.mark.live

LOSS = "Tiercel internal: events lost"
FILES, COUNT, MILLISECONDS = 1000, 100_000, 500


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled("storm.c", tmp_path_factory.mktemp("storm") / "storm")


@pytest.fixture
def folder() -> Iterator[Path]:
    with root_folder() as path:
        (path / "files").mkdir()
        (path / "other").touch()
        for number in range(FILES):
            (path / "files" / str(number)).touch()
        yield path


def rules(folder: Path) -> str:
    numbered = rule("numbered", f"{OPENS} and fd.directory = {folder}/files", "evt.time")
    return numbered + rule("other", f"{OPENS} and fd.name = {folder}/other", "evt.time").replace("NOTICE", "ERROR")


def config(folder: Path, outputs: dict[str, Any], **more: Any) -> str:
    """Outputs of type file, one file each; standard output gets what says how far the sensor is."""
    others = [{"rule": "sync"}, {"source": "internal"}]
    made = {
        f"file/{name}": {"grant": name, "format": "json", **options, "unless": [*options.get("unless", []), *others]}
        for name, options in outputs.items()
    }
    return json.dumps({
        "outputs": {**made, "stdout": {"format": "json", "route": others}},
        "grants": {name: {"path": f"{folder}/{name}.json", "mode": "append"} for name in outputs},
        **more,
    })  # fmt: skip


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def once(path: Path) -> list[dict[str, Any]]:
    """The same after a kill: what came twice has the same id and the same content."""
    found: dict[str, dict[str, Any]] = {}
    for each in lines(path):
        assert found.setdefault(each["id"], each) == each
    return list(found.values())


def singles_and_sums(found: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    sums = [each for each in found if "rollup.count" in each["output_fields"]]
    return [each for each in found if "rollup.count" not in each["output_fields"]], sums


def test_outputs_have_routes_of_their_own(installed: Path, live_kernel: None, folder: Path) -> None:
    outputs: dict[str, Any] = {
        "urgent": {"route": [{"priority": "error", "labels": {"site": "l*"}}]},
        "rolled": {"route": [{"rule": "numb*"}], "roll_up": {"group_by": ["rule", "proc.pid"], "window_secs": 3600}},
        "limited": {"unless": [{"fields": {"fd.name": "*/7"}}], "rate_limit": {"alerts_per_sec": 0.001, "burst": 2, "window_secs": 3600}},
    }
    with watching(installed, folder, rules(folder), config=config(folder, outputs, labels={"site": "lab"})) as watch:
        watch.seen()
        for number in range(10):
            read(folder / "files" / str(number))
        read(folder / "other")
        watch.seen()
        watch.sensor.wait_for(lambda: lines(folder / "urgent.json"), "the alert of the other rule")
        watch.sensor.wait_for(lambda: lines(folder / "rolled.json"), "the first alert of the group")
        os.kill(watch.sensor.sensor_pid, signal.SIGKILL)  # what was counted so far is not forgotten
        watch.sensor.wait_for(lambda: watch.sensor.text().count("watching: ") == 2, "another sensor")
        for number in range(10, 15):
            read(folder / "files" / str(number))
        watch.seen()
        watch.sensor.stop()
    (urgent,) = once(folder / "urgent.json")
    assert (urgent["rule"], urgent["output_fields"]["label.site"]) == ("other", "lab")
    one, total = once(folder / "rolled.json")
    assert (one["output_fields"]["fd.name"], total["output_fields"]["rollup.count"]) == (f"{folder}/files/0", 14)
    assert total["output_fields"]["proc.pid"] == os.getpid()
    assert one["output_fields"]["evt.time"] < total["output_fields"]["rollup.first"] < total["output_fields"]["rollup.last"]
    assert " Notice 14 alerts rolled up, " in total["output"]
    passed, held_back = singles_and_sums(once(folder / "limited.json"))
    assert [each["output_fields"]["fd.name"] for each in passed] == [f"{folder}/files/{number}" for number in range(2)]
    assert {each["rule"]: each["output_fields"]["rollup.count"] for each in held_back} == {"numbered": 12, "other": 1}


@pytest.mark.slow
def test_a_storm_is_delivered_rolled_up_and_limited_with_exact_counts(
    installed: Path, live_kernel: None, folder: Path, storm: Path
) -> None:
    outputs: dict[str, Any] = {
        "all": {},
        "rolled": {"roll_up": {"group_by": ["rule", "fd.name"], "window_secs": 3600}},
        "limited": {"rate_limit": {"alerts_per_sec": 100, "burst": 10, "window_secs": 1}},
    }
    text = config(folder, outputs, sources={"ebpf": {"ring_size_mb": 64}}, spool={"max_size_mb": 1024})
    with watching(installed, folder, rules(folder), config=text) as watch:
        watch.seen()
        start = time.monotonic()
        command = [str(storm), str(folder / "files"), str(FILES), str(COUNT), str(MILLISECONDS)]
        good, milliseconds = map(int, subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split())
        assert good == COUNT
        watch.seen(120)
        watch.sensor.wait_for(lambda: (folder / "all.json").read_bytes().count(b"\n") == COUNT, "the outputs to have everything", 120)
        print(f"{COUNT} opens took {milliseconds} ms; all of them were written {time.monotonic() - start:.1f} s after the first")
        said = watch.sensor.stop()
    assert milliseconds < 4 * MILLISECONDS, "this was no storm"
    assert count_of(said, "openat", "lost") == 0
    expected = {f"{folder}/files/{number}": COUNT // FILES for number in range(FILES)}
    everything = lines(folder / "all.json")
    assert len({each["id"] for each in everything}) == len(everything) == COUNT
    assert Counter(each["output_fields"]["fd.name"] for each in everything) == expected
    singles, sums = singles_and_sums(lines(folder / "rolled.json"))
    found = Counter(each["output_fields"]["fd.name"] for each in singles)
    assert found == dict.fromkeys(expected, 1)
    for each in sums:
        found[each["output_fields"]["fd.name"]] += each["output_fields"]["rollup.count"]
    assert found == expected
    assert len(sums) == FILES
    singles, sums = singles_and_sums(lines(folder / "limited.json"))
    assert len(singles) + sum(each["output_fields"]["rollup.count"] for each in sums) == COUNT
    assert len(sums) < 1000
    assert len({each["id"] for each in singles + sums}) == len(singles + sums)


@pytest.mark.slow
def test_kills_in_a_storm_lose_nothing_and_count_nothing_twice(installed: Path, live_kernel: None, folder: Path, storm: Path) -> None:
    count, kills = 30_000, 3
    outputs: dict[str, Any] = {
        "all": {},
        "rolled": {"roll_up": {"group_by": ["fd.name"], "window_secs": 1, "max_groups": 500}},
        "limited": {"rate_limit": {"alerts_per_sec": 100, "burst": 10, "window_secs": 1}},
    }
    with watching(installed, folder, rules(folder), config=config(folder, outputs, sources={"ebpf": {"ring_size_mb": 32}})) as watch:
        watch.seen()
        command = [str(storm), str(folder / "files"), str(FILES), str(count), str(MILLISECONDS)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        for number in range(1, kills + 1):
            time.sleep(0.3)
            os.kill(watch.sensor.sensor_pid, signal.SIGKILL)
            watch.sensor.wait_for(lambda: watch.sensor.text().count("watching: ") == number + 1, "another sensor")  # noqa: B023  used at once
        assert len(lines(folder / "all.json")) < count, "the kills came too late"
        watch.seen(120)
        said = watch.sensor.stop()
    assert count_of(said, "openat", "lost") == 0
    assert len(once(folder / "all.json")) == count
    for name in ("rolled", "limited"):
        singles, sums = singles_and_sums(once(folder / f"{name}.json"))
        assert len(singles) + sum(each["output_fields"]["rollup.count"] for each in sums) == count


@pytest.mark.slow
def test_what_a_full_ring_loses_is_counted_exactly(installed: Path, live_kernel: None, folder: Path, storm: Path) -> None:
    text = config(folder, {"all": {}}, sources={"ebpf": {"ring_size_mb": 1}})
    with watching(installed, folder, rules(folder), config=text) as watch:
        watch.seen()
        command = [str(storm), str(folder / "files"), str(FILES), str(COUNT), str(MILLISECONDS)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        watch.seen(120)
        watch.sensor.wait_for(lambda: any(each["rule"] == LOSS for each in watch.sensor.alerts), "the alert about the loss")
        said = watch.sensor.stop()
    lost = count_of(said, "openat", "lost")
    written = len(lines(folder / "all.json"))
    assert 0 < written < COUNT
    dropped = sum(count_of(said, "openat", f"-{group}") for group in ("process", "scalars", "place"))
    assert count_of(said, "openat", "seen") == count_of(said, "openat", "passed") + lost + dropped
    assert COUNT <= written + lost <= COUNT + 20  # files of the harness, which it opens until it is heard, are among the lost
