"""How long a reload takes while events come: the table of bench/README.md.

    sudo /opt/tiercel/venv/bin/python bench/reload.py [--rounds 11]

Starts the installed sensor with the built-in rules and a file of its own, changes that file, and asks for a reload each time: a list with
another value; a rule with another condition on processes (the same program in the kernel); a rule that is added or removed for another
event type, whose programs are compiled in the first two rounds; and a file that is wrong. The figures are medians, seconds of wall clock,
as the sensor says them; and the processor time of supervisor and sensor for one reload.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tiercel.runtime.control import NAME, ask

OPENED = """
- list: bench_files
  items: [/bench/{value}]
- rule: Bench opened
  desc: of the benchmark
  condition: evt.type in (open, openat, openat2) and fd.name in (bench_files) and proc.name != bench{name}
  output: opened %fd.name
  priority: NOTICE
"""
DUPLICATED = """
- rule: Bench duplicated
  desc: of the benchmark
  condition: evt.type = fcntl and proc.name = bench
  output: duplicated %fd.name
  priority: NOTICE
"""
CONFIG = """
rules_files: ["bundle:tiercel", {folder}/rules.yaml]
watch_files: false
state_dir: {folder}/state
endpoint: {{enabled: false}}
"""


def ticks(pid: int) -> float:
    """Seconds of processor time of a process and of the children that it has waited for (proc_pid_stat(5))."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    folder = Path(tempfile.mkdtemp(prefix="tiercel-bench-", dir="/var/lib"))
    try:
        folder.chmod(0o755)
        (folder / "state").mkdir(mode=0o700)
        shutil.chown(folder / "state", "tiercel")
        (folder / "tiercel.yaml").write_text(CONFIG.format(folder=folder))
        measure(folder, rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(folder: Path, rounds: int) -> None:
    """One sensor, all kinds of reload in turn."""
    kinds: dict[str, Callable[[int], str]] = {
        "a list has another value": lambda n: OPENED.format(value=n, name=0),
        "a rule has another condition": lambda n: OPENED.format(value=rounds, name=n),
        "a rule for another event type is added or removed": lambda n: OPENED.format(value=rounds, name=rounds) + DUPLICATED * (n % 2),
        "a file that is wrong": lambda n: OPENED.format(value=n, name=rounds).replace("in (bench_files)", "in ((bench_files"),
    }
    rules = folder / "rules.yaml"
    rules.write_text(OPENED.format(value="first", name=0))
    log = folder / "log"
    command = [Path(sys.executable).with_name("tiercel"), "run", "-c", folder / "tiercel.yaml"]
    with log.open("wb") as file, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file) as supervisor:
        try:
            end = time.monotonic() + 60
            while not (folder / "state" / NAME).exists() or b"watching" not in log.read_bytes():
                if supervisor.poll() is not None or time.monotonic() > end:
                    sys.exit(log.read_text())
                time.sleep(0.1)
            (sensor,) = map(int, Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children").read_text().split())
            print(f"{'reload':<52}{'median, s':>10}{'quartiles, s':>16}{'CPU, s':>8}")
            for name, text in kinds.items():
                before = ticks(sensor) + ticks(supervisor.pid)
                seconds = []
                for number in range(1, rounds + 1):
                    rules.write_text(text(number))
                    seconds.append(ask(folder / "state", {"op": "reload"})["seconds"])
                cpu = (ticks(sensor) + ticks(supervisor.pid) - before) / rounds
                low, middle, high = statistics.quantiles(seconds, n=4)
                print(f"{name:<52}{middle:>10.3f}{f'[{low:.3f}, {high:.3f}]':>16}{cpu:>8.3f}", flush=True)
        finally:
            supervisor.send_signal(signal.SIGTERM)
            supervisor.wait()


if __name__ == "__main__":
    main()
