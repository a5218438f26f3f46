"""The options of the output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["SCHEMA"]

ROTATE: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "For path: when a new file begins, and what happens to the old ones. Files behind a grant are left to logrotate.",
    "properties": {
        "max_size_mb": {
            "type": "number",
            "minimum": 0.01,
            "maximum": 1000000,
            "default": 100,
            "description": "Size of a file, in millions of bytes, before the next one begins.",
        },
        "every_hours": {
            "type": "integer",
            "minimum": 1,
            "maximum": 8760,
            "description": "A file has the alerts of so many hours, counted from midnight UTC: 24 for one a day.",
        },
        "keep": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 10, "description": "How many old files there are at most."},
        "compression": {"enum": ["none", "gzip", "zstd"], "default": "none", "description": "How old files are compressed."},
    },
    "additionalProperties": False,
}

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "grant": {"type": "string", "description": "Name of the grant with the file's path; its mode is append.", "x-tiercel": "grant"},
        "path": {
            "type": "string",
            "pattern": "^/",
            "description": "Instead of grant: a file in a directory that the sensor's user can write.",
        },
        "format": {"type": "string", "default": "json", "description": "Name of the formatter.", "x-tiercel": "formatter"},
        "rotate": ROTATE,
    },
    "additionalProperties": False,
}
