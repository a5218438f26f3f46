"""Access to what needs privilege: through the supervisor's broker, or, without one, as the current user."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Mapping
from typing import Any, Final

from tiercel.components.base import Host, Loaded
from tiercel.errors import HostError, UserError
from tiercel.runtime import wire

__all__ = ["CHANNEL_VARIABLE", "DirectHost", "SupervisedHost", "connect"]

CHANNEL_VARIABLE: Final = "TIERCEL_CHANNEL"
"""Environment variable with the number of the broker's descriptor."""


class SupervisedHost(Host):
    """Asks the supervisor (core/tiercel_supervisor/broker.py)."""

    def __init__(self, channel: socket.socket) -> None:
        """Reads the greeting: what may be asked for, the journal's and the statistics' descriptors."""
        self._channel = channel
        self._lock = threading.Lock()  # outputs on the loop and the source on the detect thread
        greeting, fds = wire.receive(channel)
        self.grants: Mapping[str, str] = greeting["grants"]
        self.restarts: int = greeting["restarts"]
        self.why_restarted: str = greeting["why"]
        self._journal, self.statistics = fds

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
        with self._lock:
            return self._exchange(request)

    def _exchange(self, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
        """For those who hold the lock."""
        try:
            wire.send(self._channel, request)
            answer, fds = wire.receive(self._channel)
        except (OSError, wire.WireError) as e:
            msg = f"supervisor: gone ({e})"
            raise HostError(msg) from e
        if "error" in answer:
            raise UserError(answer["error"])
        return answer, dict(zip(answer["names"], fds, strict=True))

    def open_granted(self, grant: str) -> int:
        """See `Host`."""
        return self._ask({"op": "open", "grant": grant})[1]["file"]

    def prepare(self, loader: str, plan: Mapping[str, Any]) -> Loaded:
        """See `Host`."""
        answer, descriptors = self._ask({"op": "prepare", "loader": loader, "plan": dict(plan)})
        return Loaded(plan, answer["answer"], descriptors)

    def commit(self, loader: str) -> None:
        """See `Host`."""
        self._ask({"op": "commit", "loader": loader})

    def discard(self, loader: str) -> None:
        """See `Host`."""
        self._ask({"op": "discard", "loader": loader})

    def look_at_grants(self) -> str:
        """Takes over what may be asked for by now: the supervisor reads that again when it gets SIGHUP.

        Returns:
            Why its last try failed, so that all is as it was; "" if it did not.
        """
        answer, _ = self._ask({"op": "grants"})
        self.grants = answer["grants"]
        return str(answer["problem"])

    def loaded(self, loader: str) -> Loaded | None:
        """See `Host`."""
        answer, descriptors = self._ask({"op": "loaded", "loader": loader})
        return None if answer["plan"] is None else Loaded(answer["plan"], answer["answer"], descriptors)

    def journal(self) -> int:
        """See `Host`."""
        return self._journal

    def alive(self) -> None:
        """Says that the sensor watches and its loop goes round; not while another request is under way, which says so too."""
        if self._lock.acquire(blocking=False):
            try:
                self._exchange({"op": "alive"})
            finally:
                self._lock.release()


class DirectHost(Host):
    """No supervisor: files are opened as the current user, and nothing can be loaded into the kernel."""

    def __init__(self, files: Mapping[str, tuple[str, str]]) -> None:
        """Takes the grants: name -> (path, mode)."""
        self._files: Mapping[str, tuple[str, str]] = {}
        self.use(files)

    def use(self, files: Mapping[str, tuple[str, str]]) -> None:
        """Other grants from now on."""
        self._files = dict(files)

    @property
    def grants(self) -> Mapping[str, str]:
        """Name -> mode."""
        return {name: mode for name, (_, mode) in self._files.items()}

    def open_granted(self, grant: str) -> int:
        """See `Host`."""
        if grant not in self._files:
            known = ", ".join(sorted(self._files)) or "none"
            msg = f"grant {grant!r}: not in the configuration (granted: {known})"
            raise UserError(msg)
        path, mode = self._files[grant]
        flags = os.O_CLOEXEC | os.O_NONBLOCK | (os.O_RDONLY if mode == "read" else os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            descriptor = os.open(path, flags, 0o640)  # without waiting for the other end of a fifo
        except OSError as e:
            msg = f"{path}: not opened: {e.strerror}"
            raise UserError(msg) from e
        if mode != "read" and not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            msg = f"{path}: not opened: it is no regular file"
            raise UserError(msg)
        os.set_blocking(descriptor, True)
        return descriptor

    def prepare(self, loader: str, plan: Mapping[str, Any]) -> Loaded:
        """See `Host`."""
        msg = (
            f"source {loader}: needs root to load its program into the kernel (got uid {os.getuid()}); run `sudo tiercel run`, "
            "which drops its privilege right after"
        )
        raise HostError(msg)

    def loaded(self, loader: str) -> Loaded | None:
        """See `Host`."""
        return None


def connect() -> SupervisedHost | None:
    """The supervisor that started this process, if one did. Takes the descriptor: call it once."""
    number = os.environ.pop(CHANNEL_VARIABLE, None)
    return None if number is None else SupervisedHost(socket.socket(fileno=int(number)))
