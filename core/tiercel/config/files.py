"""Reading configuration and rules: directly, or through the process that may read what this one may not."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, Final

from tiercel.components.base import Host
from tiercel.components.rules import TEST_SUFFIX
from tiercel.errors import UserError

__all__ = ["MAX_LENGTH", "READ", "Files", "absolute", "why_unreadable"]

READ: Final = "read:"
"""Prefix of the grants that the supervisor makes of files on the command line, followed by the absolute path."""
MAX_LENGTH: Final = 50_000_000
"""Characters of a file of configuration or rules."""
SUFFIXES: Final = (".yaml", ".yml")


class Files:
    """Reads files.

    Args:
        host: opens granted files.
        grants: names of all grants. What they do not name is opened as the current user.
    """

    def __init__(self, host: Host | None = None, grants: Collection[str] = ()) -> None:
        self._host = host
        self._grants = frozenset(grants)

    @property
    def host(self) -> Host | None:
        """What opens granted files; None without a supervisor."""
        return self._host

    def read(self, path: Path, *, limit: int | None = None) -> str:
        """The text of a file.

        Args:
            path: the file.
            limit: characters that it has at most; by default `MAX_LENGTH`.

        Raises:
            OSError: it cannot be read.
            UnicodeDecodeError: it is not UTF-8.
            tiercel.UserError: the grant is refused, the file is larger than the limit, or it is a pipe that nobody writes into.
        """
        limit = MAX_LENGTH if limit is None else limit
        grant = READ + absolute(path)
        opened = path if self._host is None or grant not in self._grants else self._host.open_granted(grant)
        with open(opened, encoding="utf-8", opener=_at_once) as file:
            text = file.read(limit + 1)
            if not text and stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
                msg = "it is a pipe that nobody writes into"
                raise UserError(msg)
        if len(text) > limit:
            msg = f"too large (expected at most {limit:,} characters)"
            raise UserError(msg)
        return text

    def open(self, path: Path) -> BinaryIO:
        """A file as bytes.

        Raises:
            OSError: it cannot be opened.
            tiercel.UserError: the grant is refused.
        """
        grant = READ + absolute(path)
        if self._host is None or grant not in self._grants:
            return path.open("rb")
        return os.fdopen(self._host.open_granted(grant), "rb")

    def expand(self, path: Path) -> list[Path]:
        """The rule files of a directory, by name: YAML files but tests; the path itself if it is no directory.

        Raises:
            OSError: the directory cannot be listed.
        """
        granted = self._granted_below(path)
        if granted and not _listable(path):
            return [each for each in granted if not each.name.endswith(TEST_SUFFIX)]
        if READ + absolute(path) in self._grants or not path.is_dir():  # a granted file may lie where this process cannot look
            return [path]
        files = (each for each in path.iterdir() if each.suffix in SUFFIXES and not each.name.endswith(TEST_SUFFIX))
        return sorted(each for each in files if each.is_file())

    def fragments(self, directory: Path) -> list[Path]:
        """The fragments of configuration in a directory, by name: its YAML files but hidden ones; none if there is no directory.

        Raises:
            OSError: the directory cannot be listed.
        """
        granted = self._granted_below(directory)
        if granted and not _listable(directory):
            return granted
        try:
            files = [each for each in directory.iterdir() if each.suffix in SUFFIXES and not each.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(each for each in files if each.is_file())

    def tests(self, path: Path) -> list[Path]:
        """The test files of a directory and of those below it; the path itself if it is no directory.

        Raises:
            OSError: there is no such path, or it cannot be read.
        """
        granted = self._granted_below(path)
        if granted:
            return [each for each in granted if each.name.endswith(TEST_SUFFIX)]
        if READ + absolute(path) in self._grants:
            return [path]
        if path.is_dir():
            return sorted(path.rglob(f"*{TEST_SUFFIX}"))
        path.stat()
        return [path]

    def _granted_below(self, path: Path) -> list[Path]:
        """What the supervisor opens of a directory, by name. It looked when it started: files may have come and gone since."""
        below = f"{READ}{absolute(path)}/"
        return [path / name for name in sorted(grant.removeprefix(below) for grant in self._grants if grant.startswith(below))]


def _listable(directory: Path) -> bool:
    return os.access(directory, os.R_OK | os.X_OK)


def _at_once(path: str, flags: int) -> int:
    """Opens a file without waiting for somebody who writes into it, if it is a pipe."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    return descriptor


def absolute(path: Path) -> str:
    """The path as the supervisor names it in grants: absolute and without ``..``, symbolic links as they are."""
    return os.path.abspath(path)  # noqa: PTH100  Path.resolve follows links


def why_unreadable(error: Exception) -> str:
    """The reason in the error of `Files.read`, without the path."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return (isinstance(error, OSError) and error.strerror) or str(error)
