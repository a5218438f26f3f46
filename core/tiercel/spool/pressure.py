"""Whether what waits for outputs is about to fill the spool: said in time, before alerts have to be removed.

What all outputs have stays until there is no room for it, so that a full spool as such means nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from tiercel.reporting import Report
from tiercel.spool.database import Database
from tiercel.spool.places import Places

__all__ = ["Pressure"]

HIGH: Final = 0.75
"""Share of the budget."""
LOW: Final = 0.6
"""Share below which it is over."""
PAUSE: Final = 5.0
"""Seconds between two looks at a spool with so much in it: counting its bytes takes some milliseconds."""
PRESSURE: Final = "Tiercel internal: spool pressure"
MIB: Final = 1 << 20

_log = logging.getLogger("tiercel.spool")


class Pressure:
    """Used on the spool's thread."""

    def __init__(self, budget: int, places: Places, report: Report, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing waits.

        Args:
            budget: bytes of alerts that may be on the disk.
            places: of the outputs.
            report: makes internal alerts.
            clock: seconds.
        """
        self._budget, self._places, self._report, self._clock = budget, places, report, clock
        self._next = 0.0
        self._high = False

    def look(self, database: Database) -> None:
        """Says it once, and again when it was over meanwhile. Raises `tiercel.spool.disk.ERRORS`."""
        if database.total < LOW * self._budget:
            self._high = False
            return
        now = self._clock()
        if now < self._next or not self._places.readers:
            return
        self._next = now + PAUSE
        share = database.size(after=self._places.done(0)) / self._budget
        if share < LOW:
            self._high = False
        elif share >= HIGH and not self._high:
            self._high = True
            self._tell(share)

    def _tell(self, share: float) -> None:
        behind = {name: reader.behind for name, reader in self._places.readers.items() if reader.behind}
        waiting = ", ".join(f"{number} for output {name}" for name, number in sorted(behind.items(), key=lambda each: -each[1]))
        text = f"{share:.0%} of the spool's {self._budget // MIB} MiB wait to be delivered: {waiting}; when it is full, the least urgent go"
        fields = {"spool.waiting_percent": round(100 * share), "spool.max_bytes": self._budget}
        self._report(PRESSURE, text, fields={**fields, **{f"spool.behind.{name}": number for name, number in behind.items()}})
        _log.warning("spool: %s", text)
