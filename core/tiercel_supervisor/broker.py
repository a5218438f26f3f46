"""Answers the sensor's requests: the only thing that an unprivileged process can make root do."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any

import wire
from files import Refused, followed, open_granted
from loaders import LoaderError, Loaders
from notify import notify


@dataclass(frozen=True, slots=True)
class Grant:
    """One file that root opens for the sensor.

    Attributes:
        path: where it is.
        mode: see `open_granted`.
        links: symbolic links are followed each time, if the sensor could turn none.
    """

    path: str
    mode: str
    links: bool = False


class Broker:
    """Serves one child at a time."""

    def __init__(self, *, files: dict[str, Grant], loaders: Loaders, uid: int, gid: int, gifts: tuple[int, ...]) -> None:
        """Takes the grants; `gifts` are descriptors that every child gets with its greeting: journal, statistics."""
        self._files, self._loaders = files, loaders
        self._uid, self._gid = uid, gid
        self._gifts = gifts
        self._problem = ""

    def grant(self, files: dict[str, Grant], loaders: tuple[str, ...]) -> None:
        """Other grants from now on."""
        self._files, self._problem = files, ""
        self._loaders.grant(loaders)

    def keep_grants(self, problem: str) -> None:
        """The grants stay, since others cannot be had; the child is told why when it asks."""
        self._problem = problem

    def tidy(self) -> None:
        """Lets go of what is not needed any more. Call it now and then."""
        self._loaders.tidy()

    def greet(self, channel: socket.socket, restarts: int, why: str = "") -> None:
        """First message to a new child: what it may ask for, the how many-th restart it is, and how the one before it ended.

        What an earlier child had prepared is discarded.
        """
        self._loaders.discard_all()
        wire.send(channel, {"grants": self._granted(), "restarts": restarts, "why": why}, list(self._gifts))

    def _granted(self) -> dict[str, str]:
        return {name: grant.mode for name, grant in self._files.items()}

    def serve(self, channel: socket.socket) -> bool:
        """Answers one request; False if the child is gone."""
        try:
            message, fds = wire.receive(channel)
            for fd in fds:  # none is expected; kept ones would exhaust us
                os.close(fd)
        except (wire.WireError, OSError, ValueError, RecursionError):  # the last: JSON nested too deep
            return False
        try:
            answer, out = self._answer(message)
        except (Refused, LoaderError, OSError, RecursionError) as e:
            answer, out = {"error": str(e)}, {}
        try:
            wire.send(channel, answer | {"names": list(out)}, list(out.values()))
        except OSError:
            return False
        finally:
            if message.get("op") == "open":
                for fd in out.values():
                    os.close(fd)
        return True

    def _answer(self, message: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
        match message:
            case {"op": "open", "grant": str(name)}:
                grant = self._files.get(name)
                if grant is None:
                    known = ", ".join(sorted(self._files)) or "none"
                    raise Refused(f"grant {name!r}: not in the configuration of root (granted: {known})")
                path = followed(grant.path, self._uid, self._gid) if grant.links else grant.path
                return {}, {"file": open_granted(path, grant.mode, self._uid, self._gid)}
            case {"op": "grants"}:
                return {"grants": self._granted(), "problem": self._problem}, {}
            case {"op": "prepare", "loader": str(name), "plan": dict(plan)}:
                answer, made = self._loaders.prepare(name, plan)
                return {"answer": answer}, made
            case {"op": "commit", "loader": str(name)}:
                self._loaders.commit(name)
                return {}, {}
            case {"op": "discard", "loader": str(name)}:
                self._loaders.discard(name)
                return {}, {}
            case {"op": "loaded", "loader": str(name)}:
                kept = self._loaders.kept(name)
                if kept is None:
                    return {"plan": None}, {}
                return {"plan": kept[0], "answer": kept[1]}, kept[2]
            case {"op": "alive"}:
                notify("READY=1", "WATCHDOG=1")
                return {}, {}
        raise Refused("request: not known (expected open, grants, prepare, commit, discard, loaded or alive)")
