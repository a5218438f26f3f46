"""``grants``: what root does for the sensor. Root reads the section itself (core/tiercel_supervisor/grants.py); here it names things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["LOADERS", "SCHEMA", "Grant", "parse"]

LOADERS: Final = "loaders"
"""The key of the section that is no name of a file."""
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "default": {},
    "description": "What root does for the sensor: files to open for it, and loaders to start.",
    "properties": {LOADERS: {"type": "array", "items": {"type": "string"}, "description": "Loaders of sources; by default ebpf."}},
    "additionalProperties": {
        "type": "object",
        "properties": {
            "path": {"type": "string", "pattern": "^/", "description": "Absolute path of the file."},
            "mode": {"enum": ["append", "read"], "description": "How it is opened."},
        },
        "required": ["path", "mode"],
        "additionalProperties": False,
    },
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A file that the sensor may have opened for it.

    Attributes:
        path: absolute path.
        mode: ``append`` or ``read``.
    """

    path: str
    mode: str


def parse(value: Mapping[str, Any]) -> dict[str, Grant]:
    """The files by the names of their grants."""
    return {name: Grant(each["path"], each["mode"]) for name, each in value.items() if name != LOADERS}
