"""From an alert to the spool, and from a system call to a line in a file: the figures of bench/README.md.

    /opt/tiercel/venv/bin/python bench/delivery.py spool [--rate 10000] [--seconds 10] [--folder /var/tmp]
    sudo /opt/tiercel/venv/bin/python bench/delivery.py latency [--rate 100] [--seconds 30]

``spool``: this process, on one processor, gives a spool on a real disk alerts at a rate, in batches as the detect thread does, with
fsync at its interval; then as many as it takes. Shown are the share of the processor and the time from `submit` to the acknowledgement.
``latency``: a process opens numbered files at a rate, at random moments; another one waits for the lines in the output file of an
installed sensor.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from tiercel.alert import Alert, Priority, alert_id
from tiercel.config.spool import SpoolSettings
from tiercel.spool.store import Spool

BATCH = 100
BURST = 50_000
IN_MODIFY = 2
RULE = """
- rule: opened
  desc: of the benchmark
  condition: evt.type in (open, openat, openat2) and fd.directory = {folder}/files
  output: opened %fd.name by %proc.name (%proc.cmdline), user %user.name
  priority: NOTICE
"""


def spread(values: Sequence[float], unit: float = 1e-3) -> str:
    """Median, 99th percentile and maximum."""
    ordered = sorted(values)
    at = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return f"median {statistics.median(ordered) / unit:.2f} ms, p99 {at / unit:.2f} ms, largest {ordered[-1] / unit:.2f} ms"


# ------------------------------------------------------------------------------------------------------------------------------ spool
def made(first: int, count: int) -> list[Alert]:
    """Alerts as those of a rule about opens."""
    return [
        Alert(
            alert_id(origin="bench", position=number, rule="opened", view=0), "opened", "syscall", Priority.NOTICE, 1_700_000_000 << 30,
            f"opened /etc/shadow/{number} by cat (cat /etc/shadow), user root",
            {"evt.time": number, "fd.name": f"/etc/shadow/{number}", "proc.name": "cat", "proc.cmdline": "cat /etc/shadow"},
            ("filesystem", "mitre_credential_access"), "host",
        )
        for number in range(first, first + count)
    ]  # fmt: skip


def spool(rate: int, seconds: int, folder: Path) -> None:
    """Prints how a spool takes alerts."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(dir=folder) as directory:
        at_work = Spool(Path(directory) / "state", SpoolSettings(max_bytes=4 << 30))
        at_work.start(lambda: None)
        waits: list[float] = []
        batches = [made(first, BATCH) for first in range(0, rate * seconds, BATCH)]
        last = threading.Event()
        used, start = time.process_time(), time.perf_counter()
        for number, batch in enumerate(batches):
            due = start + number * BATCH / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            submitted = time.perf_counter()
            final = number == len(batches) - 1

            def safe(submitted: float = submitted, *, final: bool = final) -> None:
                waits.append(time.perf_counter() - submitted)
                if final:
                    last.set()

            at_work.submit(batch, safe)
        last.wait()
        elapsed, used = time.perf_counter() - start, time.process_time() - used
        rate_kept = len(batches) * BATCH / elapsed
        print(f"{rate_kept:,.0f} alerts/s for {elapsed:.1f} s on one processor, {used / elapsed:.0%} of it; safe after {spread(waits)}")
        more, last = made(rate * seconds, BURST), threading.Event()
        used, start = time.process_time(), time.perf_counter()
        for first in range(0, BURST, BATCH):
            at_work.submit(more[first : first + BATCH], last.set if first + BATCH == BURST else None)
        last.wait()
        elapsed, used = time.perf_counter() - start, time.process_time() - used
        print(f"{BURST:,} at once: {BURST / elapsed:,.0f} alerts/s, {BURST / used:,.0f} per CPU second")
        at_work.close()
        assert at_work.counters().stored == len(batches) * BATCH + BURST


# ---------------------------------------------------------------------------------------------------------------------------- latency
def watch(path: Path, count: int, answer: Connection) -> None:
    """Sends when which line was there: number of the file -> nanoseconds since the epoch (inotify(7))."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init()
    if libc.inotify_add_watch(fd, os.fsencode(path), IN_MODIFY) < 0:
        raise OSError(ctypes.get_errno(), "inotify_add_watch")
    answer.send("ready")
    found: dict[int, int] = {}
    rest = b""
    with path.open("rb", buffering=0) as file:
        while len(found) < count:
            os.read(fd, 4096)
            now = time.time_ns()
            *lines, rest = (rest + (file.read() or b"")).split(b"\n")
            for line in lines:
                alert = json.loads(line)
                if alert["rule"] == "opened":
                    found[int(Path(alert["output_fields"]["fd.name"]).name)] = now
    answer.send(found)


def latency(rate: int, seconds: int, binary: Path) -> None:
    """Prints the time from a call to the line that is about it."""
    count = rate * seconds
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir="/var/lib"))
    try:
        folder.chmod(0o755)
        (folder / "files").mkdir()
        for number in range(count):
            (folder / "files" / str(number)).touch()
        (folder / "state").mkdir(mode=0o700)
        shutil.chown(folder / "state", "tiercel")
        (folder / "rules.yaml").write_text(RULE.format(folder=folder))
        output = folder / "alerts.json"
        output.touch()
        (folder / "tiercel.yaml").write_text(json.dumps({
            "state_dir": str(folder / "state"),
            "outputs": {"file": {"grant": "alerts", "format": "json"}},
            "grants": {"alerts": {"path": str(output), "mode": "append"}},
            "endpoint": {"enabled": False},
        }))  # fmt: skip
        command = [binary / "tiercel", "run", "-c", folder / "tiercel.yaml", "-r", folder / "rules.yaml"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as sensor:
            assert sensor.stderr is not None
            said = iter(sensor.stderr.readline, b"")
            assert any(b"watching: " in line for line in said), "the sensor did not start"
            ours, theirs = multiprocessing.Pipe()
            watcher = multiprocessing.Process(target=watch, args=(output, count, theirs))
            watcher.start()
            ours.recv()
            time.sleep(2)
            opened = {}
            due = time.time()
            for number in range(count):
                due += random.expovariate(rate)
                time.sleep(max(0.0, due - time.time()))
                opened[number] = time.time_ns()
                os.close(os.open(folder / "files" / str(number), os.O_RDONLY))
            written = ours.recv() if ours.poll(30) else {}
            sensor.send_signal(signal.SIGTERM)
            sensor.communicate()
            watcher.terminate()
            watcher.join()
        print(f"{len(written)} of {count} written; at {rate} alerts/s from the call to the line:")
        print(spread([(written[number] - opened[number]) / 1e9 for number in written]))
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["spool", "latency"])
    parser.add_argument("--rate", type=int, help="alerts a second")
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where the spool is: on a disk, not in memory")
    arguments = parser.parse_args()
    if arguments.what == "spool":
        spool(arguments.rate or 10_000, arguments.seconds or 10, arguments.folder)
    else:
        latency(arguments.rate or 100, arguments.seconds or 30, Path(sys.executable).parent)


if __name__ == "__main__":
    main()
