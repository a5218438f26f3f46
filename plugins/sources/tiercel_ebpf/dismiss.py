"""Drops records of which the engine knows that no rule can match, before an event is made of them (`tiercel.KnownMasks`).

Most records of a busy host are such: the same process does the same with the same files. Three look-ups by slices of the record tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tiercel_ebpf import records as r
from tiercel_ebpf.paths import POSITIVE, RESULT_SIGN

if TYPE_CHECKING:
    from tiercel import SourcePlan

__all__ = ["Hopeless", "hopeless"]

Hopeless = Callable[[Any, bytes], bool]
"""Takes the key of a process and a record of it with one view of its path."""


def hopeless(plan: SourcePlan, kind: int) -> Hopeless | None:
    """Tells the records of a kind that no rule can match; None if that cannot be told from them.

    The slices are those of the event's keys (`tiercel_ebpf.event.SyscallEvent.scalar_key` and the others).
    """
    known = plan.known(r.KINDS[kind]) if kind > r.LAST_STATE_KIND and r.KINDS[kind] in plan.wanted_types else None
    if known is None or known.keys[0] not in ("", "process_key") or known.keys[1] not in ("", "scalar_key"):
        return None
    of_process, of_scalars, of_place, new_place = known.process, known.scalars, known.places, known.new_place
    if kind in r.OPENS and known.keys[2] in ("", "name_key"):

        def of_open(process: Any, record: bytes) -> bool:
            mask = of_process(process)
            if not mask:
                return mask is not None
            scalars = of_scalars(record[80:104])
            if scalars is None:
                return False
            mask &= scalars
            if not mask:
                return True
            if record[RESULT_SIGN] > POSITIVE:
                places = of_place(None)
                return places is not None and not mask & places
            start = r.STRINGS + record[136] + (record[137] << 8)
            path = record[start : start + record[152] + (record[153] << 8)]
            places = of_place(path)
            if places is None:
                places = new_place(path, mask)
            return places is not None and not mask & places

        return of_open
    if kind in r.OPENS or known.keys[2] not in ("", "address_key"):
        return None

    def of_socket(process: Any, record: bytes) -> bool:
        mask = of_process(process)
        if not mask:
            return mask is not None
        scalars = of_scalars(record[80:92] + record[94:104] + record[:1])
        if scalars is None:
            return False
        mask &= scalars
        if not mask:
            return True
        places = of_place(record[88:89] + record[104:136])
        return places is not None and not mask & places

    return of_socket
