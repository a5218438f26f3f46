"""The process table: what is known of the processes of the host, from exec, fork and exit records and from snapshots."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from tiercel import PENDING

MAX_PROCESSES: Final = 65536
MAX_IMAGES: Final = 8192
MAX_CONTEXTS: Final = 16
"""Contexts of one process: its threads may differ in credentials and control groups."""
MAX_ANCESTORS: Final = 32


class Image:
    """What a process became at its last exec; shared by the processes forked from it."""

    __slots__ = ("arglist", "args", "cmdline", "exe", "exepath", "memfd", "name", "whole")

    def __init__(self, name: Any, exe: Any, exepath: Any, arglist: Any, memfd: Any) -> None:
        """Values may be `tiercel.PENDING`."""
        self.name, self.exe, self.exepath, self.arglist, self.memfd = name, exe, exepath, arglist, memfd
        self.whole = PENDING not in (name, exe, exepath, arglist, memfd)
        if arglist is PENDING:
            self.args = self.cmdline = PENDING
        else:
            self.args = " ".join(arglist)
            self.cmdline = f"{name} {self.args}" if arglist else name

    def without(self, parts: Collection[str]) -> Image:
        """The same with some of what is collected (``exe``, ``args``, ``memfd``) not known."""
        exe, arglist = (PENDING, PENDING) if "args" in parts else (self.exe, self.arglist)
        path, memfd = PENDING if "exe" in parts else self.exepath, PENDING if "memfd" in parts else self.memfd
        return Image(self.name, exe, path, arglist, memfd)

    def completed(self, other: Image) -> Image:
        """This one with what is not known from another of the same process."""
        exe, arglist = (other.exe, other.arglist) if self.arglist is PENDING else (self.exe, self.arglist)
        path, memfd = (mine if mine is not PENDING else its for mine, its in ((self.exepath, other.exepath), (self.memfd, other.memfd)))
        return Image(self.name, exe, path, arglist, memfd)

    @property
    def count(self) -> Any:
        """Number of arguments."""
        return PENDING if self.arglist is PENDING else len(self.arglist)

    @property
    def length(self) -> Any:
        """Bytes of the arguments, without blanks between them."""
        return PENDING if self.arglist is PENDING else sum(len(word.encode("utf-8", "surrogateescape")) for word in self.arglist)

    @property
    def exeline(self) -> Any:
        """First argument and the others, joined by blanks."""
        return PENDING if self.arglist is PENDING else " ".join((self.exe, *self.arglist))


UNKNOWN: Final = Image(PENDING, PENDING, PENDING, PENDING, PENDING)
"""Nothing is known."""


class Process:
    """One process image of one process; a new exec makes a new one."""

    __slots__ = (
        "_keys", "alive", "context", "exec_id", "image", "judged", "judged_at", "key", "pid", "ppid", "seen", "settles", "start", "vpid",
    )  # fmt: skip

    def __init__(self, *, pid: int, start: int, exec_id: int, ppid: int, vpid: Any, image: Image, context: tuple[Any, ...]) -> None:
        """`context` is what a record said of credentials, session, terminal and control groups when the image began."""
        self.pid, self.start, self.exec_id, self.ppid, self.vpid = pid, start, exec_id, ppid, vpid
        self.image, self.context = image, context
        self.alive = True
        self.judged: tuple[Any, ...] | None = None  # context of the last verdict, and when it was written
        self.judged_at = 0
        self.settles = 0  # when its image began, by the kernel's clock
        self.seen = b""  # context of its last event, as bytes of the record, and what stands for both
        self.key: object = None
        self._keys: dict[bytes, object] = {}

    def key_of(self, context: bytes) -> object:
        """Stands for the process in a context: the same object for equal ones, while they are few."""
        keys = self._keys
        if context not in keys:
            if len(keys) >= MAX_CONTEXTS:
                keys.clear()
            keys[context] = object()
        self.seen, self.key = context, keys[context]
        return self.key


class Table:
    """Processes by pid. Bounded: the longest unchanged entry makes room, and comes back by a snapshot when needed."""

    def __init__(self, limit: int = MAX_PROCESSES) -> None:
        """Empty. `by_pid` is there to be looked up; `put` and `remove` change it."""
        self.by_pid: dict[int, Process] = {}
        self._limit = limit
        self._images: dict[Any, Image] = {}
        self.evicted = 0

    def __len__(self) -> int:
        """Number of processes known."""
        return len(self.by_pid)

    def get(self, pid: int) -> Process | None:
        """The process that has this pid now."""
        return self.by_pid.get(pid)

    def put(self, process: Process) -> None:
        """Makes `process` the one of its pid."""
        table = self.by_pid
        old = table.pop(process.pid, None)
        if old is not None:
            old.alive = False
        elif len(table) >= self._limit:
            table.pop(next(iter(table))).alive = False
            self.evicted += 1
        table[process.pid] = process

    def remove(self, pid: int, start: int) -> Process | None:
        """Forgets a process that ended; a later one with the same pid stays."""
        process = self.by_pid.get(pid)
        if process is None or process.start != start:
            return None
        process.alive = False
        return self.by_pid.pop(pid)

    def forget(self, parts: Collection[str]) -> None:
        """Makes parts of all images unknown: nobody has collected them. Processes that shared an image still do."""
        lacking: dict[Image, Image] = {}
        for process in self.by_pid.values():
            image = process.image
            if image is not UNKNOWN:
                process.image = lacking.get(image) or lacking.setdefault(image, image.without(parts))

    def image(self, name: bytes, exepath: bytes | None, args: bytes | None, *, memfd: Any) -> Image:
        """An image of these values; equal ones are one object while they are remembered.

        Args:
            name: short name, padded with NULs.
            exepath: path of the executable; empty if there is none or nobody reads it, None if it is not known.
            args: arguments, each followed by a NUL; None if they are not known.
            memfd: the executable lives in memory only.
        """
        key = (name, exepath, args, memfd)
        image = self._images.get(key)
        if image is None:
            if len(self._images) >= MAX_IMAGES:
                self._images.clear()
            comm = name.split(b"\0", 1)[0].decode(errors="surrogateescape")
            path: Any = PENDING if exepath is None else exepath.decode(errors="surrogateescape") or None
            if args is None:
                image = Image(comm, PENDING, path, PENDING, memfd)
            else:
                words = args.removesuffix(b"\0").decode(errors="surrogateescape").split("\0") if args else []
                image = Image(comm, words[0] if words else comm, path, tuple(words[1:]), memfd)
            self._images[key] = image
        return image

    def parent(self, process: Process, ppid: int) -> Process | None:
        """The parent, given its pid; None if it is not known (any more)."""
        parent = self.by_pid.get(ppid)
        return parent if parent is not None and parent.start <= process.start else None

    def ancestors(self, process: Process, ppid: int) -> list[Process]:
        """Parent, grandparent, ...; ends at the top or where knowledge ends."""
        out: list[Process] = []
        while len(out) < MAX_ANCESTORS:
            parent = self.parent(process, ppid)
            if parent is None or parent is process:
                break
            out.append(parent)
            process, ppid = parent, parent.ppid
        return out
