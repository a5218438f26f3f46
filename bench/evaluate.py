"""What evaluating recorded events costs, and loading rules: the tables of bench/README.md.

    sudo /opt/tiercel/venv/bin/python bench/evaluate.py [--rounds 7] [--keep FILE]
    /opt/tiercel/venv/bin/python bench/evaluate.py --capture FILE

Without a capture it records the mix (`mix.RUNS`) with all events of the types that the rules want. Every round evaluates it with each set
of rules, in turn: a new decoder with an empty process table, a new plan, so that no mask is remembered from the round before. Decoding and
process state are included; reading the file is not (see `capture.py`). CPU time of this process, medians with quartiles; the last column
is the median where the workloads' `spin` would take 0.26 s, as on the machine where Falco's figures come from.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clones import cloned
from mix import built, record

from tiercel.capture import CaptureSource, Metadata, RecordedFields, loaded
from tiercel.capture.events import decoder_of
from tiercel.capture.format import BATCH, Entry
from tiercel.components.source import Abilities
from tiercel.config.rules import known_event_types, load_rules
from tiercel.engine.engine import Engine
from tiercel.engine.planner import Plan, build
from tiercel.event import RawBatch
from tiercel.pipeline.acks import Acks
from tiercel.pipeline.detect import Detector
from tiercel.plugins import PluginHost
from tiercel.ruleset.model import Rule

ROOT = Path(__file__).resolve().parent.parent
STABLE = ("falco_rules.yaml",)
ALL = (*STABLE, "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
MANY = 2000
REFERENCE_SPIN = 0.26
"""Seconds of `spin` on the machine of ../shared/bench/README.md."""
NEVER = """
- rule: never
  desc: an event of every type comes up, and none matches
  condition: evt.type in (open, openat, openat2, creat, connect, dup, dup2, dup3, fcntl, execve, procexit) and proc.name = never-there
  output: "%proc.name"
  priority: INFO
