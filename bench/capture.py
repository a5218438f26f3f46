"""What recording costs per event: the table of bench/README.md.

    sudo tiercel record -o mix.tcap --all -r RULES    # meanwhile the workloads; then Ctrl-C
    /opt/tiercel/venv/bin/python bench/capture.py mix.tcap

Takes the batches of a capture, as a source delivers them, and times what the recorder does with each: encode, compress, write to a
file. Beside it, what reading them back costs. CPU time, medians of rounds; ``spin`` is a short loop of Python, to compare machines by.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiercel.capture import Writer, loaded
from tiercel.capture.format import BATCH, Entry, pack_entry


def cpu(action: Callable[[], Any]) -> float:
    begin = time.process_time()
    action()
    return time.process_time() - begin


def spin() -> None:
    total = 0
    for number in range(2_000_000):
        total += number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    metadata, entries = loaded(options.capture)
    batches: list[Entry] = [entry for entry in entries if entry.kind == BATCH]
    records = sum(len(entry.batch.records) for entry in batches)
    size = sum(len(data) for entry in batches for _, data in entry.batch.records)

    def record() -> None:
        with tempfile.TemporaryFile() as file:
            writer = Writer(file.write, metadata)
            for entry in batches:
                writer.add(BATCH, entry.batch)
            writer.close({})

    def encode() -> None:
        for entry in batches:
            list(pack_entry(BATCH, entry.batch))

    tasks = {"spin": spin, "record": record, "of it encode": encode, "read": lambda: loaded(options.capture)}
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(options.rounds):
        for name, task in tasks.items():
            times[name].append(cpu(task))
    kept = options.capture.stat().st_size / records
    print(f"{records:,} records of {size / records:.0f} bytes in {len(batches):,} batches, {kept:.1f} in the file\n")
    print("| | CPU, s | us per record |\n|---|---|---|")
    for name, found in times.items():
        low, middle, high = statistics.quantiles(found, n=4)
        each = "" if name == "spin" else f"{middle / records * 1e6:.2f}"
        print(f"| {name} | {middle:.3f} [{low:.3f}, {high:.3f}] | {each} |")


if __name__ == "__main__":
    main()
