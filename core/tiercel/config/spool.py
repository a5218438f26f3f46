"""Section ``spool`` of the configuration, and the directory of the sensor's own files."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["SCHEMA", "STATE_DIR_SCHEMA", "SpoolSettings", "default_state_dir", "parse"]

USER: Final = "tiercel"
"""The account of the sensor under its supervisor (core/tiercel_supervisor/sensor.py)."""
STATE_DIR: Final = Path("/var/lib/tiercel")
MIB: Final = 1 << 20
HOUR: Final = 3600.0

STATE_DIR_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "string",
    "examples": ["/var/lib/tiercel"],
    "pattern": "^/",
    "description": "Directory of the sensor's own files, the spool among them; it belongs to the sensor's user. "
    "By default /var/lib/tiercel; without root, tiercel in $XDG_STATE_HOME.",
}
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "default": {},
    "description": "Where alerts wait for outputs, and are kept for a while; changes need a restart.",
    "properties": {
        "fsync": {
            "enum": ["each", "interval", "never"],
            "default": "interval",
            "description": "When alerts are forced to the disk: with each commit, at an interval, or when the kernel likes. "
            "The death of the sensor loses nothing whatever this says; a power failure what was not forced.",
        },
        "fsync_interval_secs": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 60,
            "default": 0.2,
            "description": "Seconds between two of them, for fsync: interval.",
        },
        "max_size_mb": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1 << 20,
            "default": 256,
            "description": "MiB of alerts. Above that some are removed: first what every output has, "
            "then the least urgent; the oldest first.",
        },
        "max_age_hours": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 87600,
            "default": 168,
            "description": "Hours for which alerts are kept, delivered or not.",
        },
        "memory_mb": {
            "type": "integer",
            "minimum": 1,
            "maximum": 4096,
            "default": 16,
            "description": "MiB of alerts that are held in memory while the disk cannot be written.",
        },
        "deliver_timeout_secs": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 3600,
            "default": 30,
            "description": "Seconds after which an output that has not accepted a batch is interrupted, and tried again.",
        },
    },
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSettings:
    """How alerts are kept.

    Attributes:
        fsync: ``each``, ``interval`` or ``never``.
        fsync_interval: seconds.
        max_bytes: of alerts, with what the database needs for each.
        max_age: seconds.
        memory_bytes: of alerts while the disk cannot be written.
        deliver_timeout: seconds that an output has for a batch.
    """

    fsync: str = "interval"
    fsync_interval: float = 0.2
    max_bytes: int = 256 * MIB
    max_age: float = 168 * HOUR
    memory_bytes: int = 16 * MIB
    deliver_timeout: float = 30.0


def parse(value: Mapping[str, Any]) -> SpoolSettings:
    """The settings of a valid section with its defaults."""
    return SpoolSettings(
        fsync=value["fsync"],
        fsync_interval=float(value["fsync_interval_secs"]),
        max_bytes=value["max_size_mb"] * MIB,
        max_age=value["max_age_hours"] * HOUR,
        memory_bytes=value["memory_mb"] * MIB,
        deliver_timeout=float(value["deliver_timeout_secs"]),
    )


def default_state_dir() -> Path:
    """Where the sensor's own files are if the configuration does not say: depends on who asks (XDG Base Directory Specification)."""
    user = os.geteuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = ""
    if user == 0 or name == USER:
        return STATE_DIR
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".local/state") / "tiercel"
