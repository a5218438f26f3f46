"""What others leave for the spool's thread, and what they get from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

from tiercel.alert import Alert
from tiercel.spool.database import DeadLetter
from tiercel.spool.recent import Reader
from tiercel.spool.rows import Row

__all__ = ["Advance", "Call", "Job", "Redeem", "SpoolCounters", "Stop", "Submit", "Taken"]


@dataclass(slots=True)
class SpoolCounters:
    """Counters of the spool: alerts, but for those named otherwise.

    Attributes:
        stored: committed to the disk.
        known: left out, since an alert with the same id is there.
        unsaved: in memory only, for now.
        unstored: given up without having been on the disk.
        evicted: removed since there were too many.
        expired: removed since they were too old.
        damaged: could not be read back.
        buried: dead letters that were kept.
        failures: transactions that the disk did not take.
        sync_failures: how often what was committed could not be forced to the disk.
        bytes: of alerts on the disk now.
        max_bytes: how many there may be.
        problem: why the disk takes nothing now; "" if it does.
    """

    stored: int = 0
    known: int = 0
    unsaved: int = 0
    unstored: int = 0
    evicted: int = 0
    expired: int = 0
    damaged: int = 0
    buried: int = 0
    failures: int = 0
    sync_failures: int = 0
    bytes: int = 0
    max_bytes: int = 0
    problem: str = ""


class Taken(NamedTuple):
    """Alerts that an output took, in order.

    Attributes:
        epoch: changes when the output was set to another place: what it took before, and the memory that goes with it, do not count.
        last: number up to which the output has everything once it has these.
        number: how many alerts were taken, damaged ones among them.
        rows: the alerts.
    """

    epoch: int
    last: int
    number: int
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Submit:
    """Keep alerts; call `done` when they are safe."""

    alerts: Sequence[Alert]
    done: Callable[[], None] | None


@dataclass(frozen=True, slots=True)
class Advance:
    """An output has what it took, and its memory changes with that."""

    reader: Reader
    taken: Taken
    changes: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Redeem:
    """An output was given dead letters again: those with these numbers."""

    reader: Reader
    numbers: Sequence[int]


@dataclass(frozen=True, slots=True)
class Call:
    """Call a function on the thread."""

    function: Callable[[], Any]
    future: Future[Any]


class Stop:
    """The last job."""


Job = Submit | Advance | DeadLetter | Redeem | Call | Stop
