"""Watching files of configuration and rules by inotify(7).

Whatever happens in the directories that they are in makes us look, a moment later, whether one of the files is another one than before:
so it makes no difference whether an editor writes a file in place, renames another one over it, or a link is turned (as Kubernetes does).
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import logging
import os
import stat
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["Watch"]

QUIET: Final = 0.2
"""Seconds without an event after which we look."""
LONGEST: Final = 2.0
"""Seconds after the first event after which we look anyway."""
MAX_FILES: Final = 10_000
"""Entries of a directory that are looked at."""

IN_NONBLOCK: Final = os.O_NONBLOCK  # include/uapi/linux/inotify.h
IN_CLOEXEC: Final = os.O_CLOEXEC
EVENTS: Final = 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
"""IN_MODIFY, ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF."""
IN_ONLYDIR: Final = 0x01000000

SUFFIXES: Final = (".yaml", ".yml")
"""Of files in directories."""

Look = dict[str, tuple[int, int, int, int] | None]
"""Path -> device, inode, time of change (nanoseconds) and size; None for what is not there, or cannot be looked at."""

_log = logging.getLogger("tiercel.watch")
_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """On the asyncio loop. A descriptor of the kernel and the loop suffice: a library would bring a thread or a loop of its own."""

    def __init__(self, changed: Callable[[], Awaitable[object]]) -> None:
        """Opens nothing.

        Args:
            changed: called when a file is another one than before; it is waited for.
        """
        self._changed = changed
        self._fd = -1
        self._paths: tuple[Path, ...] = ()
        self._seen: Look = {}
        self._unwatched: frozenset[str] = frozenset()
        self._event = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """True while it watches."""
        return self._task is not None

    def start(self, paths: Iterable[Path], *, since: float) -> None:
        """Begins with these files, and with directories of files. What cannot be watched is logged.

        Args:
            paths: the files.
            since: when they were read, or a little earlier, seconds since the epoch: what changed later counts as changed.
        """
        self._fd = _libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        if self._fd < 0:
            reason = os.strerror(ctypes.get_errno())
            _log.warning("files are not watched: %s; after a change, use tiercel reload or SIGHUP", reason)
            return
        asyncio.get_running_loop().add_reader(self._fd, self._readable)
        self._task = asyncio.create_task(self._run(), name="file watch")
        self.use(paths, since=since)

    def use(self, paths: Iterable[Path], *, since: float) -> None:
        """Watches these from now on; arguments as for `start`."""
        self._paths = tuple(paths)
        if self._fd < 0:
            return
        self._add_watches()
        now = time.time_ns()  # a change that is still to come was before the clock was set back
        self._seen = {path: None if each and since * 1e9 <= each[2] <= now else each for path, each in _look(self._paths).items()}
        self._event.set()  # to look once

    async def close(self) -> None:
        """Stops. May be called without `start`, and more than once."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _readable(self) -> None:
        try:
            os.read(self._fd, 1 << 16)  # which file it was makes no difference
        except BlockingIOError:
            return
        self._event.set()

    async def _run(self) -> None:
        while True:
            await self._event.wait()
            await self._calm()
            self._add_watches()  # of what is new, or was put in another's place
            found = _look(self._paths)
            if found != self._seen:
                self._seen = found
                await self._changed()

    async def _calm(self) -> None:
        """Waits until nothing happens for a moment: what is being written is not read."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LONGEST
        while self._event.is_set() and loop.time() < end:
            self._event.clear()
            await asyncio.sleep(QUIET)
        self._event.clear()

    def _add_watches(self) -> None:
        """Adding one that there is changes nothing; one of a directory that has gone goes by itself."""
        unwatched = set()
        for directory in dict.fromkeys(_directories(self._paths)):
            if _libc.inotify_add_watch(self._fd, os.fsencode(directory), EVENTS | IN_ONLYDIR) < 0 and os.path.lexists(directory):
                unwatched.add(f"{directory}: {os.strerror(ctypes.get_errno())}")
        for each in sorted(unwatched - self._unwatched):
            _log.warning("%s: not watched; after a change there, use tiercel reload or SIGHUP", each)
        self._unwatched = frozenset(unwatched)


def _directories(paths: Iterable[Path]) -> Iterator[str]:
    """Where something has to happen for one of the files to become another one: on both sides of links."""
    for path in paths:
        for each in dict.fromkeys((str(path), os.path.realpath(path))):
            if os.path.isdir(each):  # noqa: PTH112  False where this user may not look
                yield each
            yield os.path.dirname(each)  # noqa: PTH120


def _look(paths: Iterable[Path]) -> Look:
    found: Look = {}
    for path in paths:
        found[str(path)] = _identity(str(path))
        try:
            with os.scandir(path) as entries:
                names = (entry.path for entry in entries if entry.name.endswith(SUFFIXES))
                found |= {name: _identity(name) for name in itertools.islice(names, MAX_FILES)}
        except OSError:
            continue  # a file, or what cannot be listed
    return found


def _identity(path: str) -> tuple[int, int, int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116  links are followed
    except OSError:
        return None
    if stat.S_ISDIR(status.st_mode):  # its files are looked at one by one
        return status.st_dev, status.st_ino, 0, 0
    return status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size
