"""The checks. Each says in its docstring which promise it is about."""

from __future__ import annotations

import asyncio
import logging
import re
import unittest
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, Final

from tiercel.components.base import EMPTY_SCHEMA
from tiercel.components.output import Output
from tiercel.errors import Retry, TiercelError
from tiercel.registry import check_component
from tiercel.testing.outputs.bench import Bench, Destination, Holds, expect, secrets
from tiercel.testing.outputs.specimens import ordinary, strange

__all__ = ["CHECKS", "run"]

SECRET: Final = re.compile(r"(?:^|_)(?:password|token|secret|credential|signing_key|api_key)s?$")
"""Names of options that hold secrets."""
DELAYS: Final = (0.0, 0.001, 0.005, 0.02, 0.1)
"""Seconds after which a delivery is interrupted."""
BEAT: Final = 0.005
LONGEST_STOP: Final = 0.25
"""Seconds that the loop may stand still; the best of `TRIES`, because machines stall, too."""
TRIES: Final = 3
SETTLING: Final = 0.5
"""Seconds."""


async def declares(bench: Bench) -> None:
    """The class is complete, and its schema closed, described, and marked where options are secrets or name formatters and grants."""
    try:
        check_component(bench.cls, kind="output", base=Output)
    except TiercelError as error:
        raise AssertionError(str(error)) from error
    for name, schema in _options(bench.cls.config_schema):
        expect(schema.get("description"), f"option {name}: has no description")
        expect(not SECRET.search(name) or _marked(schema), f"option {name}: seems to be a secret; mark it with writeOnly, or x-tiercel")
        if name == "format" and schema.get("type") == "string":
            expect(schema.get("x-tiercel") == "formatter", 'option format: names a formatter; mark it with "x-tiercel": "formatter"')


async def builds_purely(bench: Bench) -> None:
    """``from_config`` opens, starts and shares nothing."""
    bench.make()
    before = Holds.now()
    first, second = bench.make(), bench.make()
    expect(first is not second, "from_config: returned the same object twice")
    expect(Holds.now() == before, f"from_config: is not pure (before {before}, after {Holds.now()})")


async def closes_always(bench: Bench) -> None:
    """``close`` works without ``open``, and more than once."""
    output = bench.make()
    await bench.within(output.close(), "close without open")
    await bench.within(output.close(), "close without open, again")
    async with bench.opened() as output:
        await bench.within(output.close(), "close")


async def delivers_in_order(bench: Bench) -> None:
    """All alerts of all batches arrive, each once, in order, also after an empty batch."""
    alerts = ordinary(1, 600)
    async with bench.opened() as output:
        for batch in (alerts[:1], [], alerts[1:100], alerts[100:]):
            refused = await bench.deliver(output, batch)
            expect(not refused, f"{len(refused)} ordinary alerts were refused")
    await bench.arrived(alerts, once=True)


async def takes_strange_alerts(bench: Bench) -> None:
    """Whatever is in an alert, it is one record, or refused by its id, and those around it arrive."""
    between, refused = ordinary(1000, 2), set()
    alerts = [between[0], *strange(), between[1]]
    async with bench.opened() as output:
        refused |= await bench.deliver(output, alerts)
    expect(not refused & {alert.id for alert in between}, "ordinary alerts were refused because of others in the batch")
    await bench.arrived([alert for alert in alerts if alert.id not in refused], once=True)


async def tries_again(bench: Bench) -> None:
    """While the other end is away ``deliver`` raises `tiercel.Retry`, without secrets; later the same batch is accepted."""
    stop, start = bench.destination.stop, bench.destination.start
    if stop is None or start is None:
        raise unittest.SkipTest("the destination cannot go away")
    alerts, hidden = ordinary(1, 60), secrets(bench.cls.config_schema, bench.config)
    async with bench.opened() as output:
        await bench.deliver(output, alerts[:20])
        await bench.arrived(alerts[:20], once=False)  # what the other end had not yet worked off may go with it
        await asyncio.to_thread(stop)
        try:
            for _ in range(2):
                try:
                    await bench.deliver(output, alerts[20:40])
                except Retry as error:
                    expect(str(error).strip(), "Retry: says no reason")
                    expect(error.after is None or error.after >= 0, f"Retry: after is {error.after} s")
                else:
                    raise AssertionError("deliver: accepted alerts while the other end was away")
        finally:
            await asyncio.to_thread(start)
        await bench.deliver_at_last(output, alerts[20:40])
        await bench.deliver_at_last(output, alerts[40:])
    await bench.arrived(alerts, once=False)
    for secret in hidden:
        expect(not any(secret in line for line in bench.said), "a secret is in a reason or in the log")


async def survives_interruption(bench: Bench) -> None:
    """A delivery that is cancelled ends soon, leaves no task behind, and the batch is accepted later, all of it, in order."""
    alerts = ordinary(1, 100 * len(DELAYS))
    async with bench.opened() as output:
        for number, delay in enumerate(DELAYS):
            batch = alerts[100 * number : 100 * (number + 1)]
            before = len(asyncio.all_tasks())
            task = asyncio.create_task(output.deliver(batch))
            await asyncio.sleep(delay)
            task.cancel()
            await bench.within(asyncio.wait({task}), "deliver, cancelled")
            expect(len(asyncio.all_tasks()) <= before, "deliver: left tasks behind when it was cancelled")
            await bench.deliver_at_last(output, batch)
    await bench.arrived(alerts, once=False)


