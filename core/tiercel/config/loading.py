"""``rules_files``, ``rule_matching``, ``priority``, ``watch_files``: which rules are read, when, and which of them make alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tiercel.alert import Priority

__all__ = ["PRIORITY", "RULES_FILES", "RULE_MATCHING", "WATCH_FILES", "parse_priority"]

RULES_FILES: Final[Mapping[str, Any]] = {
    "type": "array",
    "items": {"type": "string", "minLength": 1},
    "description": "Rule files, directories of them, and bundles of plugins as bundle:NAME, in order. "
    "By default all bundles, and then the directory rules.d beside the file.",
    "examples": [["bundle:tiercel", "/etc/tiercel/rules.d"]],
}
RULE_MATCHING: Final[Mapping[str, Any]] = {
    "enum": ["first", "all"],
    "default": "first",
    "description": "Whether the first rule that matches an event makes an alert, or each one.",
}
PRIORITY: Final[Mapping[str, Any]] = {
    "enum": [priority.name.lower() for priority in Priority] + ["info"],
    "default": "debug",
    "description": "Rules that are less urgent are not loaded.",
}
WATCH_FILES: Final[Mapping[str, Any]] = {
    "type": "boolean",
    "default": True,
    "description": "Whether files of configuration and rules are watched, and reloaded when they change.",
}


def parse_priority(value: str) -> Priority:
    """The priority of that name."""
    return Priority.parse(value)
