"""One enricher at work: asked to complete alerts, left alone for a while when it fails, and opened later if it could not be opened.

Whatever it does, alerts go on: as they were, or as it completed them before it went wrong.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tiercel.components.enricher import Enricher
from tiercel.errors import UserError
from tiercel.plugins.building import BuildError
from tiercel.plugins.calls import FROM_CONFIG_SECONDS, Blocked, Late, WrongType, apart, asked
from tiercel.plugins.quarantine import (
    CLOSE_SECONDS,
    FIRST_QUARANTINE,
    LONGEST_QUARANTINE,
    OPEN_SECONDS,
    QUARANTINED,
    RESTORED,
    explained,
)

if TYPE_CHECKING:
    from tiercel.alert import Alert
    from tiercel.config.build import Planned
    from tiercel.reporting import Report

__all__ = ["Attendant", "EnricherCounters"]

DEADLINE: Final = 1.0
"""Seconds that an enricher has for a batch."""
MAX_FAILURES: Final = 5
"""Failures in a row after which an enricher is left alone for a while."""
MAX_DEPTH: Final = 16
"""Of a value that an enricher adds."""

_log = logging.getLogger("tiercel.delivery")


@dataclass(slots=True)
class EnricherCounters:
    """Counters of one enricher: alerts, but for those named otherwise.

    Attributes:
        amended: it was asked, and answered.
        failures: calls that raised, took too long, or left something in an alert that may not be there; the alert went on as it was.
        timeouts: those of them that took too long.
        skipped: it was not asked, since it was late with an earlier alert of the batch, left alone, or not open.
        quarantined: it is left alone for a while.
        opened: it is open.
    """

    amended: int = 0
    failures: int = 0
    timeouts: int = 0
    skipped: int = 0
    quarantined: bool = False
    opened: bool = False


class Attendant:
    """One enricher. All methods are called on the asyncio loop."""

    def __init__(self, name: str, planned: Planned[Enricher], *, report: Report) -> None:
        """Opens nothing.

        Args:
            name: its id.
            planned: the enricher.
            report: makes internal alerts.
        """
        self.name, self.planned = name, planned
        self.counters = EnricherCounters()
        self._enricher = planned.component
        self._report = report
        self._about = {"enricher.id": name, "plugin.distribution": planned.owner}
        self._whose = f"enricher {name} of {planned.owner}" if planned.owner else f"enricher {name}"
        self._broken = 0
        self._quarantine = FIRST_QUARANTINE
        self._until = 0.0
        self._opening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Opens it.

        Raises:
            tiercel.UserError: it says that it cannot work. All else that goes wrong is told, and tried again later.
        """
        try:
            await self._open()
        except Exception as error:
            if isinstance(error, UserError) and not isinstance(error, BuildError):
                raise
            self.counters.failures += 1
            self._leave_alone(error)

    async def amend(self, alerts: Sequence[Alert]) -> None:
        """Has it complete alerts. Never raises for what it does."""
        if self.counters.opened and type(self._enricher).amend is Enricher.amend:  # type: ignore[union-attr]  # it is open
            return
        if not self._is_available():
            self.counters.skipped += len(alerts)
            return
        turn = _Turn(alerts)
        try:
            await asked(DEADLINE, self._each, turn)
        except Exception as error:  # noqa: BLE001  what would have ended more than this call among it
            self.counters.timeouts += isinstance(error, Late)
            self._failed(error)
        finally:
            turn.over = True
            self.counters.skipped += len(alerts) - turn.begun

    async def close(self) -> None:
        """Closes it; what it does wrong there only costs time."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
            self._opening = None
        self.counters.opened = False
        await self._close(logging.WARNING)

    async def _open(self) -> None:
        if self._enricher is None:
            assert self.planned.problem is not None
            raise self.planned.problem
        await asked(OPEN_SECONDS, self._enricher.open)
        self.counters.opened = True

    def _is_available(self) -> bool:
        if not self.counters.opened:
            if self._opening is None and time.monotonic() >= self._until:
                self._opening = asyncio.create_task(self._open_again(), name=f"enricher {self.name}")
            return False
        return not self.counters.quarantined or time.monotonic() >= self._until

    async def _open_again(self) -> None:
        """Another instance: each is opened once at most."""
        try:
            await self._close(logging.DEBUG)  # it was not open
            self._enricher = await apart(FROM_CONFIG_SECONDS, self.planned.make)
            await self._open()
            self._works()
        except Exception as error:  # noqa: BLE001  of a plugin
            self.counters.failures += 1
            self._leave_alone(error)
        finally:
            self._opening = None

    async def _close(self, level: int) -> None:
        if self._enricher is not None:
            try:
                await asked(CLOSE_SECONDS, self._enricher.close)
            except Exception as error:  # noqa: BLE001  nothing depends on it any more
                _log.log(level, "enricher %s: not closed: %s", self.name, explained(error))

    async def _each(self, turn: _Turn) -> None:
        assert self._enricher is not None
        for alert in turn.alerts:
            turn.begun += 1
            copy = dataclasses.replace(alert, fields=dict(alert.fields))
            try:
                answer: object = await self._enricher.amend(copy)  # type: ignore[func-returns-value]  # who knows
                if turn.over:
                    return  # nobody waits any more
                if answer is not None:
                    raise WrongType(answer, "None")
                _check(alert, copy)
            except Exception as error:  # noqa: BLE001  a plugin that raises never stops an alert
                if turn.over:
                    return
                self._failed(error)
                if self.counters.quarantined:
                    return
            else:
                alert.message, alert.fields, alert.tags, alert.priority = copy.message, copy.fields, copy.tags, copy.priority
                self.counters.amended += 1
                self._broken = 0
                if self.counters.quarantined:
                    self._works()

    def _failed(self, error: Exception) -> None:
        counters = self.counters
        if not counters.failures:
            _log.warning("enricher %s: %s; alerts go on without it", self.name, explained(error))
        counters.failures += 1
        self._broken += 1
        if counters.quarantined or isinstance(error, Blocked) or self._broken >= MAX_FAILURES:  # on probation, the first failure counts
            self._leave_alone(error)

    def _leave_alone(self, error: Exception) -> None:
        seconds, self._quarantine = self._quarantine, min(LONGEST_QUARANTINE, 2 * self._quarantine)
        self._until = time.monotonic() + seconds
        how = f"failed {self._broken} times in a row" if self.counters.opened else "cannot be opened"
        message = f"{self._whose} {how} ({explained(error)}); it is tried again in {seconds:.0f} s, alerts go on without it"
        _log.error("%s", message)
        self._report(QUARANTINED, message, fields={**self._about, "enricher.failures": self.counters.failures})
        self.counters.quarantined = True

    def _works(self) -> None:
        self._broken, self._quarantine = 0, FIRST_QUARANTINE
        self.counters.quarantined = False
        _log.info("enricher %s: works again", self.name)
        self._report(RESTORED, f"{self._whose} completes alerts again", fields=self._about)


@dataclass(slots=True)
class _Turn:
    """One batch that an enricher is asked about."""

    alerts: Sequence[Alert]
    begun: int = 0
    over: bool = False


def _check(before: Alert, after: Alert) -> None:
    """Refuses what outputs and formatters do not expect in an alert."""
    for name in ("id", "rule", "source", "time", "hostname"):
        if getattr(before, name) != getattr(after, name):
            msg = f"changed the {name} of an alert (message, fields, tags and priority are what it may change)"
            raise ValueError(msg)
    if type(after.message) is not str:
        raise WrongType(after.message, "a str as message", did="left")
    if type(after.priority) is not type(before.priority):
        raise WrongType(after.priority, "a tiercel.Priority", did="left")
    if type(after.tags) is not tuple or not all(type(tag) is str for tag in after.tags):
        raise WrongType(after.tags, "a tuple of str as tags", did="left")
    if type(after.fields) is not dict:
        raise WrongType(after.fields, "a dict as fields", did="left")
    for name, value in after.fields.items():
        if value is not before.fields.get(name):
            if type(name) is not str:
                raise WrongType(name, "str as names of fields", did="left")
            _check_value(name, value, MAX_DEPTH)


def _check_value(name: str, value: Any, depth: int) -> None:
    kind = type(value)
    if kind in (str, int, float, bool, type(None)):
        return
    if kind in (list, tuple, dict) and depth:
        if kind is dict and not all(type(key) is str for key in value):
            raise WrongType(value, f"keys of str in field {name}", did="left")
        for each in value.values() if kind is dict else value:
            _check_value(name, each, depth - 1)
        return
    raise WrongType(value, f"what JSON has in field {name}", did="left")
