"""The output `file`: appends alerts to a file that the configuration grants."""

from __future__ import annotations

from collections.abc import Iterable

from tiercel import Output, hookimpl
from tiercel_file.output import File

__all__ = ["File", "tiercel_register_outputs"]


@hookimpl
def tiercel_register_outputs() -> Iterable[type[Output]]:
    """The output."""
    return [File]
