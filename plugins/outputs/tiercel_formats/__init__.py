"""The formatters `text` and `json`: alerts as Falco prints them."""

from __future__ import annotations

from collections.abc import Iterable

from tiercel import Formatter, hookimpl
from tiercel_formats.formats import Json, Text

__all__ = ["Json", "Text", "tiercel_register_formatters"]


@hookimpl
def tiercel_register_formatters() -> Iterable[type[Formatter]]:
    """The formatters."""
    return [Json, Text]
