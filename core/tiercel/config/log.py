"""The section ``log``: what the sensor says to whoever runs it. Alerts are something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["SCHEMA", "Log", "parse"]

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "default": {},
    "description": "The sensor's log, on standard error. Alerts go to the outputs.",
    "properties": {
        "level": {
            "enum": ["debug", "info", "warning", "error"],
            "default": "info",
            "description": "Messages that are less urgent are left out.",
        },
        "format": {
            "enum": ["text", "json"],
            "default": "text",
            "description": "text for people, with time and level where standard error is no terminal; json for one object a line.",
        },
    },
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The log's options.

    Attributes:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        format: ``text`` or ``json``.
    """

    level: str = "info"
    format: str = "text"


def parse(value: Mapping[str, Any]) -> Log:
    """The options of a valid section with defaults."""
    return Log(**value)
