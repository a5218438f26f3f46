"""Alerts: what a rule that matched says about an event, complete and independent of the event's life."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Alert", "Priority", "alert_id"]


class Priority(enum.IntEnum):
    """Urgency of a rule, most urgent first; names and order are Falco's."""

    EMERGENCY = 0
    ALERT = 1
    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFORMATIONAL = 6
    DEBUG = 7

    @property
    def label(self) -> str:
        """The name as alerts print it: ``Critical``."""
        return self.name.capitalize()

    @classmethod
    def parse(cls, text: str) -> Priority:
        """Priority of a name in any case; ``INFO`` stands for Informational.

        Raises:
            ValueError: no such priority.
        """
        name = text.strip().upper()
        if name == "INFO":
            return cls.INFORMATIONAL
        try:
            return cls[name]
        except KeyError:
            valid = ", ".join(p.label for p in cls)
            msg = f"unknown priority (got {text!r}, expected one of {valid})"
            raise ValueError(msg) from None


def alert_id(*, origin: str, position: int, rule: str, view: int) -> str:
    """Id of an alert: the same when the same event is judged again after a restart.

    Args:
        origin: identifies the source's positions (boot and ring for the eBPF source).
        position: `Event.position`.
        rule: name of the rule.
        view: view of the event under which the rule matched.

    Returns:
        32 hexadecimal digits (BLAKE2b-128).
    """
    text = f"{origin}\0{position}\0{rule}\0{view}".encode(errors="surrogateescape")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


@dataclass(slots=True)
class Alert:
    """One alert.

    Attributes:
        id: stable id, see `alert_id`.
        rule: name of the rule.
        source: event source.
        priority: urgency.
        time: nanoseconds since the epoch, of the event.
        message: the rule's output with its fields filled in.
        fields: name -> value of every field that the output names, and ``evt.time``; in Falco's JSON representation.
        tags: sorted tags of the rule.
        hostname: name of the host.
    """

    id: str
    rule: str
    source: str
    priority: Priority
    time: int
    message: str
    fields: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    hostname: str = ""
