"""All fields of source ``syscall``: those that have values, and those that are known by name only."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tiercel import FactGroup, Field
from tiercel_ebpf.absent import ABSENT
from tiercel_ebpf.calls import CALL_FIELDS
from tiercel_ebpf.event_fields import EVENT_FIELDS
from tiercel_ebpf.process_fields import PROCESS_FIELDS

__all__ = ["FIELDS"]

_ADDRESSES: Final = frozenset({"fd.sip", "fd.rip", "fd.cip", "fd.lip", "fd.snet", "fd.rnet", "fd.cnet", "fd.lnet", "fd.ip", "fd.net"})


_TYPES: Final = frozenset({"evt.type", "syscall.type", "evt.type.is"})
"""Fields that tell apart what `scalar_key` does not."""


def _keyed(field: Field) -> Field:
    """The field with the attribute of the event that stands for it (`tiercel_ebpf.event`)."""
    if field.function is not None or field.name in _TYPES:
        return field  # goes by its inputs, or by its value
    if field.name in _ADDRESSES:
        return replace(field, key="address_key")
    if field.name == "fd.name":
        return replace(field, key="name_key")
    return replace(field, key={FactGroup.PROCESS: "process_key", FactGroup.SCALAR: "scalar_key"}.get(field.group))


FIELDS: Final = tuple(map(_keyed, (*PROCESS_FIELDS, *EVENT_FIELDS, *CALL_FIELDS, *ABSENT)))
