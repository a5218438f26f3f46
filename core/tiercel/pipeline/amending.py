"""Enrichers complete alerts before outputs get them: once for all outputs, as far as it is remembered."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tiercel.alert import Alert
    from tiercel.pipeline.enriching import Attendant, EnricherCounters

__all__ = ["Amender"]

REMEMBERED: Final = 4096
"""Alerts that are not amended again for another output."""


class Amender:
    """Asks the enrichers, in the order of the configuration. On the asyncio loop."""

    def __init__(self, enrichers: Mapping[str, Attendant]) -> None:
        """Takes enrichers by their ids."""
        self._enrichers = dict(enrichers)
        self._known: OrderedDict[str, asyncio.Future[Alert]] = OrderedDict()

    def counters(self) -> Mapping[str, EnricherCounters]:
        """Enricher -> its counters."""
        return {name: enricher.counters for name, enricher in self._enrichers.items()}

    async def amend(self, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """The alerts, completed: copies, since what others roll up must not depend on when that was. Never raises for an enricher."""
        if not self._enrichers:
            return alerts
        fresh = {each.id: replace(each, fields=dict(each.fields)) for each in alerts if each.id not in self._known}
        loop = asyncio.get_running_loop()
        futures = [self._known.setdefault(each.id, loop.create_future()) for each in alerts]
        try:
            if fresh:
                for enricher in self._enrichers.values():
                    await enricher.amend(list(fresh.values()))
        finally:
            for each, future in zip(alerts, futures, strict=True):
                if not future.done() and each.id in fresh:
                    future.set_result(fresh[each.id])
        found = [await future for future in futures]
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found
