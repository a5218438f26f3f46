"""Opening a file of the sensor's own, and noticing that an open one is not the one of that name any more."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from tiercel import UserError

__all__ = ["complete", "open_own", "place"]

TAIL: Final = 65536
"""Bytes at the end of a file in which half a line is looked for."""
WORDS: Final = {
    errno.EISDIR: "it is a directory (expected a file); name a file in it",
    errno.ENXIO: "it is a fifo or a device (expected a file); for a program that reads, there is the output program",
    errno.ELOOP: "a symbolic link is in its place (expected a file)",
    errno.ENOENT: "its directory is not there; create it, writable for the user that the sensor runs as",
    errno.EACCES: "Permission denied for the user that the sensor runs as; give it the directory, or use a grant",
    errno.EROFS: "the file system is read-only; a systemd unit may need ReadWritePaths= for its directory",
}


def open_own(path: str) -> int:
    """A descriptor that appends to a regular file, which is created if it is missing (0640). Never waits, as for a fifo's reader.

    Raises:
        tiercel.UserError: it cannot be opened, or is something else.
    """
    flags = os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(path, os.O_RDWR | flags, 0o640)
    except OSError as error:
        msg = f"{path}: not opened: {WORDS.get(error.errno or 0, error.strerror)}"
        raise UserError(msg) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            msg = f"{path}: not opened: {WORDS[errno.ENXIO]}"
            raise UserError(msg)
        complete(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def complete(descriptor: int) -> None:
    """Removes half a line that a process left when it was killed: its alert was not confirmed, and comes again."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, TAIL, max(0, size - TAIL))
    if tail and not tail.endswith(b"\n") and (b"\n" in tail or size <= TAIL):
        os.ftruncate(descriptor, size - len(tail) + tail.rfind(b"\n") + 1)


def place(descriptor: int) -> str:
    """Where the open file is now, by its path; empty if that cannot be known. It differs after it was renamed or removed (proc(5), fd)."""
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:
        return ""
