"""``labels``: what the alerts of this host say about where they come from, for receivers and for routing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["FIELD", "SCHEMA", "parse"]

FIELD: Final = "label."
"""Prefix of the fields of an alert that hold its labels."""

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "default": {},
    "description": "NAME: TEXT that every alert gets as the field label.NAME, for receivers and for routing.",
    "propertyNames": {"pattern": "^[A-Za-z0-9_.-]{1,63}$"},
    "additionalProperties": {"type": "string", "maxLength": 1024},
    "maxProperties": 64,
}


def parse(value: Mapping[str, str]) -> dict[str, str]:
    """Field of alerts -> its value."""
    return {FIELD + name: text for name, text in value.items()}
