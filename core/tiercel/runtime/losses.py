"""Events that got lost, in terms of rules: how many, of which types, and which rules were blind for how long.

The numbers of all reports add up to what the source counted: what is too little or too early for a report is in the next one.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from tiercel.runtime.wording import some

if TYPE_CHECKING:
    from tiercel.config.losses import EventLoss
    from tiercel.reporting import Report
    from tiercel.ruleset.model import Rule

__all__ = ["LOST", "Losses"]

LOST: Final = "Tiercel internal: events lost"
SHOWN: Final = 3
"""Names of rules in the text of a report."""
MAX_RULES: Final = 100
"""Names of rules in its fields."""


_log = logging.getLogger("tiercel.losses")


class Losses:
    """Compares the counters of a source from one look to the next."""

    def __init__(self, report: Report, *, told: Mapping[str, int] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing was lost yet.

        Args:
            report: makes internal alerts.
            told: event type -> what an earlier sensor of this source has already reported.
            clock: seconds.
        """
        self._report, self._clock = report, clock
        self._lost = dict(told or {})
        self._seen = 0
        self._waiting: Counter[str] = Counter()
        self._looked = self._begin = self._end = clock()
        self._reported: float | None = None
        self._due = False

    @property
    def told(self) -> dict[str, int]:
        """Event type -> how many of the source's counter have been reported."""
        return {kind: max(0, lost - self._waiting[kind]) for kind, lost in self._lost.items()}

    def look(self, types: Mapping[str, Mapping[str, int]], rules: Iterable[Rule], source: str, settings: EventLoss) -> None:
        """Compares, and reports what is due.

        Args:
            types: `tiercel.Source.counters`.
            rules: those in force.
            source: their event source.
            settings: section ``event_loss``.
        """
        seen = sum(counters.get("seen", 0) for counters in types.values())
        lost = self._take(types)
        share = lost / max(lost, seen - self._seen, 1)
        self._seen = seen
        self._due = self._due or (lost > 0 and share > settings.threshold)
        if self._due and (self._reported is None or self._clock() - self._reported >= settings.interval_secs):
            self._tell(rules, source)

    def finish(self, types: Mapping[str, Mapping[str, int]], rules: Iterable[Rule], source: str) -> None:
        """Reports what is left, at the end."""
        self._take(types)
        if self._waiting:
            self._tell(rules, source)

    def _take(self, types: Mapping[str, Mapping[str, int]]) -> int:
        """Adds what was lost since the last look to what waits; its number."""
        now, lost = self._clock(), self._grown(types)
        if lost:
            if not self._waiting:
                self._begin = self._looked
            self._end = now
            self._waiting += lost
        self._looked = now
        return lost.total()

    def _grown(self, types: Mapping[str, Mapping[str, int]]) -> Counter[str]:
        """Event type -> what was lost since the last look. A counter that fell began anew."""
        grown: Counter[str] = Counter()
        for kind, counters in types.items():
            lost, before = counters.get("lost", 0), self._lost.get(kind, 0)
            if lost != before:
                grown[kind] = lost - before if lost > before else lost
                self._lost[kind] = lost
        return grown

    def _tell(self, rules: Iterable[Rule], source: str) -> None:
        lost, self._waiting, self._due, self._reported = self._waiting, Counter(), False, self._clock()
        blind = [
            rule.name
            for rule in rules
            if rule.source == source and (rule.event_types is None or not lost.keys().isdisjoint(rule.event_types))
        ]
        seconds = round(self._end - self._begin, 1)
        kinds = ", ".join(f"{kind} {number}" for kind, number in lost.most_common())
        names = some(blind, SHOWN)
        fields = {
            "loss.events": lost.total(),
            "loss.seconds": seconds,
            "loss.source": source,
            "loss.rules": blind[:MAX_RULES],
            "loss.rules_count": len(blind),
            **{f"loss.by_type.{kind}": number for kind, number in sorted(lost.items())},
        }
        _log.warning("source of %s: %d events lost: %s", source, lost.total(), kinds)
        self._report(LOST, f"{lost.total()} in {seconds} s ({kinds}); blind: {names or 'no rule'}", fields=fields)
