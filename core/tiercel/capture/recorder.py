"""Recording: a tap between a source and those who read it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tiercel.capture.format import BATCH, CHECKPOINT, JOURNAL, STATE, CaptureError, FormatError
from tiercel.capture.writer import Writer
from tiercel.components.base import API_VERSION, Stability
from tiercel.components.source import Source
from tiercel.event import RawBatch

if TYPE_CHECKING:
    from tiercel.capture.metadata import Metadata
    from tiercel.event import Event
    from tiercel.plan import SourcePlan

__all__ = ["Recorder"]

FLUSH_SECONDS: Final = 1.0
"""What is written at least so often can be lost by no more than that."""
CHECKPOINT_SECONDS: Final = 60.0


class Recorder(Source):
    """A source that was opened, and a capture that gets all that is read of it."""

    name: ClassVar[str] = "recorder"
    summary: ClassVar[str] = "Records what another source delivers."
    api_version: ClassVar[str] = API_VERSION
    stability: ClassVar[Stability] = Stability.BETA

    def __init__(self, source: Source, write: Callable[[bytes], object], metadata: Metadata, *, name: str) -> None:
        """Writes the header.

        Args:
            source: opened source.
            write: takes all of the bytes that it is given, or raises `OSError`.
            metadata: of the capture.
            name: name of the file, for messages.

        Raises:
            CaptureError: the file cannot be written.
        """
        self.event_source = source.event_source  # type: ignore[misc]  # a class for all event sources
        self._source = source
        self._name = name
        self._broken = False
        self._flushed = self._checkpoint = time.monotonic()
        self._writer: Writer = self._guarded(lambda: Writer(write, metadata))

    @property
    def records(self) -> int:
        """Records of events in the capture so far."""
        return self._writer.records

    @property
    def size(self) -> int:
        """Bytes of the capture so far."""
        return self._writer.size

    def _guarded(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except OSError as error:
            self._broken = True
            msg = f"{self._name}: cannot be written: {error.strerror}; what was written so far can be replayed up to its last whole block"
            raise CaptureError(msg) from error
        except FormatError as error:
            self._broken = True
            raise CaptureError(f"{self._name}: source {type(self._source).name} delivered what captures cannot hold: {error}") from error

    def open(self, plan: SourcePlan) -> None:
        """The source is open already."""

    @property
    def origin(self) -> str:
        """That of the source."""
        return self._source.origin

    def read(self, timeout: float) -> RawBatch | None:
        """The source's next batch, recorded.

        Raises:
            CaptureError: the file cannot be written.
        """
        now = time.monotonic()
        if now - self._flushed >= FLUSH_SECONDS:
            self._flushed = now
            self._guarded(self._writer.flush)
        if now - self._checkpoint >= CHECKPOINT_SECONDS:
            self._checkpoint = now
            self._snapshot(CHECKPOINT)
        batch = self._source.read(timeout)
        if batch is not None:
            self._guarded(lambda: self._writer.add(BATCH, batch))
        return batch

    def snapshot(self) -> RawBatch | None:
        """A snapshot of the source, recorded.

        Raises:
            CaptureError: the file cannot be written.
        """
        return self._snapshot(STATE)

    def _snapshot(self, kind: int) -> RawBatch | None:
        batch = self._source.snapshot()
        if batch is not None:
            packed = RawBatch(batch.source, [self._source.pack(record) for record in batch.records])
            self._guarded(lambda: self._writer.add(kind, packed))
        return batch

    def journal(self) -> Iterator[bytes]:
        """The journal of the source, recorded.

        Raises:
            CaptureError: the file cannot be written.
        """
        records = list(self._source.journal())
        if records:
            self._guarded(lambda: self._writer.add(JOURNAL, RawBatch(self.event_source, records)))
        return iter(records)

    def judge(self, event: Event, verdict: Sequence[int]) -> None:
        """Hands the verdict on."""
        self._source.judge(event, verdict)

    def stop(self) -> None:
        """Stops the source."""
        self._source.stop()

    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """Those of the source."""
        return self._source.counters()

    def finish(self) -> None:
        """Writes what is held and the index, with the counters of the source; nothing after an error. The source stays open.

        Raises:
            CaptureError: the file cannot be written.
        """
        if not self._broken:
            summary = {"records": self._writer.records, "counters": self._source.counters()}
            self._guarded(lambda: self._writer.close(summary))
