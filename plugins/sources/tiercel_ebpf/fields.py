"""All fields of source ``syscall``: those that have values, and those that are known by name only."""

from __future__ import annotations

from typing import Final

from tiercel_ebpf.absent import ABSENT
from tiercel_ebpf.calls import CALL_FIELDS
from tiercel_ebpf.event_fields import EVENT_FIELDS
from tiercel_ebpf.process_fields import PROCESS_FIELDS

__all__ = ["FIELDS"]

FIELDS: Final = (*PROCESS_FIELDS, *EVENT_FIELDS, *CALL_FIELDS, *ABSENT)
