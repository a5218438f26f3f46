"""Appends alerts to a file: one that root opens by a grant, of which only the descriptor is known here, or one of the sensor's own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from tiercel import Alert, Context, Output, Retry, Stability, UserError
from tiercel_file.opening import complete, open_own, place
from tiercel_file.options import SCHEMA
from tiercel_file.rotation import Rotation, moved_name, tidy

__all__ = ["File"]

MOVED_SECONDS: Final = 1.0
"""How long a file has been renamed before another is made in its place: logrotate(8) wants to make it itself, right after."""

_log = logging.getLogger("tiercel.file")


class File(Output):
    """One file, one line per alert.

    Only regular files are opened, so that a write goes to the page cache and is done on the loop. Nothing is written to a file that is
    not the one of its name any more: somebody may be compressing it.
    """

    name = "file"
    summary = "Appends alerts to a file."
    api_version = "1.0"
    stability = Stability.STABLE
    config_schema: ClassVar[Mapping[str, Any]] = SCHEMA

    def __init__(self, config: Mapping[str, Any], context: Context) -> None:
        where = context.component_id
        self._grant, path = config.get("grant"), config.get("path")
        if (self._grant is None) == (path is None):
            msg = f"{where}: the file is named by grant or by path (got {'none' if path is None else 'both'} of them)"
            raise UserError(msg)
        if "rotate" in config and path is None:
            msg = f"{where}: rotate is for path; a file behind a grant is root's, and logrotate(8) rotates it"
            raise UserError(msg)
        self._path = Path(path) if path is not None else None
        self._named = f"grant {self._grant}" if path is None else path
        self._rotation = Rotation.of(config["rotate"]) if "rotate" in config else None
        self._formatter = context.formatters[config["format"]]
        self._host = context.host
        self._descriptor = -1
        self._place = ""
        self._rest: tuple[tuple[str, ...], bytes] = ((), b"")
        self._chore: asyncio.Task[None] | None = None
        self._stop = threading.Event()
        self._rotated = self._not_rotated = self._reopened = 0

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Context) -> Self:
        """Checks which options go together."""
        return cls(config, context)

    async def open(self) -> None:
        """Opens the file. Raises `tiercel.UserError` if that is refused."""
        self._take(self._opened())
        self._tidy()

    async def deliver(self, batch: Sequence[Alert]) -> None:
        """Appends the batch by one write, or several where the system takes less or a new file begins.

        Of what does not fit (a full disk) whole lines stay, and the rest is remembered: when the same batch comes again, it goes on there.
        Half a line would spoil the first line of another process that has to go on.
        """
        await self._follow()
        ids = tuple(alert.id for alert in batch)
        data = self._rest[1] if self._rest[0] == ids else b"".join(self._formatter.format(alert) + b"\n" for alert in batch)
        view, at = memoryview(data), 0
        try:
            while at < len(data):
                end = self._end(data, at)
                while at < end:
                    at += os.write(self._descriptor, view[at:end])
        except OSError as error:
            torn = at - (data.rfind(b"\n", 0, at) + 1)
            if torn:
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - torn)
                at -= torn
            msg = f"{self._named}: {error.strerror}"
            raise Retry(msg) from error
        finally:
            self._rest = (ids, data[at:]) if at < len(data) else ((), b"")

    async def reopen(self) -> None:
        """Has the file opened anew. If that is refused, the old one stays in use and the error is raised."""
        self._take(self._opened())

    async def close(self) -> None:
        """Closes the file. Compression that is under way is given up, and taken up by the next `open`."""
        self._stop.set()
        if self._chore is not None:
            await asyncio.wait({self._chore})
        self._release()

    def counters(self) -> Mapping[str, int]:
        """``rotated``: files that were full; ``not_rotated``: what went wrong with that; ``reopened``: files that others had moved."""
        return {"rotated": self._rotated, "not_rotated": self._not_rotated, "reopened": self._reopened}

    # ------------------------------------------------------------------------------------------------------------ the descriptor
    def _opened(self) -> int:
        if self._grant is None:
            return open_own(str(self._path))
        descriptor = self._host.open_granted(self._grant)
        with contextlib.suppress(OSError):  # root's files cannot be read here, and root has looked at the end of theirs
            complete(descriptor)
        return descriptor

    def _take(self, descriptor: int) -> None:
        """Uses another file. It does not begin in the middle of a line: a batch that was interrupted is written again, completely."""
        self._release()
        self._descriptor, self._place = descriptor, place(descriptor)
        self._rest = ((), b"")

    def _release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    async def _follow(self) -> None:
        """Opens another file if somebody has renamed or removed this one. Raises `tiercel.Retry` if that is refused."""
        if place(self._descriptor) == self._place:
            return
        changed = os.fstat(self._descriptor).st_ctime
        await asyncio.sleep(min(MOVED_SECONDS, max(0.0, changed + MOVED_SECONDS - time.time())))
        try:
            self._take(self._opened())
        except UserError as error:
            msg = f"{self._named} was moved away: {error}"
            raise Retry(msg) from error
        self._reopened += 1

    # ------------------------------------------------------------------------------------------------------------------ rotation
    def _end(self, data: bytes, at: int) -> int:
        """To where data may be written now, at least one line on. Begins a new file if it is time to."""
        if self._rotation is None:
            return len(data)
        info = os.fstat(self._descriptor)
        room, line = self._rotation.room(info.st_size), data.find(b"\n", at) + 1
        over = line - at > room or self._rotation.is_over(info.st_mtime, time.time())
        if info.st_size and over and self._rotate():
            room = self._rotation.room(0)
        return max(line, data.rfind(b"\n", at, at + room) + 1)

    def _rotate(self) -> bool:
        """Gives the file another name and opens a new one. If that does not work, the old one stays in use, however large."""
        assert self._path is not None
        try:
            old = moved_name(self._path, time.time_ns())
            self._path.rename(old)
            try:
                descriptor = self._opened()
            except UserError:
                old.rename(self._path)
                raise
        except (OSError, UserError) as error:
            self._not_rotated += 1
            _log.warning("%s: not rotated: %s; it grows on", self._named, getattr(error, "strerror", None) or error)
            return False
        self._take(descriptor)
        self._rotated += 1
        self._tidy()
        return True

    def _tidy(self) -> None:
        """Has old files compressed and removed, beside what else is going on."""
        if self._rotation is not None and (self._chore is None or self._chore.done()):
            self._chore = asyncio.create_task(self._tidied(self._rotation), name=f"old files of {self._named}")

    async def _tidied(self, rotation: Rotation) -> None:
        assert self._path is not None
        while not self._stop.is_set():
            before = self._rotated
            try:
                await asyncio.to_thread(tidy, self._path, rotation, self._stop)
            except OSError as error:
                self._not_rotated += 1
                _log.warning("%s: old files: %s", self._named, error)
            if self._rotated == before:  # none came while it ran
                return
