"""Enrichers complete alerts before outputs get them: once for all outputs, as far as it is remembered."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tiercel.alert import Alert
    from tiercel.components.enricher import Enricher

__all__ = ["Amender", "EnricherCounters"]

DEADLINE: Final = 1.0
"""Seconds that an enricher has for a batch."""
REMEMBERED: Final = 4096
"""Alerts that are not amended again for another output."""

_log = logging.getLogger("tiercel.delivery")


@dataclass(slots=True)
class EnricherCounters:
    """Counters of one enricher: alerts.

    Attributes:
        amended: it was asked, and answered.
        failures: it raised, or took too long; the alert went on as it was.
    """

    amended: int = 0
    failures: int = 0


class Amender:
    """Asks the enrichers, in the order of the configuration. On the asyncio loop."""

    def __init__(self, enrichers: Mapping[str, Enricher]) -> None:
        """Takes open enrichers by their ids."""
        self._enrichers = dict(enrichers)
        self._known: OrderedDict[str, asyncio.Future[Alert]] = OrderedDict()
        self.counters = {name: EnricherCounters() for name in enrichers}

    async def amend(self, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """The alerts, completed: copies, since what others roll up must not depend on when that was. Never raises for an enricher."""
        if not self._enrichers:
            return alerts
        fresh = {each.id: replace(each, fields=dict(each.fields)) for each in alerts if each.id not in self._known}
        loop = asyncio.get_running_loop()
        futures = [self._known.setdefault(each.id, loop.create_future()) for each in alerts]
        try:
            for name, enricher in self._enrichers.items():
                await self._ask(name, enricher, fresh.values())
        finally:
            for each, future in zip(alerts, futures, strict=True):
                if not future.done() and each.id in fresh:
                    future.set_result(fresh[each.id])
        found = [await future for future in futures]
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found

    async def _ask(self, name: str, enricher: Enricher, alerts: Iterable[Alert]) -> None:
        counters = self.counters[name]
        deadline = asyncio.get_running_loop().time() + DEADLINE
        for alert in alerts:
            try:
                async with asyncio.timeout_at(deadline):
                    await enricher.amend(alert)
            except Exception as error:  # noqa: BLE001  a plugin that raises, or takes too long, never stops an alert
                if not counters.failures:
                    _log.warning("enricher %s: %s: %s; alerts go on without it", name, type(error).__name__, error)
                counters.failures += 1
            else:
                counters.amended += 1
