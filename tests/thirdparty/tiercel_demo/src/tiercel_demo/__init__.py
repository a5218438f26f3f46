"""The field `demo.exe_depth`."""

from __future__ import annotations

from collections.abc import Iterable

from tiercel import Field, FieldType, field, hookimpl


@field("demo.exe_depth", type=FieldType.UINT64, inputs=("proc.exepath",), description="Directories above the executable.")
def exe_depth(exepath: str) -> int:
    """``/usr/bin/python3`` is 2 deep."""
    return exepath.count("/") - 1


@hookimpl
def tiercel_register_fields() -> Iterable[Field]:
    """The field."""
    return [exe_depth]
