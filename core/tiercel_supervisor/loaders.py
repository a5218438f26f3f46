"""Starting loaders: programs of plugins that must be root for a moment.

A distribution names its loader in the entry-point group ``tiercel.loaders`` (``ebpf = "tiercel_ebpf_loader"``). That is read here as
metadata, nothing is imported. A loader starts only if a grant names it; it is run with ``python -I -S`` and an explicit path.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
import time
from pathlib import Path
from typing import Any, Final

import wire

GROUP: Final = "[tiercel.loaders]"
DEFAULT_GRANTS: Final = ("ebpf",)
STARTS_PER_MINUTE: Final = 6


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


class Loaders:
    """Starts granted loaders and keeps what they made."""

    def __init__(self, site: Path, granted: tuple[str, ...]) -> None:
        """Nothing is started yet."""
        self._site, self._granted = site, granted
        self._starts: list[float] = []
        self._kept: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, int]]] = {}

    def kept(self, name: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, int]] | None:
        """(plan, answer, descriptors) of the last successful start, if any."""
        return self._kept.get(name)

    def start(self, name: str, plan: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
        """Runs a loader on a plan and waits for its answer.

        Raises:
            LoaderError: not granted, too many starts, or it failed.
        """
        if name not in self._granted:
            raise LoaderError(f"loader {name!r}: not granted; add it under grants.loaders in the configuration of root")
        now = time.monotonic()
        self._starts = [t for t in self._starts if now - t < 60]
        if len(self._starts) >= STARTS_PER_MINUTE:
            raise LoaderError(f"loader {name!r}: started {STARTS_PER_MINUTE} times within a minute; wait a minute")
        self._starts.append(now)
        path = find(self._site, name)
        before = self._kept.get(name)
        inherit = {n: fd for n, fd in before[2].items() if n in before[1].get("persistent", ())} if before else {}
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(theirs.fileno(), 3)
                os.closerange(4, 1 << 12)
                os.execve(
                    sys.executable, [sys.executable, "-I", "-S", str(path)], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
                )
            finally:
                os._exit(127)
        theirs.close()
        try:
            with ours:
                wire.send(ours, {"plan": plan, "inherit": list(inherit)}, list(inherit.values()))
                message, fds = wire.receive(ours)
        except (wire.WireError, OSError) as e:
            raise LoaderError(f"loader {name!r}: it ended without an answer ({e}); its last words are above") from e
        finally:
            os.waitpid(pid, 0)
        if "error" in message:
            raise LoaderError(str(message["error"]))
        made = dict(zip(message["names"], fds, strict=True))
        if before:
            for key, fd in before[2].items():
                if key in made or key.startswith("stages."):
                    os.close(fd)
                else:
                    made[key] = fd  # what is attached stays attached
        self._kept[name] = (plan, message["answer"], made)
        return message["answer"], made
