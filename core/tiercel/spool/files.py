"""The directory of the spool: who may use it, and what becomes of a damaged file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from pathlib import Path
from typing import Final

from tiercel.spool.database import NAME

__all__ = ["InUseError", "SpoolError", "lock", "move_aside", "prepare"]

LOCK: Final = "spool.lock"
PARTS: Final = ("", "-wal", "-shm")
"""What SQLite keeps of one database, by the end of the name."""
DAMAGED_KEPT: Final = 2
"""Damaged files that stay for people to look at."""


class SpoolError(Exception):
    """The spool's directory cannot be used; the reason is for people."""


class InUseError(SpoolError):
    """Another process has it."""


def prepare(directory: Path) -> None:
    """Makes the directory if it is missing, and refuses one that others can write.

    Raises:
        SpoolError: it cannot be made or used.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
    except OSError as error:
        msg = f"{directory}: not made: {error.strerror}; make it, writable for this user alone, or set state_dir"
        raise SpoolError(msg) from error
    if found.st_uid not in (os.geteuid(), 0) or stat.S_IMODE(found.st_mode) & 0o022:
        msg = f"{directory}: others may write there (got owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}, expected mode 0700)"
        raise SpoolError(msg)


def lock(directory: Path) -> int:
    """Takes the spool for this process, as long as the descriptor is open.

    Raises:
        InUseError: another process has it.
        SpoolError: the lock file cannot be made.
    """
    try:
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        msg = f"{directory}: not writable: {error.strerror}"
        raise SpoolError(msg) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        msg = f"{directory}: another sensor uses it; give each its own by state_dir"
        raise InUseError(msg) from error
    return descriptor


def move_aside(directory: Path) -> Path:
    """Renames the database and what belongs to it; the new name. Older damaged ones are removed.

    Raises:
        OSError: it cannot be renamed.
    """
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    number = 0
    while (target := directory / f"{NAME}.damaged-{stamp}-{number}").exists():
        number += 1
    for part in PARTS:
        source = directory / (NAME + part)
        if source.exists():
            source.rename(f"{target}{part}")
    damaged = sorted(each for each in directory.glob(f"{NAME}.damaged-*") if not each.name.endswith(PARTS[1:]))
    for old in damaged[:-DAMAGED_KEPT]:
        for part in PARTS:
            with contextlib.suppress(FileNotFoundError):
                Path(f"{old}{part}").unlink()
    return target
