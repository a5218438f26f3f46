"""``grants``: what root does for the sensor. Root reads the section itself (core/tiercel_supervisor/grants.py); here it names things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["ENVIRONMENT", "LOADERS", "SCHEMA", "Grant", "names", "parse"]

LOADERS: Final = "loaders"
"""Key of the section that is no name of a file: loaders that root starts."""
ENVIRONMENT: Final = "environment"
"""Key of the section that is no name of a file: variables that root's environment hands on."""
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "default": {},
    "description": "What root does for the sensor: files to open for it, and loaders to start.",
    "properties": {
        LOADERS: {"type": "array", "items": {"type": "string"}, "default": ["ebpf"], "description": "Loaders of sources."},
        ENVIRONMENT: {
            "type": "array",
            "default": [],
            "items": {"type": "string", "pattern": "^(?!LD_|PYTHON|TIERCEL_CHANNEL|PATH|HOME)[A-Za-z_][A-Za-z0-9_]*$(?!\\n)"},
            "description": "Variables of root's environment that the sensor sees too, for secrets as env:NAME; "
            "none that changes what a program is.",
        },
    },
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
    return {name: Grant(value[name]["path"], value[name]["mode"]) for name in names(value)}


def names(value: object) -> list[str]:
    """Names of the files of a section that may not be valid."""
    return [name for name in value if name not in SCHEMA["properties"]] if isinstance(value, Mapping) else []
