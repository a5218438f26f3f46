"""The output `program`: alerts on the standard input of a program, which runs on or is started for each."""

from __future__ import annotations

from collections.abc import Iterable

from tiercel import Output, hookimpl
from tiercel_program.output import Program

__all__ = ["Program", "tiercel_register_outputs"]


@hookimpl
def tiercel_register_outputs() -> Iterable[type[Output]]:
    """The output."""
    return [Program]
