"""Starting loaders: programs of plugins that must be root for a moment.

A distribution names its loader in the entry-point group ``tiercel.loaders`` (``ebpf = "tiercel_ebpf_loader"``). That is read here as
metadata, nothing is imported. A loader starts only if a grant names it; it is run with ``python -I -S`` and an explicit path.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import wire

GROUP: Final = "[tiercel.loaders]"
STARTS_PER_MINUTE: Final = 30
STAGES: Final = "stages."
"""Prefix of descriptors of program arrays, which the kernel empties when the last is closed: programs that have begun still look there."""
RETIRE_SECONDS: Final = 60.0
"""Longer than a program that has begun can still run, even where its processor is taken away in the middle of it (virtual machines)."""
COMMIT_SECONDS: Final = 5.0


class LoaderError(Exception):
    """The loader cannot be started, or failed; the message is what it said."""


def find(site: Path, name: str) -> Path:
    """The loader's ``__main__.py``.

    Args:
        site: directory that the distributions are installed in.
        name: name of the entry point.

    Raises:
        LoaderError: no distribution has it, or two have, or somebody else than root could have changed it.
    """
    found: list[tuple[str, str]] = []
    for text in sorted(site.glob("*.dist-info/entry_points.txt")):
        section = ""
        for line in text.read_text(errors="replace").splitlines():
            if line.startswith("["):
                section = line.strip()
            elif section == GROUP and "=" in line:
                key, _, value = line.partition("=")
                if key.strip() == name:
                    found.append((text.parent.name.removesuffix(".dist-info"), value.strip()))
    if not found:
        raise LoaderError(f"loader {name!r}: no installed distribution has it (entry-point group tiercel.loaders)")
    if len(found) > 1:
        raise LoaderError(f"loader {name!r}: named by two distributions, {found[0][0]} and {found[1][0]}; uninstall one")
    package = found[0][1]
    if not package.isidentifier():
        raise LoaderError(f"loader {name!r}: not a package name (got {package!r})")
    path = site / package / "__main__.py"
    for at in (path, *path.parents[: len(path.parents) - 1], *path.parent.rglob("*")):
        info = at.lstat()
        if (
            stat.S_ISLNK(info.st_mode)
            or info.st_uid != 0
            or (info.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not info.st_mode & stat.S_ISVTX)
        ):
            raise LoaderError(f"{at}: must belong to root and be writable by nobody else, since it runs as root")
    return path


Kept = tuple[dict[str, Any], dict[str, Any], dict[str, int]]
"""A plan, the loader's answer, and the descriptors that it made."""


@dataclass(slots=True)
class _Prepared:
    """What a loader made that is not in force yet; the process waits for the word if it holds."""

    made: Kept
    pid: int
    channel: socket.socket
    holds: bool


