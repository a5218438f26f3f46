"""The output under test with what it needs: a destination, and a host that grants files."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tiercel.alert import Alert
from tiercel.components.base import Context
from tiercel.components.output import Formatter, Output
from tiercel.config.schema import schema_of, with_defaults
from tiercel.errors import Permanent, Retry
from tiercel.runtime.host import DirectHost
from tiercel.testing.outputs.specimens import Plain, ids

__all__ = ["Bench", "Destination", "Holds", "expect", "secrets"]

PAUSE: Final = 0.01
"""Seconds between two looks."""
SETTLED: Final = 0.1
"""Seconds in which what comes too often would show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What an output under test delivers to.

    Attributes:
        config: its options; defaults are filled in.
        received: all records that have arrived so far, in order of arrival. In each is the id of its alert.
        stop: makes the other end go away, so that it accepts nothing; None if that cannot be.
        start: lets it come back; goes with `stop`. What had arrived before stays in `received`.
        grants: files that the output may open: name -> (path, ``append`` or ``read``).
        seconds: longest time for one call.
    """

    config: Mapping[str, Any]
    received: Callable[[], Sequence[bytes]]
    stop: Callable[[], None] | None = None
    start: Callable[[], None] | None = None
    grants: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Holds:
    """What this process holds: descriptors, threads but for those that the loop keeps for its calls, tasks."""

    descriptors: int
    threads: frozenset[str]
    tasks: int

    @classmethod
    def now(cls) -> Holds:
        """At this moment, on the loop."""
        threads = frozenset(each.name for each in threading.enumerate() if not each.name.startswith("asyncio_"))
        return cls(sum(1 for _ in Path("/proc/self/fd").iterdir()), threads, len(asyncio.all_tasks()))


class Bench(logging.Handler):
    """Makes outputs and calls them, each call in bounded time. Keeps what was logged meanwhile."""

    def __init__(self, output: type[Output], destination: Destination) -> None:
        """Makes nothing yet."""
        super().__init__()
        self.cls, self.destination = output, destination
        self.config = with_defaults(output.config_schema, dict(destination.config))
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a message."""
        self.said.append(record.getMessage())

    def make(self) -> Output:
        """An instance."""
        formatters: Mapping[str, Formatter] = defaultdict(Plain)
        context = Context(f"{self.cls.name}/checked", "host.example", DirectHost(self.destination.grants), formatters)
        return self.cls.from_config(self.config, context)

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Output]:
        """An instance that is open."""
        output = self.make()
        try:
            await self.within(output.open(), "open")
            yield output
        finally:
            await self.within(output.close(), "close")

    async def within(self, call: Any, what: str) -> Any:
        """The result of a call, in bounded time."""
        try:
            async with asyncio.timeout(self.destination.seconds) as limit:
                return await call
        except TimeoutError as error:
            if not limit.expired():
                raise
            msg = f"{what}: has not ended in {self.destination.seconds:g} s"
            raise AssertionError(msg) from error

    async def deliver(self, output: Output, batch: Sequence[Alert]) -> set[str]:
        """Delivers a batch; returns the ids of alerts that were refused for good. `tiercel.Retry` is passed on."""
        try:
            await self.within(output.deliver(batch), "deliver")
        except Permanent as error:
            return set(error.refused) if error.refused is not None else {alert.id for alert in batch}
        except Retry as error:
            self.said.append(str(error))
            raise
        except Exception as error:
            msg = f"deliver: raised {type(error).__name__}: {error} (expected nothing, Retry or Permanent)"
            raise AssertionError(msg) from error
        return set()

    async def deliver_at_last(self, output: Output, batch: Sequence[Alert]) -> set[str]:
        """As `deliver`, again as long as it says that it should be tried again, which it must not do for ever."""
        deadline = time.monotonic() + self.destination.seconds
        while True:
            try:
                return await self.deliver(output, batch)
            except Retry as error:
                if time.monotonic() > deadline:
                    msg = f"deliver: nothing accepted for {self.destination.seconds:g} s: {error}"
                    raise AssertionError(msg) from error
                await asyncio.sleep(min(0.5, error.after if error.after is not None else 0.1))

    async def arrived(self, expected: Sequence[Alert], *, once: bool) -> None:
        """Waits until all these alerts are there, each once or at least once, in order of first arrival.

        Raises:
            AssertionError: they are not, after the time that a call may take.
        """
        wanted = [alert.id for alert in expected]
        deadline = time.monotonic() + self.destination.seconds
        while True:
            records = await asyncio.to_thread(self.destination.received)
            found = ids(records)
            if set(wanted) <= set(found) or time.monotonic() > deadline:
                break
            await asyncio.sleep(PAUSE)
        if once:
            await asyncio.sleep(SETTLED)
            records = await asyncio.to_thread(self.destination.received)
            found = ids(records)
        missing = sorted(set(wanted) - set(found))
        expect(not missing, f"{len(missing)} of {len(wanted)} alerts did not arrive: {', '.join(missing[:3])}")
        if once:
            strays = len(records) - len(found)
            expect(not strays, f"{strays} records without an id of an alert: an alert became several records, or lost its id")
            expect(len(found) == len(set(found)), f"{len(found) - len(set(found))} alerts arrived more than once, and nothing had failed")
        first = list(dict.fromkeys(found))
        expect([each for each in first if each in set(wanted)] == wanted, "alerts arrived in another order than they were delivered in")


def expect(promise: object, otherwise: str) -> None:
    """Raises `AssertionError` with a message if a promise is not true. An assert statement may be taken away (-O)."""
    if not promise:
        raise AssertionError(otherwise)


def secrets(schema: Mapping[str, Any], value: Any) -> set[str]:
    """The values of options that are secrets (``writeOnly``)."""
    if isinstance(value, str):
        return {value} if schema.get("writeOnly") and len(value) > 1 else set()
    if isinstance(value, Mapping):
        return {each for name, inner in value.items() for each in secrets(schema_of(schema, name), inner)}
    return set()
