"""The decoded event of source ``syscall``. One object is used again and again: it is valid until the next event is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiercel import PENDING
from tiercel_ebpf import records as r

if TYPE_CHECKING:
    from tiercel_ebpf.decode import SyscallDecoder
    from tiercel_ebpf.process import Image, Process


class SyscallEvent:
    """What fields read; see `tiercel.Event` for the attributes that the core reads.

    Attributes:
        wants_verdict: the kernel had no verdict for the process, or this is a process and no event (``type`` is empty).
        process: the process that made the call.
        image: ``process.image``, one step nearer.
        head: the unpacked head of the record (`records.HEAD`).
        name: the path that the selected view shows as ``fd.name``, or the text of a connection.
        result: result of the call; None for the end of a process, which is none.
        realpath: the kernel's path of the object.
    """

    __slots__ = (
        "_views", "cgroups", "decoder", "flags", "gid", "head", "image", "loginuid", "name", "nameraw", "number", "pending", "position",
        "ppid", "process", "raw", "realpath", "result", "sid", "tid", "time", "tty", "type", "uid", "views", "wants_verdict",
    )  # fmt: skip

    source = "syscall"

    def __init__(self, decoder: SyscallDecoder) -> None:
        """Empty; the decoder fills it."""
        self.decoder = decoder
        self.type = ""
        self.time = self.number = self.position = 0
        self.flags = self.tid = self.ppid = self.uid = self.gid = self.loginuid = self.sid = self.tty = 0
        self.views = 1
        self.pending = self.wants_verdict = False
        self.process: Process
        self.image: Image
        self.head: tuple[Any, ...] = ()
        self.raw = b""
        self.result: Any = None
        self.name: Any = None
        self.nameraw: Any = None
        self.realpath: Any = None
        self.cgroups: Any = None
        self._views: tuple[Any, ...] = ()

    def select(self, view: int) -> None:
        """Shows the path under view 0 (as the caller wrote it), 1 (the kernel's) or 2 (behind a bind mount); equal ones are left out."""
        self.name = self._views[view]

    def set_views(self, views: tuple[Any, ...]) -> None:
        """Takes the different ways to name the object, the caller's first."""
        self._views = views
        self.views = len(views) or 1
        self.name = views[0] if views else None

    def string(self, number: int) -> str:
        """A string of the record."""
        return str(r.string(self.raw, self.head, number), "utf-8", "surrogateescape")

    def ancestors(self) -> list[Process]:
        """Parent, grandparent, ..., repaired once if the chain ends too early."""
        return self.decoder.ancestors(self)

    def parent_image(self) -> Any:
        """The image of the parent: None at the top, PENDING if it is not known."""
        if self.ppid == 0:
            return None
        ancestors = self.decoder.ancestors(self)
        return ancestors[0].image if ancestors else PENDING
