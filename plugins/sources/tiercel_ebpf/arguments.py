"""Results and descriptors of events as text, the way Falco prints them (docs/compatibility.md lists what is different)."""

from __future__ import annotations

import errno
import stat
from typing import Any, Final

from tiercel import PENDING
from tiercel_ebpf import records as r
from tiercel_ebpf import sockets
from tiercel_ebpf.event import SyscallEvent

OPEN_FLAGS: Final = (  # include/uapi/asm-generic/fcntl.h; access mode first, then in Falco's order
    (0o100, "O_CREAT"), (0o2000, "O_APPEND"), (0o4010000, "O_SYNC"), (0o10000, "O_DSYNC"), (0o200, "O_EXCL"), (0o4000, "O_NONBLOCK"),
    (0o40000, "O_DIRECT"), (0o100000, "O_LARGEFILE"), (0o200000, "O_DIRECTORY"), (0o400000, "O_NOFOLLOW"), (0o2000000, "O_CLOEXEC"),
    (0o20000000, "O_TMPFILE"), (0o1000, "O_TRUNC"), (0o10000000, "O_PATH"),
)  # fmt: skip
NOBODY: Final = 0xFFFFFFFF
"""No user or group: -1 as 32 bits without a sign."""
ACCESS: Final = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_RDWR")
TYPES: Final = {"f": "file", "d": "directory", "p": "pipe", "4": "ipv4", "6": "ipv6", "u": "unix"}
_FORMATS: Final = {stat.S_IFREG: "f", stat.S_IFCHR: "f", stat.S_IFBLK: "f", stat.S_IFDIR: "d", stat.S_IFIFO: "p"}
_TRANSPORTS: Final = {"tcp": "t", "udp": "u", "icmp": "i", "raw": "r"}
_FAMILIES: Final = {sockets.AF_UNIX: "u", sockets.AF_INET: "4", sockets.AF_INET6: "6"}


def result_text(result: int) -> str:
    """SUCCESS, or the name of the error number."""
    return "SUCCESS" if result >= 0 else errno.errorcode.get(-result, str(result))


def _mode(event: SyscallEvent) -> int:
    head = event.head
    return int(head[r.A0 + (1 if head[0] >= r.CONNECT else 0)] >> 32)


def fd_number(event: SyscallEvent) -> int | None:
    """The descriptor that the event is about."""
    kind = event.head[0]
    if kind == r.CONNECT:
        number = int(event.head[r.A0 + 1] & 0xFFFFFFFF)
        return number - (1 << 32) if number & 1 << 31 else number
    return int(event.result) if kind in r.OPENS or kind in r.DUPS else None


def fd_typechar(event: SyscallEvent) -> str | None:
    """Type of the descriptor as a character; None if there is no descriptor, or one of another type."""
    if event.head[0] not in r.OPENS and event.head[0] < r.CONNECT:
        return None
    mode = stat.S_IFMT(_mode(event))
    if mode == stat.S_IFSOCK:
        return _FAMILIES.get(sockets.socket_family(event.head))
    return _FORMATS.get(mode)


def fd_type(event: SyscallEvent) -> str | None:
    """Type of the descriptor as a word."""
    char = fd_typechar(event)
    return None if char is None else TYPES[char]


def protocol(event: SyscallEvent) -> str | None:
    """Transport protocol; missing for events without a descriptor."""
    number = fd_number(event)
    if number is None or number < 0:
        return None
    return sockets.protocol(event.head) if event.head[0] >= r.CONNECT else "<NA>"


def open_flags(event: SyscallEvent) -> Any:
    """Flags of an open as names, None for other events, PENDING where they were in user memory only (an openat2 that failed)."""
    head = event.head
    if head[0] not in r.OPENS or not head[r.A0 + 1]:
        return None
    if head[r.A0 + 1] != 1:
        return PENDING
    left = int(head[r.A0] & 0xFFFFFFFF)
    names = []
    for value, name in OPEN_FLAGS:
        if left & value == value:
            names.append(name)
            left &= ~value
    return "|".join([*names, ACCESS[left & 3]])


def descriptor_text(event: SyscallEvent) -> str | None:
    """The descriptor as parameters show it: ``<f>/etc/passwd``, or the name of the error."""
    number = fd_number(event)
    if number is None:
        return None
    if number < 0:
        return result_text(number)
    transport = _TRANSPORTS.get(protocol(event) or "", "")
    return f"<{fd_typechar(event) or 'o'}{transport}>{event.name or ''}"


def device(event: SyscallEvent) -> int | None:
    """Device of an opened file in user space's 32 bits, as new_encode_dev() of include/linux/kdev_t.h makes them; None for others."""
    if event.head[0] not in r.OPENS or event.result < 0 or not event.head[r.A0 + 2]:
        return None
    major, minor = event.head[r.A0 + 2] >> 20, event.head[r.A0 + 2] & 0xFFFFF
    return int(minor & 0xFF | major << 8 | (minor & ~0xFF) << 12)
