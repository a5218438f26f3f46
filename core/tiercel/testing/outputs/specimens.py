"""Alerts that outputs get when they are checked, and the formatter that they get them from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from tiercel.alert import Alert, Priority
from tiercel.components.base import API_VERSION, Stability
from tiercel.components.output import Formatter

__all__ = ["Plain", "ids", "ordinary", "strange"]

START: Final = 1_767_225_600_000_000_000
"""2026-01-01T00:00:00Z in nanoseconds."""
ID: Final = re.compile(rb"5eed[0-9a-f]{28}")
LONG: Final = 100_000
"""Characters: more than a datagram, a pipe or a page holds."""
TEXTS: Final = (
    "",
    "two\nlines",
    "line end\r\n<0>Jan  1 00:00:00 host forged: message",
    "zero \0, escape \x1b[31m, delete \x7f, \x85, \u2028",
    "quotes \"'`, brackets ][)(}{, backslash \\, percent %s %n {0} $(id) `id`",
    "not UTF-8 \udc80\udcff",
    "é 漢字 😀 \u202e",
    "x" * LONG,
)


class Plain(Formatter):
    """A JSON object in ASCII on one line, with the alert's id. Stands for every formatter that an output may be told to use."""

    name = "plain"
    summary = "JSON for checks of outputs."
    api_version = API_VERSION
    stability = Stability.STABLE

    def format(self, alert: Alert) -> bytes:
        """The object."""
        return json.dumps({"id": alert.id, "rule": alert.rule, "message": alert.message, "fields": alert.fields}).encode()


def ordinary(first: int, count: int) -> list[Alert]:
    """Alerts with consecutive numbers."""
    return [_alert(number, f"Message {number}") for number in range(first, first + count)]


def strange() -> list[Alert]:
    """Alerts as somebody makes them who wants them to be lost, or to be taken for others."""
    made = [_alert(number, text, rule=text[:200] or "-", hostname=text[:300]) for number, text in enumerate(TEXTS)]
    names = {"evt.time": START, "proc.aname[2]": "a", 'odd ]="\\ name': "b", "é" * 50: "c", "": "d"}
    values = {"none": None, "true": True, "large": 2**63 - 1, "list": ["a", "\n"], "inside": {"a": [1, 2.5]}, "text": '\udc80\n\0]"'}
    made.append(_alert(len(made), "fields", fields=names | values, tags=("a b", "é", "x" * 500, "")))
    return made


def ids(records: Iterable[bytes]) -> list[str]:
    """The alerts' ids in records that arrived; of those without one, nothing."""
    return [match[0].decode() for record in records if (match := ID.search(record))]


def _alert(number: int, message: str, **changes: Any) -> Alert:
    content: dict[str, Any] = {
        "id": f"5eed{number:028x}",
        "rule": "A rule",
        "source": "syscall",
        "priority": Priority(number % len(Priority)),
        "time": START + number,
        "message": message,
        "fields": {"evt.time": START + number, "proc.name": "cat"},
        "tags": ("network", "shell"),
        "hostname": "host.example",
    }
    return Alert(**content | changes)