"""
TRAP = 200_000
TRAP_BATCH = 1024


def cpu(action: Callable[[], Any]) -> float:
    begin = time.process_time()
    action()
    return time.process_time() - begin


@dataclass(frozen=True, slots=True)
class Recorded:
    """A capture in memory."""

    metadata: Metadata
    entries: list[Entry]

    @property
    def records(self) -> int:
        return sum(len(entry.batch.records) for entry in self.entries if entry.kind == BATCH)


class Evaluation:
    """Events through rules, once: built when it is made, the entries are fed by `run`."""

    def __init__(self, recorded: Recorded, host: PluginHost, rules: Sequence[Rule]) -> None:
        metadata = recorded.metadata
        abilities = {metadata.event_source: Abilities(event_types=metadata.types)}
        plan = build(rules, RecordedFields(host.fields(), metadata.hostname), abilities, generation=1, resolve=metadata.resolve)
        self.plan = plan.source(metadata.event_source)
        self.metadata = metadata
        self.decoder = decoder_of(metadata, host, name="capture")
        self.engine = Engine(plan, matching="first", hostname=metadata.hostname, origin=metadata.origin)
        self.alerts = self.events = 0

    def run(self, entries: Sequence[Entry]) -> float:
        """CPU seconds for the entries, of which the first is a state."""
        acks = Acks()
        source = CaptureSource(self.metadata, entries, unpack=self.decoder.unpack)
        source.open(self.plan)
        self.decoder.open(self.plan, source.snapshot)
        detector = Detector(source, self.decoder, self.plan, self.engine, acks=acks, submit=lambda _alerts, ticket: acks.complete(ticket))
        gc.collect()
        gc.freeze()  # as the sensor does when it is built
        spent = cpu(detector.run)
        gc.unfreeze()
        self.events, self.alerts = detector.events, detector.alerts
        return spent


def trap_of(recorded: Recorded) -> list[Entry]:
    """The mix up to the opens of `openclose`, and then one of them again and again, each with another path of the same length."""
    path = b"/tmp/tiercel-mix-file"
    head: list[Entry] = []
    for entry in recorded.entries:
        head.append(entry)
        found = [data for _, data in entry.batch.records if path in data] if entry.kind == BATCH else []
        if len(found) > len(entry.batch.records) / 2:
            model = found[-1]
            break
    else:
        sys.exit("the capture has no open of openclose: record it with this program")
    last = head[-1].batch
    trap = []
    for start in range(0, TRAP, TRAP_BATCH):
        records = [(n, model.replace(path, b"/srv/d%04d/file-%06d" % (n % 977, n))) for n in range(start, min(start + TRAP_BATCH, TRAP))]
        trap.append(Entry(BATCH, RawBatch(last.source, records, position=0, clock=last.clock, clock_offset=last.clock_offset)))
    return [*head, *trap]


def spin(workloads: Path) -> float:
    done = subprocess.run([workloads / "spin"], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)["user_s"])


def spread(values: Sequence[float], digits: int = 2) -> str:
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return f"{statistics.median(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def loading(host: PluginHost, texts: list[tuple[str, str]]) -> tuple[float, float]:
    """CPU seconds of loading rule files, and of planning their rules for the live sensor, all that happens before the first event."""
    begin = time.process_time()
    rules = [rule for rule in load_rules(texts, host).rules if rule.enabled]
    loaded_at = time.process_time()
    planned(host, rules)
    return loaded_at - begin, time.process_time() - loaded_at


def planned(host: PluginHost, rules: Sequence[Rule]) -> Plan:
    abilities = {source.event_source: source.abilities() for source in host.sources()}
    return build(rules, host.fields(), abilities, generation=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--capture", type=Path, help="a recorded mix, instead of recording one")
    parser.add_argument("--keep", type=Path, help="where the recorded mix is kept")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="has bench/workloads and falco-rules")
    options = parser.parse_args()
    paths = [options.shared / "falco-rules" / name for name in ALL]
    host = PluginHost()
    host.load()
    with tempfile.TemporaryDirectory(prefix="tiercel-bench-") as name:
        folder = Path(name)
        workloads = built(options.shared / "bench/workloads", folder / "workloads")
        capture = options.capture
        if capture is None:
            capture = options.keep or folder / "mix.tcap"
            record(capture, workloads, paths)
        report(host, Recorded(*loaded(capture)), workloads, paths, rounds=options.rounds)


def report(host: PluginHost, recorded: Recorded, workloads: Path, paths: Sequence[Path], *, rounds: int) -> None:
    texts = [(path.name, path.read_text()) for path in paths]
    calls = known_event_types(host)[recorded.metadata.event_source]
    all_rules = [rule for rule in load_rules(texts, host).rules if rule.enabled]
    many = cloned(texts, MANY // len(all_rules), calls)
    sets = {
        "1 rule that never matches": [("never.yaml", NEVER)],
        "25 stable rules": texts[: len(STABLE)],
        "81 rules": texts,
        f"{MANY:,} rules": many,
    }
    rules = {name: [rule for rule in load_rules(files, host).rules if rule.enabled][:MANY] for name, files in sets.items()}
    trap = trap_of(recorded)
    before = sum(len(entry.batch.records) for entry in trap if entry.kind == BATCH) - TRAP
    evaluated: dict[str, list[float]] = {name: [] for name in sets}
    trapped: dict[str, list[float]] = {name: [] for name in list(sets)[1:]}
    loads: dict[str, list[tuple[float, float]]] = {name: [] for name in list(sets)[1:]}
    spins, counts = [], {}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        spins.append(spin(workloads))
        for name in sets:
            evaluation = Evaluation(recorded, host, rules[name])
            evaluated[name].append(evaluation.run(recorded.entries))
            counts[name] = (evaluation.events, evaluation.alerts)
        for name, times in trapped.items():
            rest = Evaluation(recorded, host, rules[name]).run(trap[: len(trap) - -(-TRAP // TRAP_BATCH)])
            times.append((Evaluation(recorded, host, rules[name]).run(trap) - rest) / TRAP * 1e6)
        for name, pairs in loads.items():
            pairs.append(loading(host, sets[name]))
    speed = REFERENCE_SPIN / statistics.median(spins)
    print(f"{rounds} rounds; spin took {spread(spins, 3)} s (reference: {REFERENCE_SPIN}); the last column is scaled by {speed:.2f}\n")
    print(f"Of {recorded.records:,} records; the trap has {TRAP:,} opens of different paths, after {before:,} records of the mix.\n")
    print("| rules | events | alerts | CPU, s | ns per event | scaled, s |\n|" + "---|" * 6)
    for name, times in evaluated.items():
        events, alerts = counts[name]
        middle = statistics.median(times)
        print(f"| {name} | {events:,} | {alerts:,} | {spread(times)} | {middle / events * 1e9:,.0f} | **{middle * speed:.2f}** |")
    print("\n| all paths different | us per event | scaled, us |\n|---|---|---|")
    for name, times in trapped.items():
        print(f"| {name} | {spread(times)} | **{statistics.median(times) * speed:.2f}** |")
    print("\n| loading | read, parse, check: CPU, s | plan, compile: CPU, s | together, scaled |\n|" + "---|" * 4)
    for name, pairs in loads.items():
        reading, planning = ([pair[part] for pair in pairs] for part in range(2))
        both = statistics.median(a + b for a, b in pairs) * speed
        print(f"| {name} | {spread(reading)} | {spread(planning)} | **{both:.2f}** |")
    missing = sorted({each for rule in all_rules for each in rule.event_types or ()} - recorded.metadata.types)
    print(f"\nEvent types that these rules name and the source does not collect yet: {', '.join(missing)}.")


if __name__ == "__main__":
    main()
