"""What the sensor costs per operation of a workload: the table of bench/README.md.

    sudo /opt/tiercel/venv/bin/python bench/overhead.py [--rounds 11] [--workloads ../shared/bench/workloads]

Every round runs each workload three times: without a sensor, with the floor program (one that looks the call's number up in an array on
sys_exit, and does nothing else), and with Tiercel and its built-in rules. The extra cost of an operation is

    (CPU of the workload with the sensor + CPU of all processes of the sensor until idle again - CPU of the workload without) / operations

as the median over the rounds; in brackets the quartiles. Machines are noisy: compare figures of one run only. Before and after every run
a short loop (`spin`) says how fast the processor is just now, and the run's CPU time is scaled to the speed of the whole session's median.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PREFIX = Path(os.environ.get("TIERCEL_PREFIX", "/opt/tiercel"))
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Workload:
    """One program of the workloads; `name` is the row's name, `arguments` follow the program."""

    name: str
    program: str
    arguments: tuple[str, ...]
    falco: str
    target: str


WORKLOADS = (
    Workload("openclose, the process decides", "trusted/openclose", ("300000", "{tmp}/file"), "6.1", "0.8"),
    Workload("openclose, the path decides", "openclose", ("300000", "{tmp}/file"), "6.1", "1.3"),
    Workload("getppid", "getppid", ("3000000",), "0.14-0.18", "1.15 x floor"),
    Workload("forkexec", "forkexec", ("1500",), "241", "80"),
    Workload("tcpconn", "tcpconn", ("20000",), "12.8", "3"),
)

FLOOR = """
BPF_ARRAY(wanted, u16, 512);
struct regs { unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax; };
RAW_TRACEPOINT_PROBE(sys_exit) {
  u64 nr = 0;
  bpf_probe_read_kernel(&nr, 8, &((struct regs *)ctx->args[0])->orig_ax);
  u32 index = nr;
  u16 *kind = wanted.lookup(&index);
  if (!kind || !*kind) return 0;
  return 1;
}
"""


def cpu_of(pids: list[int]) -> float:
    """CPU seconds of all threads of processes (proc_pid_schedstat: nanoseconds on the CPU)."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            total += int(task.read_text().split()[0])
    return total / 1e9


def children(pid: int) -> list[int]:
    return [int(p) for f in Path(f"/proc/{pid}/task").glob("*/children") for p in f.read_text().split()]


def pss(pids: list[int]) -> float:
    """Proportional set size of processes, MiB."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:")]
    return sum(int(line.split()[1]) for line in lines) / 1024


class Sensor:
    """A running Tiercel."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "sensor.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [PREFIX / "venv/bin/tiercel", "run", "-c", folder / "tiercel.yaml", "--stats"], stdout=subprocess.DEVNULL, stderr=log
            )
        while "watching" not in self.log.read_text():
            if self.process.poll() is not None:
                sys.exit(f"the sensor did not start:\n{self.log.read_text()}")
            time.sleep(0.02)
        self.pids = [self.process.pid, *children(self.process.pid)]
        self.start_cpu = cpu_of(self.pids) + self._dead_children()
        time.sleep(0.5)  # the first snapshot's verdicts

    def _dead_children(self) -> float:
        """CPU of the loader and of processes that became others: what the supervisor has waited for."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def until_idle(self) -> float:
        """CPU so far, once it has stopped growing."""
        last = cpu_of(self.pids)
        while True:
            time.sleep(0.1)
            now = cpu_of(self.pids)
            if now - last < 0.002:
                return now
            last = now

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return self.log.read_text()


def output_of(command: list[str | Path]) -> dict[str, float]:
    result: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return result


SPIN = 40_000_000


def spin(folder: Path) -> float:
    """CPU seconds of a short loop."""
    return output_of([folder / "spin", str(SPIN)])["user_s"]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a workload: CPU seconds, the sensor's during it, and of the loop around it."""

    cpu: float
    sensor: float
    speed: float
    ops: int

    def cost(self, normal: float) -> float:
        """Microseconds per operation at the session's usual speed."""
        return self.cpu / self.ops * 1e6 * normal / self.speed

    def sensor_cost(self, normal: float) -> float:
        return self.sensor / self.ops * 1e6 * normal / self.speed


def run(workload: Workload, folder: Path, sensor: Sensor | None = None) -> Run:
    """One run of a workload."""
    arguments = [a.format(tmp=folder) for a in workload.arguments]
    before = spin(folder)
    start = sensor.until_idle() if sensor else 0.0
    result = output_of([folder / workload.program, *arguments])
    spent = sensor.until_idle() - start if sensor else 0.0
    return Run(result["user_s"] + result["sys_s"], spent, (before + spin(folder)) / 2, int(result["ops"]))


