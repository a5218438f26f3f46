"""A sensor that is killed at random moments while numbered files are opened, and what its outputs have got in the end."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.conftest import Sensor
from tests.e2e.hard.harness import OPENS, rule

HERE = Path(__file__).parent
QUICK_DEATHS = 4
"""Deaths in a row within 10 seconds of a birth after which the supervisor still starts another sensor."""
SECONDS_TO_CATCH_UP = 120
RING_MB = 64
"""What is opened while the sensor is started again and again, some of it on a machine that has other things to do."""
OUTPUT = """
  http/{name}: {{url: "http://127.0.0.1:{port}/", body: lines, batch_max: 500, timeout_secs: 5}}"""


@dataclass(frozen=True)
class Result:
    """What has happened.

    Attributes:
        opened: files.
        received: output -> (number, id) of every alert that it got, in order.
        delays: seconds between an opening and its alert's arrival at ``http/good``, before the first kill.
        log: what the sensor said.
    """

    opened: int
    received: dict[str, list[tuple[int, str]]]
    delays: list[float]
    log: str

    @property
    def unseen(self) -> int:
        """Events that the kernel's program could not hand over, as it says itself; no alert can be made of them."""
        return sum(int(count) for count in re.findall(r"source of syscall: (\d+) events lost", self.log))

    def check(self) -> str:
        """Every output has every number, in order once what came twice is removed by its id. A summary for people."""
        expected = [number for number, _ in dict.fromkeys(self.received["file"])]
        missing = sorted(set(range(self.opened)) - set(expected))
        words = [f"{self.opened} opened, {len(missing)} lost in the kernel"]
        assert len(missing) <= min(self.unseen, self.opened // 10_000), f"{missing[:20]}; {self.log}"
        for name, received in self.received.items():
            first = dict.fromkeys(received)
            numbers = [number for number, _ in first]
            missing = sorted(set(expected) - set(numbers))
            assert not missing, f"{name}: {len(missing)} missing, {missing[:20]}; {self.log}"
            assert numbers == sorted(expected), f"{name}: out of order, or one number with two ids"
            words.append(f"{name} {len(received) - len(first)} twice")
        return ", ".join(words)


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def receiver(port: int, log: Path, stall: float = 0) -> Iterator[None]:
    """A receiver at work."""
    process = subprocess.Popen([sys.executable, "-I", "-S", HERE / "receiver.py", str(port), log, str(stall)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def read_log(path: Path) -> list[tuple[int, str, float]]:
    """What a receiver has written."""
    words = [line.split() for line in path.read_text().splitlines()]
    return [(int(number), found, float(delay)) for number, found, delay in words]


def read_alerts(path: Path) -> tuple[list[tuple[int, str]], int]:
    """(Number, id) of the alerts in a file, and how many lines are halves: a kill ends a write, and the alert comes again."""
    found, halves = [], 0
    for line in path.read_text().splitlines():
        try:
            alert = json.loads(line)
        except ValueError:
            halves += 1
            continue
        if alert["rule"] == "number":
            found.append((int(alert["output_fields"]["fd.name"].rpartition("/")[2]), alert["id"]))
    return found, halves


def killed(binaries: Path, folder: Path, *, kills: int, rate: float, down: float, rng: random.Random) -> Result:
    """Runs it all.

    Args:
        binaries: the installation's.
        folder: a directory of root's.
        kills: how often the sensor is killed.
        rate: files a second.
        down: seconds after which the server of one output comes up; that of another stalls for so long.
        rng: decides when to kill.
    """
    numbered = folder / "numbers"
    numbered.mkdir()
    good, late, stalling = free_ports(3)
    logs = {name: folder / f"{name}.log" for name in ("good", "late", "stalling")}
    for log in logs.values():
        log.touch()
    file = folder / "alerts.jsonl"
    config = "outputs:" + "".join(OUTPUT.format(name=name, port=port) for name, port in zip(logs, (good, late, stalling), strict=True))
    config = f"sources:\n  ebpf: {{ring_size_mb: {RING_MB}}}\n" + config
    config += f"\n  file: {{grant: alerts, format: json}}\ngrants:\n  alerts: {{path: {file}, mode: append}}\n"
    rules = rule("number", f"{OPENS} and fd.name startswith {numbered}/", "evt.time")
    run = folder / "run"
    run.mkdir(mode=0o755)
    sensor = Sensor(binaries, run, rules, config=config)
    with ExitStack() as stack:
        stack.enter_context(receiver(good, logs["good"]))
        stack.enter_context(receiver(stalling, logs["stalling"], down))
        sensor.start()
        stack.callback(lambda: sensor.process.poll() is None and sensor.stop())
        begin = time.monotonic()
        opener = subprocess.Popen([sys.executable, "-I", "-S", HERE / "numbers.py", numbered, str(rate)], stdout=subprocess.PIPE, text=True)
        stack.callback(opener.kill)
        time.sleep(3)
        delays = [delay for _, _, delay in read_log(logs["good"])]
        quick, up = 0, False
        for _ in range(kills):
            pid, born = _pid(sensor), time.monotonic()
            long = quick >= QUICK_DEATHS
            quick = 0 if long else quick + 1
            life = 10.2 + rng.random() if long else rng.choice((0.1, 1, 2, 4)) * rng.random()
            sensor.wait_for(lambda: time.monotonic() > born + life, "the next kill", 60)  # noqa: B023  used at once
            assert _pid(sensor) == pid, f"the sensor ended by itself: {sensor.text()}"
            os.kill(pid, signal.SIGKILL)
            sensor.wait_for(lambda: _pid(sensor) not in (0, pid), "another sensor", 60)  # noqa: B023  used at once
            if not up and time.monotonic() > begin + down:
                up = True
                stack.enter_context(receiver(late, logs["late"]))
        sensor.wait_for(lambda: time.monotonic() > begin + down, "the server that was down to come up", down + 60)
        if not up:
            stack.enter_context(receiver(late, logs["late"]))
        opener.terminate()
        opened = int(opener.communicate(timeout=30)[0])
        sizes: list[int] = []

        def quiet() -> bool:
            """Nothing has come for a while."""
            sizes.append(sum(log.stat().st_size for log in (*logs.values(), file)))
            return len(sizes) > 200 and sizes[-1] == sizes[-200]

        sensor.wait_for(quiet, "outputs to catch up", SECONDS_TO_CATCH_UP)
        text = sensor.stop()
    received = {name: [(number, found) for number, found, _ in read_log(log)] for name, log in logs.items()}
    received["file"], halves = read_alerts(file)
    assert halves <= kills
    return Result(opened, received, delays, text)


def _pid(sensor: Sensor) -> int:
    children = Path(f"/proc/{sensor.process.pid}/task/{sensor.process.pid}/children").read_text().split()
    return int(children[0]) if children else 0
