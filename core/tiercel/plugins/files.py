"""Plugin files that the configuration names: who could change one decides whether it is run.

Importing is executing. A file is read only if it, each directory above it, and each directory in which a symbolic link on the way lies,
belongs to root (or to the current user) and nobody else may write there. In a sticky directory, such as /tmp, others cannot put something
else in the place of what is ours, so those are fine as directories. The text that is executed is read from the descriptor that was looked
at. Nothing else of the directory is imported: it is no place on Python's path, and compiled code is neither read nor written.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

__all__ = ["Untrusted", "load", "name_of", "read", "trusted_users"]

MAX_SIZE: Final = 1 << 20
"""Bytes of a plugin file."""
MAX_LINKS: Final = 40
"""Symbolic links on the way to a file, as in the kernel (include/linux/namei.h, MAXSYMLINKS)."""
_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


class Untrusted(Exception):
    """The file is not read; the message says why."""


def trusted_users() -> frozenset[int]:
    """Users whose files are run: root and the current one."""
    return frozenset({0, os.geteuid()})


def name_of(path: Path) -> str:
    """Name of the plugin in a file.

    Raises:
        Untrusted: it is no name of a plugin file.
    """
    if path.suffix != ".py" or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", path.stem):
        raise Untrusted(f'{path}: no name of a plugin file (got "{path.name}", expected letters, digits, - and _, a letter first, and .py)')
    return path.stem


def read(path: Path, *, users: Collection[int]) -> bytes:
    """The text of a plugin file.

    Args:
        path: absolute.
        users: who may own it and the directories above it.

    Raises:
        Untrusted: somebody else could change it.
        OSError: it cannot be read.
    """
    real = _walked(path, users)
    descriptor = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Untrusted(f"{real}: no regular file")
        _trust(real, status, users)
        text = file.read(MAX_SIZE + 1)
    if len(text) > MAX_SIZE:
        raise Untrusted(f"{real}: too large (expected at most {MAX_SIZE} bytes)")
    return text


def load(path: Path, text: bytes) -> ModuleType:
    """Executes the text of a plugin file as a module; its name cannot be that of any other module.

    Raises:
        Exception: whatever the text raises.
    """
    word = re.sub(r"\W", "_", path.stem)
    name = f"tiercel_file_{word}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses and pickle look there
    try:
        exec(compile(text, str(path), "exec", dont_inherit=True), vars(module))  # noqa: S102  a plugin is code, and was vetted
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _walked(path: Path, users: Collection[int]) -> str:
    """The path without symbolic links; each directory on the way was looked at."""
    links = 0
    at = "/"
    _trust_directory(at, users)
    rest = list(_parts(str(path)))
    while rest:
        part = rest.pop(0)
        at = os.path.dirname(at) if part == ".." else os.path.join(at, part)  # noqa: PTH118, PTH120  texts
        status = os.lstat(at)
        if stat.S_ISLNK(status.st_mode):
            if status.st_uid not in users:  # in a sticky directory, its owner may put another in its place
                raise Untrusted(f"{at}: a symbolic link of somebody else (uid {status.st_uid})")
            links += 1
            if links > MAX_LINKS:
                raise Untrusted(f"{path}: too many symbolic links")
            target = os.readlink(at)  # noqa: PTH115  a text
            rest[:0] = _parts(target)
            at = "/" if target.startswith("/") else os.path.dirname(at)  # noqa: PTH120  a text
        elif rest:
            _trust_directory(at, users)
    return at


def _parts(path: str) -> Iterator[str]:
    return (part for part in path.split("/") if part not in ("", "."))


def _trust_directory(path: str, users: Collection[int]) -> None:
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        raise Untrusted(f"{path}: no directory")
    _trust(path, status, users)


def _trust(path: str, status: os.stat_result, users: Collection[int]) -> None:
    if status.st_uid not in users:
        whose = "root" if users == {0} else "root or the current user"
        raise Untrusted(f"{path}: belongs to somebody else (got uid {status.st_uid}, expected {whose})")
    if status.st_mode & _OTHERS and not (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX):
        raise Untrusted(f"{path}: others may write there (got mode {status.st_mode & 0o7777:o}); try chmod go-w {path}")
