"""Opening granted files as root without being led astray by the user that the sensor runs as.

Rules (docs/design.md, privilege): no symbolic link anywhere in the path (openat2(2), RESOLVE_NO_SYMLINKS; `followed` resolves
those of rules and configurations before), a regular file with one link, and no directory on the way in which the sensor's user could put
something else; in a sticky directory like /tmp what follows must belong to root.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from typing import Final

SYS_OPENAT2: Final = 437  # the same number on all architectures since Linux 5.6
RESOLVE_NO_SYMLINKS: Final = 0x04  # include/uapi/linux/openat2.h
AT_FDCWD: Final = -100
MAX_LINKS: Final = 40  # as in the kernel: path_resolution(7)
WORDS: Final = {errno.ELOOP: "a symbolic link is in the path", errno.ENXIO: "it is a fifo or a device (expected a file)"}

_libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """The file is not opened; the message says why, without its contents."""


def _openat2(path: str, flags: int, mode: int) -> int:
    how = ctypes.create_string_buffer(struct.pack("<QQQ", flags, mode, RESOLVE_NO_SYMLINKS), 24)
    fd: int = _libc.syscall(SYS_OPENAT2, AT_FDCWD, os.fsencode(path), how, 24)
    if fd < 0:
        code = ctypes.get_errno()
        why = WORDS.get(code) or os.strerror(code)
        raise Refused(f"{path}: not opened: {why}")
    return fd


def _writable(info: os.stat_result, uid: int, gid: int) -> bool:
    """True if the user may create and rename entries of the directory."""
    mode = info.st_mode
    if info.st_uid == uid:
        return bool(mode & stat.S_IWUSR) or info.st_uid != 0
    if info.st_gid == gid and mode & stat.S_IWGRP:
        return True
    return bool(mode & stat.S_IWOTH)


def _check_way(path: str, uid: int, gid: int) -> None:
    """Refuses a path on whose way the user could put something else."""
    parts = path.strip("/").split("/")
    at = "/"
    for part in parts:
        info = os.lstat(at)
        following = os.path.join(at, part)
        if stat.S_ISLNK(info.st_mode):
            raise Refused(f"{path}: not opened: a symbolic link is in the path ({at})")
        _check_step(path, at, following, info, uid=uid, gid=gid)
        at = following


def _check_step(path: str, at: str, following: str, info: os.stat_result, *, uid: int, gid: int) -> None:
    """Refuses the directory `at` on the way of a path if the user could exchange `following`, which is in it."""
    if not _writable(info, uid, gid):
        return
    try:
        owner = os.lstat(following).st_uid
    except FileNotFoundError:
        owner = 0  # O_CREAT | O_EXCL decides
    if not info.st_mode & stat.S_ISVTX or info.st_uid == uid or owner != 0:  # the owner renames in spite of the sticky bit
        raise Refused(f"{path}: not opened: {at} can be written by the user that the sensor runs as; use a directory of root's")


def followed(path: str, uid: int, gid: int) -> str:
    """Where symbolic links lead now, if the user could turn none of them: as Kubernetes turns those of a ConfigMap.

    Raises:
        Refused: it could; or there is no such file.
    """
    pending, at, links = path.split("/"), "/", 0
    while pending:
        part = pending.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            at = os.path.dirname(at)
            continue
        following = os.path.join(at, part)
        try:
            info = os.lstat(following)
            _check_step(path, at, following, os.lstat(at), uid=uid, gid=gid)
            if not stat.S_ISLNK(info.st_mode):
                at = following
                continue
            target = os.readlink(following)
        except OSError as e:
            raise Refused(f"{path}: not opened: {e.strerror} ({following})") from e
        links += 1
        if links > MAX_LINKS:
            raise Refused(f"{path}: not opened: too many symbolic links")
        at = "/" if target.startswith("/") else at
        pending = target.split("/") + pending
    return at


def open_granted(path: str, mode: str, uid: int, gid: int) -> int:
    """A descriptor for a granted file.

    Args:
        path: absolute path.
        mode: ``read``, ``append`` (created if missing, 0640), or ``new`` (like that, but there must be nothing in it).
        uid: user of the sensor.
        gid: group of the sensor.

    Raises:
        Refused: by the rules above, or the system call failed.
    """
    if not path.startswith("/") or path.startswith("//") or "\0" in path or os.path.normpath(path) != path:
        raise Refused(f"{path}: not opened: the path must be absolute and plain (no '..', no '//')")
    try:
        _check_way(path, uid, gid)
    except OSError as e:
        raise Refused(f"{path}: not opened: {e.strerror} ({e.filename})") from e
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    if mode == "read":
        fd = _openat2(path, flags | os.O_RDONLY, 0)
    else:
        flags |= os.O_WRONLY | os.O_APPEND
        try:
            os.lstat(path)
        except FileNotFoundError:
            fd = _openat2(path, flags | os.O_CREAT | os.O_EXCL, 0o640)
        else:
            fd = _openat2(path, flags, 0)
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode) or info.st_nlink > 1 or (mode != "read" and info.st_uid == uid):
        os.close(fd)
        what = "it has other links" if stat.S_ISREG(info.st_mode) and info.st_nlink > 1 else "it is no regular file of root's"
        raise Refused(f"{path}: not opened: {what}")
    if mode == "new" and info.st_size:
        os.close(fd)
        raise Refused(f"{path}: not empty (got {info.st_size} bytes); remove it, or choose another name")
    os.set_blocking(fd, True)
    if mode == "append":
        _end_line(fd, info.st_size)
    return fd


def _end_line(fd: int, size: int) -> None:
    """Ends a line that a killed sensor left half written, so that it spoils no other. The sensor cannot: it may not read the file."""
    try:
        again = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return  # root may write it, and not read it
    try:
        if size and os.pread(again, 1, size - 1) != b"\n":
            os.write(fd, b"\n")
    except OSError:
        pass  # a full disk: what is written next will not fit, either
    finally:
        os.close(again)
