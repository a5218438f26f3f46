"""The decoded event of source ``syscall``. One object is used again and again: it is valid until the next event is asked for.

Most events are dropped by their masks, which look at little: so the record is unpacked, and its texts are read, when somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tiercel import PENDING
from tiercel_ebpf import paths
from tiercel_ebpf import records as r

if TYPE_CHECKING:
    from tiercel_ebpf.decode import SyscallDecoder
    from tiercel_ebpf.process import Image, Process

__all__ = ["SyscallEvent"]

_UID, _GID, _LOGINUID, _SID, _TTY, _CGROUP = range(6)
"""Places in a context: the part of a head from `records.UID` to `records.RESULT`."""
_PORT: Final = slice(92, 94)
"""Local port of a socket in a record: many values, and no scalar."""


class SyscallEvent:
    """What fields read; see `tiercel.Event` for the attributes that the core reads.

    Attributes:
        wants_verdict: the kernel had no verdict for the process, or this is a process and no event (``type`` is empty).
        process: the process that made the call.
        image: ``process.image``, one step nearer.
        kind: number of the type.
        flags: flags of the record.
        raw: the record; empty for a process without an event.
        ppid: process id of the parent.
        unpacked: the head, once somebody asked for it; None before.
        texts_read: false while the one view that there is has not been asked for.
        process_key: stands for all facts of the process that the kernel compares; see `tiercel.Field.key`.
    """

    __slots__ = (
        "_above", "_name", "_nameraw", "_realpath", "_views", "decoder", "flags", "image", "kind", "number", "pending", "position", "ppid",
        "process", "process_key", "raw", "texts_read", "time", "type", "unpacked", "views", "wants_verdict",
    )  # fmt: skip

    source = "syscall"

    def __init__(self, decoder: SyscallDecoder) -> None:
        """Empty; the decoder fills it."""
        self.decoder = decoder
        self.type = ""
        self.kind = self.time = self.number = self.position = self.flags = self.ppid = 0
        self.views = 1
        self.pending = self.wants_verdict = False
        self.process: Process
        self.image: Image
        self.process_key: Any = None
        self.raw = b""
        self.unpacked: tuple[Any, ...] | None = ()
        self.texts_read = True
        self._above: tuple[int, list[Process]] = (-1, [])
        self._name: Any = None
        self._nameraw: Any = None
        self._realpath: Any = None
        self._views: tuple[Any, ...] = ()

    # ------------------------------------------------------------------------------------------------------- of the record

    @property
    def head(self) -> tuple[Any, ...]:
        """The unpacked head of the record (`records.HEAD`); empty for a process without an event."""
        head = self.unpacked
        if head is None:
            head = self.unpacked = r.HEAD.unpack_from(self.raw)
        return head

    @property
    def result(self) -> Any:
        """Result of the call; None for the end of a process, which is none."""
        return self.head[r.RESULT] if self.kind != r.EXIT else None

    @property
    def tid(self) -> int:
        """Thread id."""
        head = self.head
        return int(head[r.TID]) if head else self.process.pid

    @property
    def context(self) -> tuple[Any, ...]:
        """Credentials, session, terminal and control groups of the calling thread."""
        return self.head[r.UID : r.RESULT] or self.process.context

    @property
    def uid(self) -> Any:
        """Effective user id."""
        return self.context[_UID]

    @property
    def gid(self) -> Any:
        """Effective group id."""
        return self.context[_GID]

    @property
    def loginuid(self) -> Any:
        """Audit user id."""
        return self.context[_LOGINUID]

    @property
    def sid(self) -> Any:
        """Session id."""
        return self.context[_SID]

    @property
    def tty(self) -> Any:
        """Device number of the terminal."""
        return self.context[_TTY]

    @property
    def cgroups(self) -> Any:
        """``pids=PATH unified=PATH`` of the calling thread; PENDING if nothing says it, None if nobody wants it."""
        return self.decoder.cgroups(self.context[_CGROUP:], self.head, self.raw)

    def string(self, number: int) -> str:
        """A string of the record."""
        return str(r.string(self.raw, self.head, number), "utf-8", "surrogateescape")

    # ---------------------------------------------------------------------------------------------------------------- keys

    @property
    def scalar_key(self) -> bytes:
        """Stands for the scalars of the event, but for its type: result, and what its kind has of flags, modes, families, the peer's port.

        The three forms differ in length, so that they never stand for each other.
        """
        raw, kind = self.raw, self.kind
        if kind in r.OPENS:
            return raw[80:104]
        if kind < r.CONNECT:
            return raw[80:88] + raw[:2]
        return raw[80 : _PORT.start] + raw[_PORT.stop : 104] + raw[:1]

    @property
    def address_key(self) -> bytes:
        """Stands for the addresses of both ends of a socket: family and addresses, without the ports."""
        return self.raw[88:89] + self.raw[104:136]

    @property
    def name_key(self) -> Any:
        """Stands for the path under the selected view: its bytes, while nobody has read the text."""
        raw = self.raw
        if self.texts_read or self.kind not in r.OPENS or raw[paths.RESULT_SIGN] > paths.POSITIVE:
            return self.name
        start = r.STRINGS + raw[136] + (raw[137] << 8)  # `paths.real`, without the call
        return raw[start : start + raw[152] + (raw[153] << 8)]

    # --------------------------------------------------------------------------------------------------------------- paths

    def set_views(self, views: tuple[Any, ...]) -> None:
        """Takes the different ways to name the object, the caller's first."""
        self.texts_read = True
        self._views = views
        self.views = len(views) or 1
        self._name = views[0] if views else None

    def select(self, view: int) -> None:
        """Shows the path under view 0 (as the caller wrote it), 1 (the kernel's) or 2 (behind a bind mount); equal ones are left out."""
        if self.views > 1:
            self._name = self._views[view]

    def set_texts(self, *, name: Any = None, nameraw: Any = None, realpath: Any = None) -> None:
        """Takes the path under the selected view, as the caller wrote it, and the kernel's."""
        self.texts_read = True
        self._name, self._nameraw, self._realpath = name, nameraw, realpath

    @property
    def name(self) -> Any:
        """The path that the selected view shows as ``fd.name``, or the text of a connection."""
        if self.texts_read:
            return self._name
        raw = self.raw
        if self.kind in r.OPENS and raw[paths.RESULT_SIGN] <= paths.POSITIVE:
            self.texts_read = True
            start = r.STRINGS + raw[136] + (raw[137] << 8)  # `paths.real`, without the call
            name = str(raw[start : start + raw[152] + (raw[153] << 8)], "utf-8", "surrogateescape") or None
            self._name = self._nameraw = self._realpath = name
        else:
            paths.read(self)
        return self._name

    @property
    def nameraw(self) -> Any:
        """The path exactly as the caller wrote it."""
        if not self.texts_read:
            paths.read(self)
        return self._nameraw

    @property
    def realpath(self) -> Any:
        """The kernel's path of the object."""
        if not self.texts_read:
            paths.read(self)
        return self._realpath

    # ------------------------------------------------------------------------------------------------------------ ancestors

    def ancestors(self) -> list[Process]:
        """Parent, grandparent, ..., repaired once if the chain ends too early. Looked up once for an event: many rules ask."""
        number, above = self._above
        if number != self.number or not self.type:
            above = self.decoder.ancestors(self)
            self._above = (self.number, above)
        return above

    def parent_image(self) -> Any:
        """The image of the parent: None at the top, PENDING if it is not known."""
        if self.ppid == 0:
            return None
        ancestors = self.ancestors()
        return ancestors[0].image if ancestors else PENDING
