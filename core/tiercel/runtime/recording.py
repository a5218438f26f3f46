"""The file that a recording sensor writes, and what its header says."""

from __future__ import annotations

import errno
import logging
import os
import select
import threading
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tiercel.capture.format import CaptureError
from tiercel.capture.metadata import Metadata
from tiercel.capture.recorder import Recorder
from tiercel.config.build import hostname
from tiercel.config.files import absolute
from tiercel.config.model import APPEND, STDOUT

if TYPE_CHECKING:
    from tiercel.components.base import Host
    from tiercel.components.source import Source
    from tiercel.plan import SourcePlan

__all__ = ["Sink", "Told", "links", "open_sink", "recorder"]

_log = logging.getLogger("tiercel.recording")

PIECE: Final = select.PIPE_BUF
"""Bytes that a pipe takes at once when poll(2) says that it is writable."""
PATIENCE: Final = 0.2
"""Seconds after which a waiting writer looks whether it should stop."""
GRACE: Final = 3.0
"""Seconds that a reader has after that."""

TOLD_SECONDS: Final = 10.0
"""Between two lines of the log about the size of a capture."""
MIB: Final = 1 << 20

LINKED: Final = ("/", "/usr", "/var")
"""Directories whose links to directories a capture names: rules written later lead through them."""


class Sink:
    """The open file of a capture. A pipe that nobody reads holds up the writer, until it is stopped.

    Args:
        descriptor: open for writing, blocking; the sink's from now on.
        name: for messages.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self._descriptor = descriptor
        self._stopped = threading.Event()
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def write(self, data: bytes) -> None:
        """Writes all of the bytes, or raises `OSError`."""
        view = memoryview(data)
        while view:
            self._wait()
            written = os.write(self._descriptor, view[:PIECE])
            if not written:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            view = view[written:]

    def _wait(self) -> None:
        end = None
        while not self._poll.poll(PATIENCE * 1000):
            now = time.monotonic()
            if self._stopped.is_set():
                end = end or now + GRACE
                if now > end:
                    raise OSError(errno.EAGAIN, "nobody reads it")

    def stop(self) -> None:
        """From now on `write` waits for `GRACE` at most. Callable from a signal handler or another thread."""
        self._stopped.set()

    def close(self) -> None:
        """Closes it."""
        os.close(self._descriptor)


def open_sink(path: Path, host: Host, *, source: type[Source]) -> Sink:
    """Opens the file of a capture.

    Args:
        path: the file; ``-`` is standard output.
        host: opens granted files for the sensor.
        source: class of the source that is to be recorded.

    Raises:
        tiercel.UserError: the file is refused, not empty, or a terminal; or the source cannot be recorded.
    """
    if not source.layout:
        raise CaptureError(f"source {source.name}: its records cannot be kept in captures (it names no layout)")
    if path == STDOUT:
        if os.isatty(1):
            raise CaptureError("standard output: a terminal, which no capture is for (try `-o FILE`, or a pipe)")
        return Sink(os.dup(1), "standard output")
    descriptor = host.open_granted(APPEND + absolute(path))
    size = os.fstat(descriptor).st_size
    if size:
        os.close(descriptor)
        raise CaptureError(f"{path}: not empty (got {size} bytes); remove it, or choose another name")
    return Sink(descriptor, str(path))


def links() -> dict[str, str]:
    """Links to directories in `LINKED`: path -> what it leads to."""
    entries = [entry for folder in LINKED for entry in os.scandir(folder) if entry.is_symlink() and entry.is_dir()]
    return {entry.path: os.path.realpath(entry.path) for entry in entries}


def recorder(sink: Sink, source: Source, plan: SourcePlan, *, complete: bool, paths: Mapping[str, str]) -> Recorder:
    """A recorder of an open source.

    Args:
        sink: where to.
        source: the source.
        plan: what it was opened with.
        complete: the plan has no masks.
        paths: see `Metadata.paths`; those of `links` are added.

    Raises:
        CaptureError: the file cannot be written.
    """
    cls = type(source)
    host = os.uname()
    metadata = Metadata(
        event_source=source.event_source, source=cls.name, layout=cls.layout, origin=source.origin, hostname=hostname(),
        kernel=f"{host.release} {host.machine}", version=version("tiercel"), time=time.time_ns(), complete=complete,
        types=plan.wanted_types, fields=plan.fields, paths={**links(), **paths},
    )  # fmt: skip
    return Recorder(source, sink.write, metadata, name=sink.name)


class Told:
    """How large the capture is, in the log now and then."""

    def __init__(self, recorder: Recorder, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Says nothing yet.

        Args:
            recorder: of the capture.
            clock: seconds.
        """
        self._recorder, self._clock = recorder, clock
        self._next = clock() + TOLD_SECONDS

    def __call__(self) -> None:
        """Says it if it is time."""
        if self._clock() >= self._next:
            self._next = self._clock() + TOLD_SECONDS
            _log.info("recorded %d records, %.1f MiB so far", self._recorder.records, self._recorder.size / MIB)
