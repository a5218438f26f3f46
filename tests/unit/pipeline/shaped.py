"""A program for tests: delivers numbered alerts through a spool, rolled up and limited, to files. It can be killed, and started again.

Usage: python -m tests.unit.pipeline.shaped DIRECTORY COUNT
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from tiercel.alert import Alert, Priority
from tiercel.components.output import Output
from tiercel.config.build import Planned
from tiercel.config.limits import RateLimit, RollUp
from tiercel.config.routes import parse
from tiercel.pipeline.acks import Acks
from tiercel.pipeline.delivery import Delivery, Receivers
from tiercel.spool.store import Spool

MILLISECOND: Final = 1_000_000
BATCH: Final = 5
RATE: Final = 2000
GROUPS: Final = 7
OUTPUTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "all": {},
    "some": {"route": parse([{"fields": {"group": "3"}}])},
    "rolled": {"roll_up": RollUp(group_by=("group",), window=60 * MILLISECOND, max_groups=5)},
    "limited": {"rate_limit": RateLimit(alerts_per_sec=200, burst=3, group_by=("group",), window=90 * MILLISECOND, max_groups=5)},
    "both": {
        "unless": parse([{"fields": {"group": "0"}}]),
        "roll_up": RollUp(group_by=("group", "odd"), window=30 * MILLISECOND, max_groups=100),
        "rate_limit": RateLimit(alerts_per_sec=50, burst=2, group_by=(), window=70 * MILLISECOND, max_groups=5),
    },
}
"""Output -> what the core does for it."""


class Lines(Output):
    """Writes a line for each alert: its id, its number, the alerts that it stands for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def open(self) -> None:
        self._fd = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    async def deliver(self, batch: Sequence[Alert]) -> None:
        lines = [json.dumps([a.id, a.fields.get("number"), a.fields.get("rollup.count", 0), a.message]) + "\n" for a in batch]
        os.write(self._fd, "".join(lines).encode())
        await asyncio.sleep(0)

    async def close(self) -> None:
        os.close(self._fd)


def alert(number: int) -> Alert:
    """The alert with that number: the same in each run."""
    fields = {"number": number, "group": number % GROUPS, "odd": number % 2}
    return Alert(f"{number:032x}", f"rule {number % 3}", "test", Priority.NOTICE, number, f"alert {number}", fields)


async def run(folder: Path, count: int) -> None:
    """Goes on behind the last alert that was acknowledged."""
    acks, spool = Acks(), Spool(folder / "state")
    outputs: dict[str, Planned[Output]] = {}
    for name, core in OUTPUTS.items():
        make: Callable[[], Output] = partial(Lines, folder / name)
        outputs[name] = Planned(make(), core, make, core)
    delivery = Delivery(spool, Receivers(outputs, {}), acks)
    await delivery.start()
    safe = folder / "safe"
    first = int(safe.read_text() or 0) if safe.exists() else 0
    done = os.open(safe, os.O_CREAT | os.O_WRONLY)

    def acknowledged(end: int) -> None:
        os.pwrite(done, f"{end:08}".encode(), 0)

    for start in range(first, count, BATCH):
        end = min(start + BATCH, count)
        delivery.submit([alert(n) for n in range(start, end)], acks.open(partial(acknowledged, end)))
        await asyncio.sleep(BATCH / RATE)
    await delivery.finish(10)
    counters = {name: [c.behind, c.unrouted, c.rolled_up, c.limited] for name, c in delivery.counters().items()}
    (folder / "counters").write_text(json.dumps(counters))


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