async def leaves_the_loop_alone(bench: Bench) -> None:
    """Nothing else on the loop has to wait while a large batch is delivered."""
    stopped = []
    async with bench.opened() as output:
        for number in range(TRIES):
            gaps: list[float] = []
            beating = asyncio.create_task(_beat(gaps))
            await asyncio.sleep(4 * BEAT)
            try:
                await bench.deliver(output, ordinary(1 + 500 * number, 500))
                await asyncio.sleep(4 * BEAT)
            finally:
                beating.cancel()
                await asyncio.wait({beating})
            stopped.append(max(gaps, default=0.0))
            if stopped[-1] <= LONGEST_STOP:
                return
    raise AssertionError(f"deliver: the loop stood still for {min(stopped):.2f} s (expected at most {LONGEST_STOP})")


async def reopens(bench: Bench) -> None:
    """``reopen`` between two batches loses nothing and doubles nothing."""
    alerts = ordinary(1, 30)
    async with bench.opened() as output:
        for first in (0, 10, 20):
            await bench.deliver_at_last(output, alerts[first : first + 10])
            await bench.within(output.reopen(), "reopen")
    await bench.arrived(alerts, once=True)


async def shares_nothing(bench: Bench) -> None:
    """Two instances at once do not get into each other's way."""
    alerts = ordinary(1, 40)
    async with bench.opened() as first, bench.opened() as second:
        await bench.deliver(first, alerts[:10])
        await bench.deliver(second, alerts[10:20])
        await bench.deliver(first, alerts[20:30])
        await bench.within(first.close(), "close")
        await bench.deliver(second, alerts[30:])
    await bench.arrived(alerts[:10] + alerts[20:30], once=True)
    await bench.arrived(alerts[10:20] + alerts[30:], once=True)


async def releases(bench: Bench) -> None:
    """After ``close`` nothing is left: no descriptor, no thread, no task."""
    before = Holds.now()
    for number in range(4):
        async with bench.opened() as output:
            await bench.deliver_at_last(output, ordinary(1 + number, 1))
        if not number:  # the first one may import, and fill caches
            await asyncio.sleep(SETTLING)
            before = Holds.now()
    deadline = asyncio.get_running_loop().time() + SETTLING
    while (after := Holds.now()) != before and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110  nothing tells
        await asyncio.sleep(BEAT)  # what the other end holds may be in this process, too
    expect(after.descriptors <= before.descriptors, f"close: {after.descriptors - before.descriptors} descriptors of 3 lives stay open")
    expect(after.threads <= before.threads, f"close: threads go on: {', '.join(sorted(after.threads - before.threads))}")
    expect(after.tasks <= before.tasks, f"close: {after.tasks - before.tasks} tasks of 3 lives go on")


async def counts(bench: Bench) -> None:
    """``counters`` has names and numbers that never fall, at any time of its life."""
    output = bench.make()
    before = _counted(output)
    try:
        await bench.within(output.open(), "open")
        await bench.deliver_at_last(output, ordinary(1, 10))
        after = _counted(output)
    finally:
        await bench.within(output.close(), "close")
    for name, number in before.items():
        expect(after.get(name, -1) >= number, f"counters: {name} fell from {number} to {after.get(name)}")
    expect(_counted(output).keys() == before.keys(), "counters: its names change; give those that are zero, too")


CHECKS: Final[Mapping[str, Callable[[Bench], Coroutine[Any, Any, None]]]] = {
    check.__name__: check
    for check in (
        declares, builds_purely, closes_always, delivers_in_order, takes_strange_alerts, tries_again, survives_interruption,
        leaves_the_loop_alone, reopens, shares_nothing, releases, counts,
    )
}  # fmt: skip
"""Name -> check."""


def run(check: str, output: type[Output], destination: Destination) -> None:
    """Runs a check, with a destination to which nothing has been delivered yet.

    Args:
        check: one of `CHECKS`.
        output: the class.
        destination: where it delivers.

    Raises:
        AssertionError: the output breaks the promise; with what was seen.
        unittest.SkipTest: the destination cannot do what the check needs (pytest takes it as skipped).
    """
    bench, log = Bench(output, destination), logging.getLogger("tiercel")
    log.addHandler(bench)
    try:
        asyncio.run(CHECKS[check](bench))
    finally:
        log.removeHandler(bench)


async def _beat(gaps: list[float]) -> None:
    loop = asyncio.get_running_loop()
    last = loop.time()
    while True:
        await asyncio.sleep(BEAT)
        now = loop.time()
        gaps.append(now - last)
        last = now


def _options(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, inner in schema.get("properties", EMPTY_SCHEMA["properties"]).items():
        yield name, inner
        yield from _options(inner)


def _marked(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("writeOnly") or schema.get("x-tiercel") == "grant" or schema.get("type") not in (None, "string"))


def _counted(output: Output) -> dict[str, int]:
    found = dict(output.counters())
    for name, number in found.items():
        expect(isinstance(name, str), f"counters: {name!r} is no name")
        expect(type(number) is int, f"counters: {name} is no number (got {number!r})")
        expect(number >= 0, f"counters: {name} is {number}")
    return found
