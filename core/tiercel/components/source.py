"""Sources produce batches of raw records; decoders turn them into events and keep the state that this needs.

They are two components because a capture, a rule test and the live kernel need one decoder, and plugins never import each other:
the core joins them by the *event-source name* (``syscall``). Both run on the detect thread, synchronously.

A source may judge: it states in `Source.abilities` which fields and operators it can compare before an event comes up, gets the
plan (`tiercel.SourcePlan`), and is told verdicts. Whatever it cannot judge it must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from tiercel.components.base import Component
from tiercel.fields import ChangePoint

if TYPE_CHECKING:
    from tiercel.event import Event, RawBatch
    from tiercel.plan import SourcePlan

__all__ = ["Abilities", "Decoder", "Replan", "Source"]


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a source can judge by itself. The default is nothing.

    Attributes:
        event_types: event types that it can produce; None if they are not known ahead.
        named_types: further event types that conditions may name; events of them do not come.
        judged_types: those of them that it can drop.
        compared: change points that it compares before it believes a process verdict.
        scalars: field -> operators that it can evaluate exactly on scalars.
        places: field -> operators that it can look up in maps.
        max_classes: bits of a verdict per event type.
        max_atoms: distinct checks per event type, of scalars and of places each.
    """

    event_types: frozenset[str] | None = None
    named_types: frozenset[str] = frozenset()
    judged_types: frozenset[str] = frozenset()
    compared: ChangePoint = ChangePoint.NEVER
    scalars: Mapping[str, frozenset[str]] = field(default_factory=dict)
    places: Mapping[str, frozenset[str]] = field(default_factory=dict)
    max_classes: int = 64
    max_atoms: int = 64


@dataclass(frozen=True, slots=True)
class Replan:
    """Another plan, prepared beside the one in force by `Source.replan` or `Decoder.replan`. One of the two is called, once.

    Attributes:
        commit: puts it in force; called on the detect thread between two batches, so it must be quick. One of a source may raise
            `tiercel.UserError`, and what was in force stays; one of a decoder must not fail.
        discard: lets go of it; called on any thread.
    """

    commit: Callable[[], None]
    discard: Callable[[], None] = lambda: None


class Source(Component):
    """Produces raw records of one event source.

    Life: `from_config`, `open(plan)`, then `read` again and again until `stop` was called and `read` has returned None, then
    `close`. All but `stop`, `wake` and `replan` are called on the detect thread.
    """

    event_source: ClassVar[str]
    """Name of the event source, ``syscall`` for example; finds the decoder and the rules."""
    layout: ClassVar[str] = ""
    """Name and version of the layout of its records, ``ebpf-1`` for example; changes when a decoder that reads one cannot read the other.
    Empty: its records cannot be kept in captures."""

    @classmethod
    def abilities(cls) -> Abilities:
        """What this source can judge by itself."""
        return Abilities()

    def open(self, plan: SourcePlan) -> None:
        """Starts producing what the plan wants. Raises `tiercel.UserError` if the host cannot."""
        raise NotImplementedError

    @property
    def origin(self) -> str:
        """Identifies this source's positions across restarts of the sensor; goes into alert ids. Valid after `open`."""
        raise NotImplementedError

    def replan(self, plan: SourcePlan) -> Replan | None:
        """Prepares another plan while `read` goes on; called on a thread of its own, one at a time.

        A source that supports it says in each batch which plan its records were made under, as long as that is not the one in force
        for all of them (`tiercel.RawBatch.generation`). No event that both plans want may be lost or delivered twice.

        Returns:
            What puts it in force; None if this source needs a restart for another plan.

        Raises:
            tiercel.UserError: the plan cannot be prepared.
        """
        del plan
        return None

    def wake(self) -> None:
        """Has a waiting `read` return soon. Callable from another thread."""

    def read(self, timeout: float) -> RawBatch | None:
        """Waits up to `timeout` seconds for records.

        Returns:
            The next batch (it may be empty when the time is up), or None at the end: after `stop`, when all that had been
            produced by then has been read, or when the source is exhausted.

        Whatever it raises, or if it does not return for long, another instance of source and decoder is built and opened.
        """
        raise NotImplementedError

    def snapshot(self) -> RawBatch | None:
        """State of the host as records, for a decoder that starts or lost something; None if the source has no state."""
        return None

    def journal(self) -> Iterator[bytes]:
        """State records that an earlier sensor of this run had seen, oldest first; for `Decoder.replay`."""
        return iter(())

    def pack(self, record: Any) -> bytes:
        """A record of a snapshot as bytes, for a capture; `Decoder.unpack` reads it. This one is for records that are bytes.

        Records of `read` are kept as they are: a source with a `layout` delivers bytes, or pairs of a position and bytes.
        """
        return bytes(record)

    def judge(self, event: Event, verdict: Sequence[int]) -> None:
        """Takes the verdict of the process behind `event`: one mask for each judged type, in the plan's order."""

    def stop(self) -> None:
        """Ends the reading: `read` returns what is left, then None. Callable from a signal handler or another thread."""
        raise NotImplementedError

    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """Event type -> counter name -> value, since `open`; none ever falls.

        ``seen`` (before any filter), ``passed`` (came up) and ``lost`` are metrics of their own, and losses become internal alerts, which
        name the rules that were blind; other names are shown as they are.
        """
        return {}

    def close(self) -> None:
        """Releases everything; see `Component`."""


class Decoder(Component):
    """Turns raw batches into events. Pure but for its own state: no I/O, no clock.

    It is fed the batches of one source in order and may keep state (a process table), which must be bounded.
    """

    event_source: ClassVar[str]
    """Name of the event source whose records it understands."""
    layouts: ClassVar[frozenset[str]] = frozenset()
    """The layouts of records (`Source.layout`) that it reads from captures."""

    def open(self, plan: SourcePlan, refresh: Callable[[], RawBatch | None]) -> None:
        """Prepares for the records of a plan.

        Args:
            plan: the plan that the source was opened with.
            refresh: `Source.snapshot` of the source, for repair after a loss. Call it at most once per batch.
        """
        raise NotImplementedError

    def replan(self, plan: SourcePlan) -> Replan | None:
        """Prepares for another plan while `decode` goes on; called on a thread of its own, after `Source.replan`.

        After it was put in force, batches may still be of an earlier plan, see `tiercel.RawBatch.generation`.

        Returns:
            What puts it in force; None if this decoder needs a restart for another plan.
        """
        del plan
        return None

    def decode(self, batch: RawBatch) -> Iterator[Event]:
        """The events of a batch, in order. An event is valid until the next one is asked for.

        A record that it cannot understand it counts and leaves out. If it raises, the rest of the batch is given up.
        """
        raise NotImplementedError

    def unpack(self, data: bytes) -> Any:
        """A record of a snapshot from a capture, as `Source.pack` made it. Captures are hostile input.

        Raises:
            ValueError: it cannot be such a record.
        """
        return data

    def due(self) -> float | None:
        """Seconds until the decoder wants a batch, even an empty one; None if it can wait for records."""
        return None

    def replay(self, record: bytes) -> None:
        """Takes a state record that an earlier sensor had already seen: only the decoder's state changes."""

    def counters(self) -> Mapping[str, int]:
        """Counters of the decoder: records that it could not understand, processes in its table, ...

        Events that it dropped by the plan's known masks are named ``dismissed``.
        """
        return {}

    def describe(self, event: Event) -> Mapping[str, Any]:
        """Everything known of an event, for debugging and captures."""
        raise NotImplementedError
