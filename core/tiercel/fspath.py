"""The paths of a system call, as the fields ``fs.path.*`` have them: texts of the caller, joined with the directories that they start from.

Texts only: no look at the file system, whose links may be other ones by now. So it serves a live sensor, a capture and a test alike. Not
even the language knows of it: it is at the bottom of the core, beside what plugins and tests exchange.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["CallPaths", "call_paths", "clean_path", "join_path"]

AT_FDCWD: Final = -100
"""Stands for the current directory in place of a descriptor; include/uapi/linux/fcntl.h."""
UNKNOWN: Final = "<UNKNOWN>"
"""In front of a relative path whose directory is not known; Falco's text."""
_EMPTY: Final = ("", "<NA>")
"""Texts that stand for no path."""


@dataclass(frozen=True, slots=True)
class CallPaths:
    """What ``fs.path.*`` gives for an event; None for what its call does not have.

    Attributes:
        name: the path of a call that works on one, absolute and clean.
        nameraw: the same as the caller wrote it.
        source: the first path of a call that works on two: what is renamed, the new link, the device that is mounted.
        sourceraw: the same as the caller wrote it.
        target: the second path: the new name, the existing file behind a link, the place of the mount.
        targetraw: the same as the caller wrote it.
    """

    name: str | None = None
    nameraw: str | None = None
    source: str | None = None
    sourceraw: str | None = None
    target: str | None = None
    targetraw: str | None = None


@dataclass(frozen=True, slots=True)
class _Text:
    """A path among the parameters of a call.

    Attributes:
        parameter: name of the parameter with the text.
        directory: name of the parameter with the descriptor that a relative text starts from; "" for the current directory, and
            `UNKNOWN` for none.
    """

    parameter: str
    directory: str = ""


_ONE: Final[Mapping[str, _Text]] = {
    **dict.fromkeys(("open", "creat", "umount", "umount2"), _Text("name")),
    **dict.fromkeys(("openat", "openat2", "unlinkat"), _Text("name", "dirfd")),
    **dict.fromkeys(("open_by_handle_at", "mkdir", "rmdir", "unlink", "chown", "lchown", "mknod"), _Text("path")),
    **dict.fromkeys(("mkdirat", "mknodat"), _Text("path", "dirfd")),
    "chmod": _Text("filename"),
    **dict.fromkeys(("fchmodat", "fchmodat2"), _Text("filename", "dirfd")),
    "fchownat": _Text("pathname", "dirfd"),
    "quotactl": _Text("special"),
}
"""Calls that work on one path. Names of parameters are Falco's."""
_BY_DESCRIPTOR: Final = frozenset({"fchmod", "fchown"})
"""Calls that work on the path of a descriptor, parameter ``fd``."""
_LINK: Final = (_Text("newpath"), _Text("oldpath"))
_TWO: Final[Mapping[str, tuple[_Text, _Text]]] = {
    "rename": (_Text("oldpath"), _Text("newpath")),
    **dict.fromkeys(("renameat", "renameat2"), (_Text("oldpath", "olddirfd"), _Text("newpath", "newdirfd"))),
    # As in Falco: the directory descriptors of linkat do not count, and the target of a link is the existing file.
    **dict.fromkeys(("link", "linkat"), _LINK),
    "symlink": (_Text("linkpath"), _Text("target")),
    "symlinkat": (_Text("linkpath", "linkdirfd"), _Text("target", UNKNOWN)),
    "mount": (_Text("dev"), _Text("dir")),
}
"""Calls that work on two: source and target."""


def clean_path(path: str) -> str:
    """A path without ``.``, ``..``, double or trailing slashes, by its text alone."""
    if "//" not in path and "/." not in path and not path.startswith(".") and not path.endswith("/"):
        return path
    path = posixpath.normpath(path)
    return path[1:] if path.startswith("//") else path


def join_path(directory: str, path: str) -> str:
    """A clean path; one that is relative starts from `directory`."""
    return clean_path(path if path.startswith("/") else f"{directory}/{path}")


def call_paths(
    event_type: str, parameters: Mapping[str, object], *, cwd: str | None, path_of: Callable[[int], str | None]
) -> CallPaths:  # fmt: skip
    """The paths of an event; none if the call failed, or works on no path.

    Args:
        event_type: name of the event.
        parameters: its parameters by Falco's names, raw: numbers as int, paths as the caller wrote them. ``res``, or ``fd`` where the
            result is a descriptor, says whether it failed.
        cwd: current directory of the process; None if it is not known.
        path_of: path of an open descriptor of the process; None if it is not known.
    """
    result = parameters.get("res", parameters.get("fd"))
    if not isinstance(result, int) or result < 0:
        return CallPaths()
    if event_type in _ONE:
        return CallPaths(*_resolved(_ONE[event_type], parameters, cwd, path_of))
    if event_type in _BY_DESCRIPTOR:
        descriptor = parameters.get("fd")
        path = path_of(descriptor) if isinstance(descriptor, int) else None
        return CallPaths(path, path)
    if event_type in _TWO:
        source, target = _TWO[event_type]
        return CallPaths(None, None, *_resolved(source, parameters, cwd, path_of), *_resolved(target, parameters, cwd, path_of))
    return CallPaths()


def _resolved(
    text: _Text, parameters: Mapping[str, object], cwd: str | None, path_of: Callable[[int], str | None]
) -> tuple[str | None, str | None]:  # fmt: skip
    """A path, absolute and as it was written."""
    raw = parameters.get(text.parameter)
    if not isinstance(raw, str) or raw in _EMPTY:
        return None, None
    if raw.startswith("/"):
        return clean_path(raw), raw
    directory = cwd
    if text.directory == UNKNOWN:
        directory = None
    elif text.directory:
        descriptor = parameters.get(text.directory)
        if descriptor != AT_FDCWD:
            directory = path_of(descriptor) if isinstance(descriptor, int) else None
    return f"{UNKNOWN}{raw}" if directory is None else join_path(directory, raw), raw
