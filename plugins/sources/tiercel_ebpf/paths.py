"""Names of what an event is about: paths of files, under each of their views, and texts of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tiercel import PENDING
from tiercel_ebpf import records as r
from tiercel_ebpf.sockets import tuple_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiercel_ebpf.event import SyscallEvent

__all__ = ["NO_LENGTH", "ORIGIN_LENGTH", "POSITIVE", "RESULT_SIGN", "Views", "read", "read_views", "real"]

RESULT_SIGN: Final = 87
"""Highest byte of the result in a record; above `POSITIVE`, the result is negative."""
POSITIVE: Final = 127
_AT, _LENGTH = 136, 152
"""Where a record says the place and the length of `records.REAL`, its first string."""
ORIGIN_LENGTH: Final = slice(156, 158)
"""Length of the path behind a bind mount in a record."""
NO_LENGTH: Final = b"\0\0"
_STRINGS: Final = slice(136, None)
"""Places, lengths and text of all strings of a record."""
_PLAIN: Final = r.F_SAME | r.F_TEXT | r.F_CUT | r.F_CUT_ORIGIN | r.F_CUT_BASE
"""Flags of which none is set where an open has two whole names, and nothing but its strings decides them."""
MAX_NAMED: Final = 1024
"""Opens whose names are remembered: programs open the same libraries through the same links again and again."""


def real(record: bytes) -> bytes:
    """The kernel's path of a record."""
    start = r.STRINGS + record[_AT] + (record[_AT + 1] << 8)
    return record[start : start + record[_LENGTH] + (record[_LENGTH + 1] << 8)]


def read(event: SyscallEvent) -> None:
    """The texts of an event with one view."""
    kind = event.kind
    if kind in r.OPENS:
        if event.raw[RESULT_SIGN] > POSITIVE:
            event.set_texts(nameraw=None if event.flags & r.F_TEXT else event.string(r.TEXT))
        else:
            path = str(real(event.raw), "utf-8", "surrogateescape") or None
            event.set_texts(name=path, nameraw=path, realpath=path)
    elif kind >= r.CONNECT:
        head = event.head
        if head[r.LEN + r.REAL]:
            path = event.string(r.REAL)
            event.set_texts(name=path, realpath=path)
        elif kind == r.CONNECT and head[r.LEN + r.TEXT]:
            text = event.string(r.TEXT)
            event.set_texts(name=text, nameraw=text)
        else:
            event.set_texts(name=tuple_text(head))
    else:
        event.set_texts()


class Views:
    """All names of opened files, remembered by the strings of the record where these say everything.

    Args:
        text: the caller's path made absolute; None if the top of the directory that it starts from is not known.
        origin: the path by which the host reaches a file, given its path inside a file system and the file system's device.
    """

    def __init__(self, *, text: Callable[[SyscallEvent], str | None], origin: Callable[[str, int], str | None]) -> None:
        self._text, self._origin = text, origin
        self._named: dict[bytes, tuple[Any, Any, tuple[Any, ...]]] = {}

    def read(self, event: SyscallEvent) -> None:
        """Puts the names of a successful open into the event."""
        record = event.raw
        if event.flags & _PLAIN or record[ORIGIN_LENGTH] != NO_LENGTH:
            read_views(event, text=self._text, origin=self._origin)
            return
        key = record[_STRINGS]
        named = self._named.get(key)
        if named is not None:
            nameraw, realpath, views = named
            event.set_texts(nameraw=nameraw, realpath=realpath)
            event.set_views(views)
            return
        views = read_views(event, text=self._text, origin=self._origin)
        if len(self._named) >= MAX_NAMED:
            self._named.clear()
        self._named[key] = event.nameraw, event.realpath, views


def read_views(
    event: SyscallEvent, *, text: Callable[[SyscallEvent], str | None], origin: Callable[[str, int], str | None]
) -> tuple[Any, ...]:
    """All names of an opened file: the caller's, the kernel's, the one behind a bind mount. Those that differ are returned, too.

    Args:
        event: a successful open.
        text: the caller's path made absolute; None if the top of the directory that it starts from is not known.
        origin: the path by which the host reaches a file, given its path inside a file system and the file system's device.
    """
    head, flags = event.head, event.flags
    path: Any = event.string(r.REAL) if head[r.LEN + r.REAL] else None
    if flags & r.F_CUT:
        path, event.pending = PENDING, True
    written = flags & r.F_SAME == 0 and flags & r.F_TEXT == 0
    event.set_texts(nameraw=event.string(r.TEXT) if written else path, realpath=path)
    if flags & r.F_SAME and not head[r.LEN + r.ORIGIN]:
        event.set_views((path,))
        return (path,)
    views: list[Any] = [text(event)] if written else []
    views.append(path)
    event.pending = event.pending or None in views[:1] or bool(flags & r.F_CUT_ORIGIN)
    if head[r.LEN + r.ORIGIN] and not flags & r.F_CUT_ORIGIN:
        views.append(origin(event.string(r.ORIGIN), head[r.A0 + 2]))
    found = tuple(dict.fromkeys(v for v in views if v is not None))
    event.set_views(found)
    return found
