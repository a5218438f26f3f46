"""Kills `feeder.py` at random moments, then looks at what its outputs have got."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tiercel.spool.query import Viewer

FEEDER = Path(__file__).parent / "feeder.py"
REFUSED = 500
"""As in the feeder."""


def killed(folder: Path, *, kills: int, rate: float, down: float, rng: random.Random) -> str:
    """Checks that each output has each number, in order once what came twice is removed by its id.

    Args:
        folder: empty.
        kills: how many.
        rate: alerts a second.
        down: seconds for which one output is down and another stalls.
        rng: decides when to kill.

    Returns:
        A summary for people.
    """
    (folder / "consumed").write_bytes(bytes(8))
    (folder / "begin").write_text(str(time.time()))
    begin = time.monotonic()
    for _ in range(kills):
        with _started(folder, rate, down) as process:
            time.sleep(rng.choice((0.05, 0.3, 1)) * rng.random())
            assert process.poll() is None
            process.kill()
    with _started(folder, rate, down) as process:
        while time.monotonic() < begin + down + 1:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=120)
    count = int(out)
    words = [f"{kills} kills in {time.monotonic() - begin:.0f} s, {count} alerts"]
    for name in ("good", "down", "stalling", "picky"):
        lines = (folder / name).read_text().splitlines()
        first = dict.fromkeys(lines)
        numbers = [int(line.split()[0]) for line in first]
        expected = [number for number in range(count) if name != "picky" or number % REFUSED]
        missing = set(expected) - set(numbers)
        assert not missing, f"{name}: {len(missing)} missing: {sorted(missing)[:20]}"
        assert numbers == expected, f"{name}: out of order, or one number with two ids"
        words.append(f"{name} {len(lines) - len(first)} twice")
    viewer = Viewer(folder / "state")
    letters = viewer.letters("", count)
    viewer.close()
    assert sorted(letter.alert.fields["number"] for letter in letters) == list(range(0, count, REFUSED))
    assert {(letter.output, letter.reason) for letter in letters} == {("picky", "a round number")}
    return ", ".join([*words, f"{len(letters)} dead letters"])


def _started(folder: Path, rate: float, down: float) -> subprocess.Popen[str]:
    """A feeder that has just begun."""
    process = subprocess.Popen(
        [sys.executable, FEEDER, folder, str(rate), str(down)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process
