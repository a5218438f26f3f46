"""The output `stdout`: one line per alert on standard output."""

from __future__ import annotations

from collections.abc import Iterable

from tiercel import Output, hookimpl
from tiercel_stdout.output import Stdout

__all__ = ["Stdout", "tiercel_register_outputs"]


@hookimpl
def tiercel_register_outputs() -> Iterable[type[Output]]:
    """The output."""
    return [Stdout]
