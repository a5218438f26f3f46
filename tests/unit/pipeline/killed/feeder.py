"""A source of numbered alerts and outputs that fail in their ways, with the spool and the delivery between them: `feeder.py DIRECTORY RATE DOWN`.

Numbers come at RATE a second since the time in ``begin``, also while nobody runs this; what is safe is noted in ``consumed``, as in the ring of a
kernel. SIGTERM ends it: the last line of its output is how many numbers there were. DOWN is how many seconds after the beginning the outputs that are
down work.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import random
import signal
import struct
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tiercel.alert import Alert, Priority, alert_id
from tiercel.components.output import Output
from tiercel.config.build import Planned
from tiercel.config.spool import SpoolSettings
from tiercel.errors import Permanent, Retry
from tiercel.pipeline.acks import Acks
from tiercel.pipeline.delivery import Delivery, Receivers
from tiercel.spool.store import Spool

DIRECTORY, RATE, DOWN = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
BEGIN = float((DIRECTORY / "begin").read_text())
REFUSED = 500
"""One number of so many is refused by one output."""
BATCH = 200
CATCH_UP = 60.0


class Lines(Output):
    """Writes ``number id`` for each alert; what it has written stays whatever happens to this process."""

    def __init__(self, name: str) -> None:
        self.file = os.open(DIRECTORY / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def open(self) -> None:
        pass

    async def deliver(self, batch: Sequence[Alert]) -> None:
        os.write(self.file, b"".join(f"{alert.fields['number']} {alert.id}\n".encode() for alert in batch))

    async def close(self) -> None:
        pass


class Down(Lines):
    """Accepts nothing for a while."""

    async def deliver(self, batch: Sequence[Alert]) -> None:
        if time.time() < BEGIN + DOWN:
            raise Retry("down")
        await super().deliver(batch)


class Stalling(Lines):
    """Never answers for a while; later takes half of a batch now and then."""

    async def deliver(self, batch: Sequence[Alert]) -> None:
        if time.time() < BEGIN + DOWN:
            await asyncio.sleep(3600)
        if random.random() < 0.1:
            await super().deliver(batch[: len(batch) // 2])
            raise Retry("busy", after=0.01)
        await super().deliver(batch)


class Picky(Lines):
    """Refuses some alerts."""

    async def deliver(self, batch: Sequence[Alert]) -> None:
        refused = {alert.id for alert in batch if alert.fields["number"] % REFUSED == 0}
        await super().deliver([alert for alert in batch if alert.id not in refused])
        if refused:
            raise Permanent("a round number", refused=refused)


OUTPUTS = {"good": Lines, "down": Down, "stalling": Stalling, "picky": Picky}


def alert(number: int) -> Alert:
    """The alert of a number, the same each time."""
    found = alert_id(origin="feeder", position=number, rule="number", view=0)
    return Alert(found, "number", "feeder", Priority.NOTICE, 0, f"number {number}", fields={"number": number})


def feed(delivery: Delivery, acks: Acks, ending: threading.Event) -> int:
    """Hands numbers over until the end; how many there are."""
    with (DIRECTORY / "consumed").open("r+b") as file:
        consumed = mmap.mmap(file.fileno(), 8)
    (number,) = struct.unpack("<q", consumed[:])
    while True:
        last = ending.is_set()
        due = int((time.time() - BEGIN) * RATE)
        while number < due:
            end = min(number + BATCH, due)
            ticket = acks.open(lambda end=end: consumed.__setitem__(slice(0, 8), struct.pack("<q", end)))  # type: ignore[misc]
            delivery.submit([alert(each) for each in range(number, end)], ticket)
            number = end
        if last:
            return number
        time.sleep(0.005)


async def main() -> None:
    acks, ending = Acks(), threading.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    outputs: dict[str, Planned[Output]] = {name: Planned(cls(name), None, partial(cls, name)) for name, cls in OUTPUTS.items()}
    spool = Spool(DIRECTORY / "state", SpoolSettings())
    delivery = Delivery(spool, Receivers(outputs, {}), acks, timeout=1.0)
    await delivery.start()
    print("started", flush=True)
    count = await asyncio.to_thread(feed, delivery, acks, ending)
    end = time.time() + CATCH_UP
    while any(counters.behind for counters in delivery.counters().values()) and time.time() < end:  # noqa: ASYNC110  counters of many
        await asyncio.sleep(0.05)
    await delivery.finish(CATCH_UP)
    print(count, flush=True)


asyncio.run(main())
