"""Whether an output works, as far as people are told: in the log, by internal alerts, by its counters."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tiercel.pipeline.rollup import ShaperCounters
from tiercel.plugins.quarantine import QUARANTINED, RESTORED

if TYPE_CHECKING:
    from tiercel.reporting import Report

__all__ = ["Condition", "OutputCounters"]

DOWN_SECONDS: Final = 30.0
"""Seconds without success after which an output counts as down."""

DOWN: Final = "Tiercel internal: output down"
RECOVERED: Final = "Tiercel internal: output recovered"
REFUSED: Final = "Tiercel internal: alerts refused"

_log = logging.getLogger("tiercel.delivery")


@dataclass(slots=True)
class OutputCounters(ShaperCounters):
    """Counters of one output: alerts, but for those named otherwise. Those of the base are about routing, roll-ups and rate limits.

    Attributes:
        sent: accepted.
        retries: deliveries that were not accepted, to be tried again.
        timeouts: those of them that took too long.
        failures: calls that raised what they should not.
        dead: never accepted; dead letters.
        evicted: removed from the spool before they were delivered.
        behind: in the spool, not delivered yet.
        lag_seconds: age of the oldest of those.
        quarantined: it is left alone for a while.
        opened: it is open.
    """

    sent: int = 0
    retries: int = 0
    timeouts: int = 0
    failures: int = 0
    dead: int = 0
    evicted: int = 0
    behind: int = 0
    lag_seconds: float = 0.0
    quarantined: bool = False
    opened: bool = False


class Condition:
    """Of one output.

    Attributes:
        failing: its last delivery was not accepted.
    """

    def __init__(self, name: str, counters: OutputCounters, report: Report, *, owner: str = "") -> None:
        """It works.

        Args:
            name: id of the output.
            counters: its counters.
            report: makes internal alerts.
            owner: distribution and version of its plugin.
        """
        self._about = {"output.id": name, "plugin.distribution": owner}
        self._whose = f"output {name} of {owner}" if owner else f"output {name}"
        self._name, self._counters, self._report = name, counters, report
        self.failing = False
        self._down_since: float | None = None
        self._told_down = False

    def down(self, why: str, *, behind: int) -> None:
        """It accepts nothing now, and will be tried again.

        Args:
            why: for people.
            behind: alerts that wait.
        """
        now = time.monotonic()
        if self._down_since is None:
            self._down_since = now
            _log.warning("output %s: %s; trying again until it works", self._name, why)
        self.failing = True
        if not self._told_down and now - self._down_since >= DOWN_SECONDS:
            self._told_down = True
            message = f"output {self._name} has accepted nothing for {now - self._down_since:.0f} s: {why}"
            self._report(DOWN, message, fields={"output.id": self._name, "output.behind": behind})

    def quarantined(self, what: str, seconds: float) -> None:
        """It is left alone for some seconds."""
        message = f"{self._whose} {what}; it is tried again in {seconds:.0f} s, its alerts wait"
        _log.error("%s", message)
        self._report(QUARANTINED, message, fields=self._about)
        self._counters.quarantined = self.failing = True

    def refused(self, count: int, reason: str, *, tell: bool) -> None:
        """It will never accept some alerts.

        Args:
            count: how many.
            reason: for people.
            tell: by an internal alert, too.
        """
        counters = self._counters
        if not counters.dead:
            _log.error("output %s: refused an alert: %s; see tiercel spool dead-letters", self._name, reason)
        counters.dead += count
        if tell:
            self._report(REFUSED, f"output {self._name}: {reason}", fields={"output.id": self._name, "output.dead": counters.dead})

    def works(self) -> None:
        """It has answered a delivery."""
        if not self.failing:
            return
        _log.info("output %s: works again", self._name)
        if self._told_down:
            self._report(RECOVERED, f"output {self._name} accepts alerts again", fields={"output.id": self._name})
        if self._counters.quarantined:
            self._report(RESTORED, f"{self._whose} accepts alerts again", fields=self._about)
        self._down_since, self._told_down, self.failing, self._counters.quarantined = None, False, False, False
