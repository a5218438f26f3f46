"""The file that a recording sensor writes, and what its header says."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping
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

__all__ = ["Sink", "links", "recorder"]

LINKED: Final = ("/", "/usr", "/var")
"""Directories whose links to directories a capture names: rules written later lead through them."""


class Sink:
    """The open file of a capture, opened as the host of the sensor opens granted files.

    Raises:
        tiercel.UserError: it is refused, not empty, or a terminal.
    """

    def __init__(self, path: Path, host: Host) -> None:
        if path == STDOUT:
            self.name = "standard output"
            if os.isatty(1):
                raise CaptureError("standard output: a terminal, which no capture is for (try `-o FILE`, or a pipe)")
            self._descriptor = os.dup(1)
            return
        self.name = str(path)
        self._descriptor = host.open_granted(APPEND + absolute(path))
        size = os.fstat(self._descriptor).st_size
        if size:
            self.close()
            raise CaptureError(f"{path}: not empty (got {size} bytes); remove it, or choose another name")

    def write(self, data: bytes) -> None:
        """Writes all of the bytes, or raises `OSError`."""
        view = memoryview(data)
        while view:
            written = os.write(self._descriptor, view)
            if not written:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            view = view[written:]

    def close(self) -> None:
        """Closes it."""
        os.close(self._descriptor)


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
        CaptureError: the records of the source cannot be recorded, or the file cannot be written.
    """
    cls = type(source)
    if not cls.layout:
        raise CaptureError(f"source {cls.name}: its records cannot be kept in captures (it names no layout)")
    host = os.uname()
    metadata = Metadata(
        event_source=source.event_source, source=cls.name, layout=cls.layout, origin=source.origin, hostname=hostname(),
        kernel=f"{host.release} {host.machine}", version=version("tiercel"), time=time.time_ns(), complete=complete,
        types=plan.wanted_types, fields=plan.fields, paths={**links(), **paths},
    )  # fmt: skip
    return Recorder(source, sink.write, metadata, name=sink.name)