class Loaders:
    """Starts granted loaders and keeps what they made."""

    def __init__(self, site: Path, granted: tuple[str, ...]) -> None:
        """Nothing is started yet."""
        self._site, self._granted = site, granted
        self._starts: list[float] = []
        self._kept: dict[str, Kept] = {}
        self._prepared: dict[str, _Prepared] = {}
        self._retired: list[tuple[float, int]] = []

    def grant(self, names: tuple[str, ...]) -> None:
        """Others may be started from now on; what was made stays."""
        self._granted = names

    def kept(self, name: str) -> Kept | None:
        """(plan, answer, descriptors) of what is in force, if anything is."""
        return self._kept.get(name)

    def prepare(self, name: str, plan: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
        """Runs a loader on a plan and waits for its answer. What it made comes into force by `commit`.

        A loader that does not hold (its answer says so) puts it in force by itself, and has ended by then.

        Raises:
            LoaderError: not granted, too many starts, or it failed.
        """
        if name not in self._granted:
            raise LoaderError(f"loader {name!r}: not granted; add it under grants.loaders in the configuration of root")
        self.discard(name)
        self.tidy()
        now = time.monotonic()
        self._starts = [t for t in self._starts if now - t < 60]
        if len(self._starts) >= STARTS_PER_MINUTE:
            raise LoaderError(f"loader {name!r}: started {STARTS_PER_MINUTE} times within a minute; wait a minute")
        self._starts.append(now)
        path = find(self._site, name)
        before = self._kept.get(name)
        inherit = {n: fd for n, fd in before[2].items() if n in before[1].get("persistent", ())} if before else {}
        pid, channel = _spawn(path)
        try:
            wire.send(channel, {"plan": plan, "inherit": list(inherit)}, list(inherit.values()))
            message, fds = wire.receive(channel)
        except (wire.WireError, OSError, RecursionError) as e:  # the last: a plan nested too deep
            _end(pid, channel)
            raise LoaderError(f"loader {name!r}: it ended without an answer ({e}); its last words are above") from e
        if "error" in message:
            _end(pid, channel)
            raise LoaderError(str(message["error"]))
        made = (plan, message["answer"], dict(zip(message["names"], fds, strict=True)))
        self._prepared[name] = _Prepared(made, pid, channel, bool(message.get("held")))
        return made[1], made[2]

    def commit(self, name: str) -> None:
        """Puts in force what was prepared.

        Raises:
            LoaderError: nothing was, or the loader failed; then what was in force stays.
        """
        prepared = self._prepared.pop(name, None)
        if prepared is None:
            raise LoaderError(f"loader {name!r}: nothing is prepared")
        plan, answer, made = prepared.made
        try:
            if prepared.holds:
                made |= _committed(name, prepared.channel)
        except LoaderError:
            self._abandon(prepared)
            raise
        _end(prepared.pid, prepared.channel)
        before = self._kept.get(name)
        for key, fd in before[2].items() if before else ():
            if key.startswith(STAGES):
                self._retired.append((time.monotonic() + RETIRE_SECONDS, fd))
            elif key in made:
                os.close(fd)
            else:
                made[key] = fd  # what is attached stays attached
        self._kept[name] = (plan, answer, made)

    def discard(self, name: str) -> None:
        """Forgets what was prepared and not put in force, if anything."""
        prepared = self._prepared.pop(name, None)
        if prepared is not None:
            self._abandon(prepared)

    @staticmethod
    def _abandon(prepared: _Prepared) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(prepared.pid, signal.SIGKILL)
        _end(prepared.pid, prepared.channel)
        for fd in prepared.made[2].values():
            os.close(fd)

    def discard_all(self) -> None:
        """`discard` for all loaders: the sensor that had them prepare is gone."""
        for name in list(self._prepared):
            self.discard(name)

    def tidy(self) -> None:
        """Lets go of what programs that were under way at the last commit may have needed. Call it now and then."""
        now = time.monotonic()
        while self._retired and self._retired[0][0] <= now:
            os.close(self._retired.pop(0)[1])


def _spawn(path: Path) -> tuple[int, socket.socket]:
    """Starts a loader's program with a socket as its descriptor 3; its pid, and this side of the socket."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(theirs.fileno(), 3)
            os.closerange(4, 1 << 12)
            os.execve(sys.executable, [sys.executable, "-I", "-S", str(path)], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"})
        finally:
            os._exit(127)
    theirs.close()
    return pid, ours


def _committed(name: str, channel: socket.socket) -> dict[str, int]:
    """Has a waiting loader put in force what it made; the further descriptors that it hands over."""
    channel.settimeout(COMMIT_SECONDS)
    try:
        wire.send(channel, {"commit": True})
        message, fds = wire.receive(channel)
    except (wire.WireError, OSError) as e:
        raise LoaderError(f"loader {name!r}: it ended before it put its plan in force ({e}); its last words are above") from e
    if "error" in message:
        raise LoaderError(str(message["error"]))
    return dict(zip(message["names"], fds, strict=True))


def _end(pid: int, channel: socket.socket) -> None:
    """Closes the channel, which ends a waiting loader, and waits for it."""
    channel.close()
    os.waitpid(pid, 0)
