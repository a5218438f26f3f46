"""Short ways to write the catalogue's entries of source ``syscall``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tiercel import ChangePoint, FactGroup, Field, FieldType
from tiercel_ebpf.event import SyscallEvent

__all__ = ["FILTER_ONLY", "SOURCES", "Getter", "computed", "reading"]

SOURCES: Final = frozenset({"syscall"})
Getter = Callable[[SyscallEvent], Any]
FILTER_ONLY: Final = {"in_output": False, "in_comparison": False, "in_transformer": False}
"""Of fields that are there to be compared with literals, and for nothing else."""


def reading(name: str, kind: FieldType, group: FactGroup, getter: Callable[..., Any], description: str, **more: Any) -> Field:
    """A field that a function of the event, or of its argument, reads."""
    return Field(name=name, type=kind, description=description, group=group, sources=SOURCES, getter=getter, **more)


def computed(name: str, source: str, kind: FieldType, function: Callable[..., Any], description: str, **more: Any) -> Field:
    """A field that is computed from another one, and changes when that one does."""
    return Field(
        name=name, type=kind, description=description, group=FactGroup.PROCESS, changes=ChangePoint.NEVER, sources=SOURCES,
        inputs=(source,), function=function, **more,
    )  # fmt: skip
