"""A program in the kernel with the maps of its plan: what fits into it, and how it goes from one generation to the next.

A program reads its generation once for each call: place values are entered under it, verdicts carry it, and so do records. One word
changes, and all three do.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tiercel import Loaded
from tiercel_ebpf.places import Places, counts
from tiercel_ebpf.translate import Entry
from tiercel_ebpf.verdicts import Verdicts

__all__ = ["MAX_GENERATION", "OWN", "Program"]

GENERATION: Final = 64
"""Offset of the generation in the program's settings, behind eight secrets (program/base.h)."""
MAX_GENERATION: Final = (1 << 32) - 1
OWN: Final = ("verdicts", "places", "networks", "filter", "settings", "tasks")
"""Descriptors that belong to one program; the others outlive it."""
SIZES: Final = ("max_places", "max_networks")

_word = struct.Struct("<Q")


class Program:
    """What a loader made of a plan. Owns those of the descriptors that are named in `OWN`; closes the others."""

    def __init__(self, loaded: Loaded) -> None:
        self.message = loaded.plan
        self.answer = loaded.answer
        self.descriptors = {name: loaded.descriptors[name] for name in OWN}
        for name, fd in loaded.descriptors.items():
            if name not in OWN:
                os.close(fd)
        self._settings = mmap.mmap(self.descriptors["settings"], mmap.PAGESIZE)
        answer = loaded.answer
        self._places = Places(
            rows=answer["placed"], row_count=answer["place_rows"], keys=answer["keys"], places=self.descriptors["places"],
            networks=self.descriptors["networks"], bits=answer["filter_bits"], filter_map=self.descriptors["filter"],
        )  # fmt: skip

    @property
    def generation(self) -> int:
        """The one in force."""
        return int(_word.unpack_from(self._settings, GENERATION)[0])

    def fits(self, message: Mapping[str, Any], entries: Sequence[Entry]) -> bool:
        """True if a plan differs from this program's in values only, and there is room for them beside those in force.

        Removes values of other generations than that. Values that no program looks up need not be compared: fewer kinds of places fit.
        """
        mine = self.message
        if any(mine[key] != message[key] for key in message if key not in ("generation", "place_kinds", *SIZES)):
            return False
        if not set(message["place_kinds"]) <= set(mine["place_kinds"]):
            return False
        old, new = self._places.keep_only(self.generation), counts(entries)
        return bool(old[0] + new[0] <= mine["max_places"] and old[1] + new[1] <= mine["max_networks"])

    def fill(self, entries: Sequence[Entry], generation: int) -> None:
        """Enters the place values of a generation beside those in force."""
        self._places.fill(entries, set_number=generation)

    def verdicts(self, slots: int, generation: int) -> Verdicts:
        """Writes verdicts of a generation with so many masks."""
        return Verdicts(
            self.descriptors["verdicts"], slots=slots, generation=generation, keys=self.answer["keys"],
            guards=frozenset(self.message["guards"]),
        )  # fmt: skip

    def switch(self, generation: int) -> None:
        """Puts a generation in force: one word, written at once."""
        _word.pack_into(self._settings, GENERATION, generation)

    def close(self) -> None:
        """Lets go of the descriptors."""
        self._settings.close()
        for fd in self.descriptors.values():
            os.close(fd)
        self.descriptors = {}
