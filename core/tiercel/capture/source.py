"""A capture as a source: the same records, snapshots and clock as the recorded source delivered, at any speed, without privilege."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tiercel.capture.format import BATCH, CHECKPOINT, JOURNAL, CaptureError, Entry
from tiercel.components.base import API_VERSION, Stability
from tiercel.components.source import Source
from tiercel.event import RawBatch

if TYPE_CHECKING:
    from tiercel.capture.metadata import Metadata
    from tiercel.plan import SourcePlan

__all__ = ["CaptureSource"]

SECOND: Final = 1_000_000_000


class CaptureSource(Source):
    """Replays entries of a capture. It judges nothing."""

    name: ClassVar[str] = "capture"
    summary: ClassVar[str] = "A capture that `tiercel record` made."
    api_version: ClassVar[str] = API_VERSION
    stability: ClassVar[Stability] = Stability.BETA

    def __init__(
        self,
        metadata: Metadata,
        entries: Iterable[Entry],
        *,
        unpack: Callable[[bytes], Any],
        where: str = "capture",
        speed: float | None = None,
    ) -> None:
        """Reads nothing yet.

        Args:
            metadata: header of the capture.
            entries: `Reader.entries`, or a list of them; may begin at any checkpoint.
            unpack: `Decoder.unpack` of the decoder that gets them.
            where: name of the capture, for messages.
            speed: times as fast as it was recorded; None for as fast as it goes.
        """
        self.event_source = metadata.event_source  # type: ignore[misc]  # a class for all event sources
        self._metadata = metadata
        self._entries = iter(entries)
        self._unpack = unpack
        self._where = where
        self._speed = speed
        self._stopped = threading.Event()
        self._states: deque[RawBatch] = deque()
        self._journal: list[bytes] = []
        self._next: RawBatch | None = None
        self._begin: tuple[float, int] | None = None

    @property
    def origin(self) -> str:
        """That of the recorded source: alerts get the ids that they had."""
        return self._metadata.origin

    def open(self, plan: SourcePlan) -> None:
        """Reads up to the first batch: the starting state comes before it."""
        self._advance(start=True)

    def _advance(self, *, start: bool = False) -> None:
        """Reads up to the next batch, with the snapshots that were taken before it."""
        self._states.clear()
        self._next = None
        for entry in self._entries:
            if entry.kind == BATCH:
                self._next = entry.batch
                return
            if entry.kind == JOURNAL:
                self._journal += entry.batch.records
            elif start or entry.kind != CHECKPOINT:  # a checkpoint is for those who start there; the decoder did not see it
                self._states.append(self._state(entry.batch))
            start = start and entry.kind == JOURNAL

    def _state(self, batch: RawBatch) -> RawBatch:
        try:
            return RawBatch(batch.source, [self._unpack(record) for record in batch.records])
        except ValueError as error:
            raise CaptureError(f"{self._where}: a record of a snapshot is damaged: {error}") from error

    def read(self, timeout: float) -> RawBatch | None:
        """The next batch, when its time has come; an empty one when the time is up before."""
        batch = self._next
        if batch is None or self._stopped.is_set():
            return None
        if self._speed is not None and not self._wait(batch, timeout, self._speed):
            return None if self._stopped.is_set() else RawBatch(batch.source, (), clock=batch.clock, clock_offset=batch.clock_offset)
        self._advance()
        return batch

    def _wait(self, batch: RawBatch, timeout: float, speed: float) -> bool:
        """Waits until a batch is due; False if the time was up before, or the source was stopped."""
        taken = batch.clock + batch.clock_offset
        if self._begin is None:
            self._begin = time.monotonic(), taken
        begin, first = self._begin
        left = begin + (taken - first) / SECOND / speed - time.monotonic()
        if left <= 0:
            return True
        return not self._stopped.wait(min(left, timeout)) and left <= timeout

    def snapshot(self) -> RawBatch | None:
        """The snapshot that the decoder had got at this place, if it had got one."""
        return self._states.popleft() if self._states else None

    def journal(self) -> Iterator[bytes]:
        """The journal that was recorded."""
        return iter(self._journal)

    def stop(self) -> None:
        """The next `read` returns None."""
        self._stopped.set()
