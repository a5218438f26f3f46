"""Reloads of a sensor at work: what is opened meanwhile is judged once, by the rules in force."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.conftest import Sensor
from tests.e2e.hard.harness import HERE, OPENS, rule
from tiercel.runtime.control import ask

pytestmark = pytest.mark.live

RELOADS: Final = 20
CACHE: Final = Path("/var/cache/tiercel")


@dataclass(frozen=True)
class State:
    """What is in force: the directories in the list, and what the rule prints; whether there is a rule about another event type."""

    sides: tuple[str, ...] = ("even",)
    mark: int = 0
    connects: bool = False

    def rules(self, folder: Path) -> str:
        text = f"""
- list: watched
  items: [{", ".join(f"{folder}/{side}" for side in self.sides)}]
- rule: opened
  desc: made by a test
  condition: {OPENS} and fd.name pmatch (watched) and proc.name != nobody{self.mark}
  output: fd.name=%fd.name mark {self.mark}
  priority: NOTICE
"""
        more = f"""
- rule: connected
  desc: made by a test
  condition: evt.type = connect and fd.sport = {9 + self.mark}
  output: fd.name=%fd.name
  priority: NOTICE
"""
        return text + (more if self.connects else "")

    def expected(self, number: int) -> list[int]:
        """The marks of the alerts of an open."""
        return [self.mark] if ("odd" if number % 2 else "even") in self.sides else []


@dataclass
class Turn:
    """One that came into force between two times, nanoseconds."""

    state: State
    begin: int
    end: int


@dataclass
class Watched:
    """A sensor whose rules change, and a program that opens files all the time."""

    sensor: Sensor
    folder: Path
    times: Path
    program: subprocess.Popen[bytes]
    state: State
    turns: list[Turn] = field(default_factory=list)

    def write(self, text: str) -> None:
        (self.sensor.folder / "rules.yaml").write_text(text)

    def reload(self, state: State, how: Callable[[], Any]) -> Any:
        self.write(state.rules(self.folder))
        begin = time.time_ns()
        answer = how()
        self.turns.append(Turn(state, begin, time.time_ns()))
        self.state = state
        return answer

    def ask(self) -> dict[str, Any]:
        answer = ask(self.sensor.state, {"op": "reload"})
        self.sensor._read(0)
        return answer

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.sensor._binary / "tiercel"), "reload", "-o", f"state_dir={self.sensor.state}", *more]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def hang_up(self) -> None:
        before = self.sensor.text().count(" in force ")
        os.kill(self.sensor.process.pid, signal.SIGHUP)
        self.sensor.wait_for(lambda: self.sensor.text().count(" in force ") > before, "the reload")

    def finish(self) -> list[tuple[int, int]]:
        """Ends the program; when each file was opened."""
        assert self.program.stdin is not None
        self.program.stdin.close()
        self.sensor.wait_for(lambda: self.program.poll() is not None, "the program to end")
        return list(struct.iter_unpack("<QQ", self.times.read_bytes()))


@pytest.fixture
def watched(sensor: Callable[..., Sensor], folder: Path) -> Iterator[Watched]:
    for name in ("even", "odd"):
        (folder / name).mkdir()
    state = State()
    running = sensor(state.rules(folder), options=("-o", "watch_files=false"))
    times = folder / "times"
    with subprocess.Popen([sys.executable, "-I", "-S", HERE / "openings.py", folder, times], stdin=subprocess.PIPE) as program:
        yield Watched(running, folder, times, program, state)
        program.stdin.close()  # type: ignore[union-attr]


def cached() -> dict[str, int]:
    """Compiled programs; one that was made or used has another time."""
    return {path.name: path.stat().st_mtime_ns for path in CACHE.glob("*.json")}


def test_each_open_is_judged_once_by_the_rules_in_force(watched: Watched) -> None:
    first = watched.state
    time.sleep(0.5)
    for number in range(1, RELOADS + 1):
        state = watched.state
        match number % 4:
            case 1 | 3:
                programs = cached()
                sides = {("even",): ("even", "odd"), ("even", "odd"): ("odd",), ("odd",): ("even",)}[state.sides]
                answer = watched.reload(State(sides, state.mark, state.connects), watched.ask)
                assert (answer["ok"], answer["lines"]) == (True, ["rules: 1 changed (opened)"])
                assert cached() == programs, "a list is values: nothing is compiled, and nothing loaded"
            case 2 if number == 10:
                watched.reload(State(state.sides, number, not state.connects), watched.hang_up)
            case 2:
                answer = watched.reload(State(state.sides, number, not state.connects), watched.ask)
                assert answer["ok"], answer
            case 0 if number == 20:
                done = watched.reload(State(state.sides, number, state.connects), watched.run)
                assert (done.returncode, done.stderr) == (0, "")
                assert done.stdout.splitlines()[1:] == ["  rules: 2 changed (opened, connected)"]
            case 0:
                watched.write(state.rules(watched.folder).replace("pmatch (watched)", "pmatch ((watched"))
                answer = watched.ask()
                assert not answer["ok"]
                assert f"{watched.sensor.folder}/rules.yaml:" in answer["lines"][0]
        time.sleep(0.2)
    opened = watched.finish()
    turns = [Turn(first, 0, 0), *watched.turns]
    failed = RELOADS // 4 - 1
    last = len(opened) - 1 - (("odd" if len(opened) % 2 == 0 else "even") not in watched.state.sides)
    watched.sensor.wait_for(lambda: marks(watched.sensor).get(last), "the last alert", 60)
    watched.sensor.settle()
    found = marks(watched.sensor)
    assert len(opened) > 5000
    assert Counter(len(each) for each in found.values()).keys() == {1}
    position = 0
    for old, new in zip(turns, [*turns[1:], Turn(watched.state, sys.maxsize, sys.maxsize)], strict=True):
        while position < len(opened) and opened[position][1] < new.begin:
            assert found[position] == old.state.expected(position), (position, old)
            position += 1
        during = []
        while position < len(opened) and opened[position][0] <= new.end:
            during.append(position)
            position += 1
        assert any(
            all(found[n] == (old if n < cut else new).state.expected(n) for n in during) for cut in [*during, position]
        ), (old, new, [(n, found[n]) for n in during])  # fmt: skip
    ids = Counter(alert["id"] for alert in watched.sensor.alerts)
    assert max(ids.values()) == 1
    rules = Counter(alert["rule"] for alert in watched.sensor.alerts)
    assert rules["Tiercel internal: reload failed"] == failed
    counters = json.loads(Path("/run/tiercel/statistics.json").read_text())
    assert counters["generation"] == 1 + len(watched.turns)
    assert {key: counters["reloads"][key] for key in ("done", "failed")} == {"done": len(watched.turns), "failed": failed}


def marks(sensor: Sensor) -> dict[int, list[int]]:
    """Number of the file -> what the alerts of its open print."""
    found: dict[int, list[int]] = defaultdict(list)
    for alert in sensor.alerts:
        if alert["rule"] == "opened":
            found[int(Path(alert["output_fields"]["fd.name"]).name)].append(int(alert["output"].rpartition(" ")[2]))
    return found


def test_files_of_root_are_watched_and_granted_again_with_sighup(sensor: Callable[..., Sensor], folder: Path) -> None:
    rules = folder / "rules"
    rules.mkdir()
    (rules / "a.yaml").write_text(rule("one", f"{OPENS} and fd.name = {folder}/one"))
    running = sensor(options=("-r", str(rules)))
    (rules / "a.yaml").write_text(rule("one", f"{OPENS} and fd.name = {folder}/two"))
    running.wait_for(lambda: "(a file changed): rules: 1 changed (one)" in running.text(), "the reload")
    (folder / "two").touch()
    running.expect("one")
    (rules / "b.yaml").touch(mode=0o600)
    (rules / "b.yaml").write_text(rule("three", f"{OPENS} and fd.name = {folder}/three"))
    running.wait_for(lambda: f"{rules}/b.yaml" in running.text(), "what is wrong")
    assert "reload failed, generation 2 stays in force (a file changed)" in running.text()
    os.kill(running.process.pid, signal.SIGHUP)
    running.wait_for(lambda: "(SIGHUP): rules: 1 added (three)" in running.text(), "the reload")
    (folder / "three").touch()
    running.expect("three")
