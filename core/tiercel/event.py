"""Events and raw batches: what crosses from sources to decoders, and from decoders to the engine.

The core knows nothing of the shape of an event but what `Event` states. Everything else is reached through fields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

__all__ = ["Event", "RawBatch"]


@runtime_checkable
class Event(Protocol):
    """What the engine needs of a decoded event.

    A decoder's own class has these attributes and those named by the `path` of its fields. Use ``__slots__``.

    Attributes:
        source: name of its event source, the value of ``evt.source``; an attribute of the class will do.
        type: event type, the value of ``evt.type``.
        time: nanoseconds since the epoch.
        number: running number, the value of ``evt.num``.
        position: where in its source the event is; stable when the source delivers it again. Part of the alert's id.
        views: number of ways to see the event (paths have up to three); at least 1.
        pending: true if some facts are not known (`tiercel.PENDING`).
        wants_verdict: the source should be told a verdict for the event's process. An event with an empty type is nothing but that.
    """

    source: str
    type: str
    time: int
    number: int
    position: int
    views: int
    pending: bool
    wants_verdict: bool

    def select(self, view: int) -> None:
        """Makes ``view`` (counted from 0) the one that the event's path fields show."""


@dataclass(slots=True)
class RawBatch:
    """Raw records of one source, in order, with the acknowledgement that they wait for.

    Attributes:
        source: name of the event source, ``syscall`` for example.
        records: the raw records; only the source's decoder knows what is in them. Valid until `release` or `acknowledge`.
        position: position of the first record.
        acknowledge: called once, when everything that follows from the batch is safe (alerts written). None if the source
            cannot deliver again.
        clock: time on the source's own clock when the batch was taken, nanoseconds.
        clock_offset: what to add to the source's clock to get nanoseconds since the epoch.
        generation: number of the plan (`tiercel.SourcePlan`) that was in force when these records were made, while records of an earlier
            one may still come; 0 when all that come are of the one in force.
    """

    source: str
    records: Sequence[Any]
    position: int = 0
    acknowledge: Callable[[], None] | None = None
    clock: int = 0
    clock_offset: int = 0
    generation: int = 0
