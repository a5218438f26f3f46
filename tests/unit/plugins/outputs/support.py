"""What tests of outputs share: alerts, and a host that grants files of a directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tiercel import Alert, Context, Formatter, Host, Priority, Stability, UserError


def alert(number: int = 1, **changes: Any) -> Alert:
    content: dict[str, Any] = {
        "id": f"{number:032x}",
        "rule": "A rule",
        "source": "syscall",
        "priority": Priority.WARNING,
        "time": 1_700_000_000_123_456_789 + number,
        "message": f"Message {number}",
        "fields": {"evt.time": 1_700_000_000_123_456_789 + number},
        "tags": ("a", "b"),
        "hostname": "web1",
    }
    return Alert(**content | changes)


class Numbers(Formatter):
    """The alert's number, padded."""

    name = "numbers"
    summary = "Numbers."
    api_version = "1.0"
    stability = Stability.STABLE

    def __init__(self, width: int = 4) -> None:
        self.width = width

    def format(self, alert: Alert) -> bytes:
        return f"{int(alert.id, 16):0{self.width}d}".encode()


class Granting(Host):
    """Opens files of a directory for append."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.opened: list[int] = []
        self.refuses = False

    def open_granted(self, grant: str) -> int:
        if self.refuses:
            msg = f"grant {grant}: refused"
            raise UserError(msg)
        self.opened.append(os.open(self.directory / grant, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return self.opened[-1]


def context(directory: Path) -> Context:
    return Context("x", "web1", Granting(directory), {"numbers": Numbers()})
