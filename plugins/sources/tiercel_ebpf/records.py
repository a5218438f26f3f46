"""The records that the kernel program writes: layout, flags and strings of ``tiercel_ebpf_loader/program/base.h``.

All records have one head, whatever the plan collects: what is not collected is zero or empty. So records of an earlier plan that are
still in the ring after a reload are read like the others; the head carries their generation.
"""

from __future__ import annotations

import struct
from typing import Any, Final

LAYOUT: Final = 1
"""Version of the layout; the loader answers with its own."""
LAYOUT_NAME: Final = f"ebpf-{LAYOUT}"
"""Name of the layout in captures."""

HEAD: Final = struct.Struct("<HHI3Q8I2Qq6Q8H8H")
"""kind, generation, flags, time, start, exec_id, tgid, tid, ppid, uid, gid, loginuid, sid, tty, cgroup[2], result, a[6], at[8], len[8]."""

IDENTITY: Final = struct.Struct("<HHI3Q3I")
"""The first nine of them: what every record is looked at for."""

# Indices into the unpacked head.
KIND, GENERATION, FLAGS, TIME, START, EXEC_ID, TGID, TID, PPID, UID, GID, LOGINUID, SID, TTY, CGROUP, CGROUP2, RESULT, A0 = range(18)
AT: Final = 23
LEN: Final = 31
STRINGS: Final = HEAD.size
"""Offset of the first string in a record."""

REAL, TEXT, ORIGIN, BASE, CGROUP_PATH, CGROUP2_PATH, ARGS, CWD = range(8)
"""Numbers of the strings."""

F_UNJUDGED: Final = 1
F_COMPAT: Final = 2
F_CUT: Final = 4
F_CUT_ORIGIN: Final = 4096
F_CUT_BASE: Final = 8192
F_CUT_CWD: Final = 131072
F_TEXT: Final = 8
F_RACED: Final = 16
F_ARGS_CUT: Final = 32
F_MEMFD: Final = 64
F_THREAD: Final = 128
F_USER_ADDRESS: Final = 256
F_CHANGING: Final = 512
F_KTHREAD: Final = 1024
F_SAME: Final = 2048

KINDS: Final = (
    "", "execve", "execveat", "clone", "fork", "vfork", "clone3", "procexit",
    "open", "openat", "openat2", "creat", "connect", "dup", "dup2", "dup3", "fcntl",
)  # fmt: skip
"""Names of the kinds of events by number; the loader answers with its own table, which must agree. Captures hold the numbers: new kinds
come behind these, anything else is another layout."""
EXECS: Final = frozenset({1, 2})
FORKS: Final = frozenset({3, 4, 5, 6})
EXIT: Final = 7
OPENS: Final = frozenset({8, 9, 10, 11})
CONNECT: Final = 12
DUPS: Final = frozenset({13, 14, 15, 16})
"""dup, dup2, dup3, and fcntl where it duplicates."""
LAST_STATE_KIND: Final = 7
"""Records up to this kind change the process table; they go into the journal."""
TASK: Final = 30
"""Kind of a row of a snapshot."""


_CONTEXT: Final = struct.Struct("<5I2Q")


def context(record: bytes) -> tuple[Any, ...]:
    """Credentials, session, terminal and control groups: a head from `UID` to `RESULT`."""
    return _CONTEXT.unpack_from(record, 44)


def string(record: bytes, head: tuple[Any, ...], number: int) -> bytes:
    """A string of a record; empty if it has none."""
    start = STRINGS + head[AT + number]
    return record[start : start + head[LEN + number]]


class Mounts(bytes):
    """In a snapshot's records: the text of /proc/1/mountinfo (proc_pid_mountinfo(5)), or of our own where that cannot be read."""


class Accounts(bytes):
    """In a snapshot's records: the text of /etc/passwd (passwd(5))."""


class Groups(bytes):
    """In a snapshot's records: the text of /etc/group (group(5))."""


class CommandLine(tuple[int, int, int, bytes]):
    """In a snapshot's records: (pid, start, exec id, arguments) from /proc/PID/cmdline, taken while the identity did not change."""

    __slots__ = ()


class Unlisted(tuple[int, int, int, bytes, bytes]):
    """In a snapshot's records: (pid, ppid, start, short name, arguments) of a process that /proc shows and the iterator does not.

    On some kernels that is pid 1. The start is no identity (it is rounded down), so that it is good for a parent and no more.
    """

    __slots__ = ()
