"""Records of snapshots as bytes, for captures: one letter that says what it is, then its numbers, then its texts."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

from tiercel_ebpf import records as r

ROW: Final = b"r"
LINE: Final = b"l"
UNLISTED: Final = b"u"
MOUNTS: Final = b"m"
ACCOUNTS: Final = b"a"
GROUPS: Final = b"g"
_line = struct.Struct("<IQQ")
"""pid, start, exec id; the arguments follow."""
_unlisted = struct.Struct("<IIQI")
"""pid, parent, start, bytes of the short name; name and arguments follow."""


def pack(record: Any) -> bytes:
    """A record of a snapshot as bytes. Of accounts and groups only what fields show is kept: no passwords, real names, members."""
    match record:
        case r.CommandLine():
            return LINE + _line.pack(*record[:3]) + record[3]
        case r.Unlisted():
            pid, ppid, start, name, args = record
            return UNLISTED + _unlisted.pack(pid, ppid, start, len(name)) + name + args
        case r.Mounts():
            return MOUNTS + record
        case r.Accounts():
            return ACCOUNTS + b"\n".join(b"%s::%s:::%s:%s" % (p[0], p[2], p[5], p[6]) for p in _entries(record, 7))
        case r.Groups():
            return GROUPS + b"\n".join(b"%s::%s:" % (p[0], p[2]) for p in _entries(record, 3))
    return ROW + bytes(record)


def _entries(text: bytes, count: int) -> Iterator[list[bytes]]:
    """The parts of each entry of passwd(5) or group(5) that has a number, which is the third; at least so many."""
    for line in text.splitlines():
        parts = line.split(b":")
        if len(parts) > 2 and parts[2].isdigit():
            yield parts + [b""] * (count - len(parts))


def _row(data: bytes) -> bytes:
    if len(data) < r.HEAD.size:
        raise ValueError(f"a row of {len(data)} bytes (expected at least {r.HEAD.size})")
    return data


def _read_line(data: bytes) -> r.CommandLine:
    return r.CommandLine((*_line.unpack_from(data), data[_line.size :]))


def _read_unlisted(data: bytes) -> r.Unlisted:
    pid, ppid, start, length = _unlisted.unpack_from(data)
    texts = data[_unlisted.size :]
    return r.Unlisted((pid, ppid, start, texts[:length], texts[length:]))


_READ: Final[dict[bytes, Callable[[bytes], Any]]] = {
    ROW: _row,
    LINE: _read_line,
    UNLISTED: _read_unlisted,
    MOUNTS: r.Mounts,
    ACCOUNTS: r.Accounts,
    GROUPS: r.Groups,
}


def unpack(data: bytes) -> Any:
    """A record from what `pack` made of it.

    Raises:
        ValueError: it is none.
    """
    read = _READ.get(data[:1])
    if read is None:
        raise ValueError(f"unknown kind of record (got {data[:1]!r})")
    try:
        return read(data[1:])
    except struct.error as error:
        raise ValueError(f"a record of {len(data)} bytes is too short") from error