@contextmanager
def floor() -> Iterator[None]:
    """The floor program, attached by a child process."""
    code = (
        f"import sys; sys.path.append({str(ROOT / 'plugins/sources/tiercel_ebpf_loader')!r})\nimport objects\nbcc = objects.import_bcc()\n"
    )
    code += f"b = bcc.BPF(text={FLOOR!r}, cflags=objects.cflags())\nprint('ready', flush=True)\nsys.stdin.read()\n"
    child = subprocess.Popen(
        ["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "ready\n"
    try:
        yield
    finally:
        child.stdin.close()
        child.wait()


def spread(values: list[float], digits: int = 2) -> str:
    """Median and quartiles."""
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return f"{statistics.median(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


UNDECIDED = """
- rule: opens
  desc: nothing of it can be judged ahead
  condition: evt.type in (open, openat, openat2) and evt.arg.name contains "never there"
  output: "%fd.name %proc.cmdline"
  priority: INFO
- rule: sockets
  desc: nothing of it can be judged ahead
  condition: evt.type in (connect, dup, dup2, dup3) and evt.arg.fd contains "never there"
  output: "%fd.name %proc.cmdline"
  priority: INFO
"""
"""Rules for which the kernel can do no more than filter by event type: what masks give is the difference."""


def prepare(folder: Path, source: Path, *, undecided: bool) -> None:
    shutil.copytree(source, folder, dirs_exist_ok=True)
    subprocess.run(
        ["make", "-s", "-C", folder, "openclose", "getppid", "forkexec", "tcpconn", "spin"], check=True, stderr=subprocess.DEVNULL
    )
    (folder / "trusted").mkdir(exist_ok=True)
    shutil.copy2(folder / "openclose", folder / "trusted/openclose")
    (folder / "trusted.yaml").write_text(f"- list: credential_programs\n  items: [{folder / 'trusted/openclose'}]\n")
    (folder / "undecided.yaml").write_text(UNDECIDED)
    files = ["undecided.yaml"] if undecided else ["bundle:tiercel", "trusted.yaml"]
    (folder / "tiercel.yaml").write_text(f"rules_files: {json.dumps(files)}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--workloads", type=Path, default=ROOT.parent / "shared/bench/workloads")
    parser.add_argument("--only", help="rows whose name contains this")
    parser.add_argument("--undecided", action="store_true", help="with rules that the kernel can only filter by event type")
    options = parser.parse_args()
    chosen = [w for w in WORKLOADS if not options.only or options.only in w.name]
    off: dict[str, list[Run]] = {w.name: [] for w in chosen}
    floored: dict[str, list[Run]] = {w.name: [] for w in chosen}
    on: dict[str, list[Run]] = {w.name: [] for w in chosen}
    starts, sizes, idles = [], [], []
    with tempfile.TemporaryDirectory(prefix="tiercel-bench-", dir="/var/lib") as name:  # not /tmp: a rule watches that
        folder = Path(name)
        folder.chmod(0o755)
        prepare(folder, options.workloads, undecided=options.undecided)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            for w in chosen:
                off[w.name].append(run(w, folder))
            with floor():
                for w in chosen:
                    floored[w.name].append(run(w, folder))
            sensor = Sensor(folder)
            starts.append(sensor.start_cpu)
            for w in chosen:
                on[w.name].append(run(w, folder, sensor))
            before, since = sensor.until_idle(), time.monotonic()
            time.sleep(5)
            idles.append((cpu_of(sensor.pids) - before) / (time.monotonic() - since) * 100)
            sizes.append(pss(sensor.pids))
            log = sensor.stop()
    speeds = [r.speed for runs in (off, floored, on) for rs in runs.values() for r in rs]
    normal = statistics.median(speeds)
    print(f"{options.rounds} rounds, kernel {os.uname().release}; the loop of {SPIN:,} turns took {spread(speeds, 3)} s\n")
    print(
        "| workload | off, us | floor, us | Tiercel: extra, us | of it workload + sensor | target (scaled) | Falco stock |\n|" + "---|" * 7
    )
    scale = {"openclose, the process decides": 3.4, "openclose, the path decides": 3.4, "forkexec": 660, "tcpconn": 31}
    for w in chosen:
        base = [r.cost(normal) for r in off[w.name]]
        least = [r.cost(normal) - b for r, b in zip(floored[w.name], base, strict=True)]
        part = [r.cost(normal) - b for r, b in zip(on[w.name], base, strict=True)]
        own = [r.sensor_cost(normal) for r in on[w.name]]
        extra = [p + o for p, o in zip(part, own, strict=True)]
        target = w.target
        if w.name in scale:
            target = f"{float(w.target) * statistics.median(base) / scale[w.name]:.2f}"
        elif w.name == "getppid":
            target = f"{w.target}: {statistics.median(extra) / statistics.median(least):.2f} x"
        parts = f"{statistics.median(part):.2f} + {statistics.median(own):.2f}"
        print(f"| {w.name} | {spread(base)} | {spread(least)} | **{spread(extra)}** | {parts} | {target} | {w.falco} |")
    print(f"\nstart to first event {spread(starts)} CPU-s; idle {spread(idles)} % of a core; PSS {spread(sizes)} MiB\n")
    print(log)


if __name__ == "__main__":
    main()
