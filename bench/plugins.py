"""What the guard around a function of a plugin costs per call: the tables of bench/README.md.

    /opt/tiercel/venv/bin/python bench/plugins.py [--rounds 101]

Each round times the bare function and the guarded one right after another, so that both meet the same machine; the figures are medians of
the differences. The functions do next to nothing: what is measured is the guard. ``clock`` is the price of the two readings of a clock that
timing each call would need.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
import timeit
from collections.abc import Callable
from typing import Any

from tiercel.engine.guard import MAX_FAILURES, FieldGuard
from tiercel.fields import Field, FieldType
from tiercel.plugins import calls

CALLS = 50_000
AWAITED = 500


def guard_of(function: Callable[..., Any], *inputs: str) -> FieldGuard:
    return FieldGuard(Field(name="bench.x", type=FieldType.UINT64, description="", inputs=inputs, function=function))


def one(_a: str) -> int:
    return 5


def two(_a: str, _b: str) -> int:
    return 5


def three(_a: str, _b: str, _c: str) -> int:
    return 5


def broken(value: str) -> int:
    raise ValueError(value)


def nanoseconds(function: Callable[..., Any], *arguments: Any) -> float:
    """Of one call."""
    return (
        timeit.timeit("call(*arguments)", globals={"call": function, "arguments": arguments}, number=CALLS, timer=time.process_time)
        / CALLS
        * 1e9
    )


def in_quarantine() -> Callable[..., Any]:
    call = guard_of(broken, "a.a").of_values(broken)
    for _ in range(MAX_FAILURES):
        call("x")
    return call


async def nothing() -> None:
    return


async def calls_of_components(rounds: int) -> None:
    """Calls per batch, per start, or per alert: the second table."""
    loop = asyncio.get_running_loop()

    async def asked() -> None:
        for _ in range(AWAITED):
            await calls.asked(30, nothing)

    async def bare() -> None:
        for _ in range(AWAITED):
            await nothing()

    async def tasks() -> None:
        for _ in range(AWAITED):
            await loop.create_task(nothing())

    async def microseconds(run: Callable[[], Any]) -> float:
        begin = time.process_time()
        await run()
        return (time.process_time() - begin) / AWAITED * 1e6

    async def within() -> None:
        for _ in range(AWAITED):
            calls.within(5, int)

    print("\n| call of a component | us |\n|---|---|")
    cases: list[tuple[str, Callable[[], Any]]] = [
        ("`await nothing()`", bare),
        ("the same as a task", tasks),
        ("`deliver`, `open`, `close`: with limits", asked),
        ("`from_config`, a hook, counters: with a limit", within),
    ]
    for name, run in cases:
        values = [await microseconds(run) for _ in range(rounds)]
        quartiles = statistics.quantiles(values, n=4)
        print(f"| {name} | {quartiles[1]:.1f} [{quartiles[0]:.1f}, {quartiles[2]:.1f}] |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=101)
    rounds = parser.parse_args().rounds
    guarded = guard_of(one, "a.a").of_values(one)
    watched = guard_of(one, "a.a")
    timed = watched.of_values(one)
    watched.watch(on=True)
    cases: list[tuple[str, Callable[..., Any], Callable[..., Any], tuple[str, ...]]] = [
        ("function of one input", one, guarded, ("x",)),
        ("function of two inputs", two, guard_of(two, "a.a", "a.b").of_values(two), ("x", "y")),
        ("function of three inputs", three, guard_of(three, "a.a", "a.b", "a.c").of_values(three), ("x", "y", "z")),
        ("function of the event", one, guard_of(one, "a.a").of_event(one), ("x",)),
        ("one input, calls timed", one, timed, ("x",)),
        ("one input, in quarantine", one, in_quarantine(), ("x",)),
    ]
    print("| call | bare, ns | guarded, ns | guard, ns |\n|---|---|---|---|")
    for name, bare, call, arguments in cases:
        pairs = [(nanoseconds(bare, *arguments), nanoseconds(call, *arguments)) for _ in range(rounds)]
        middle = [statistics.median(values) for values in zip(*pairs, strict=True)]
        differences = statistics.quantiles([after - before for before, after in pairs], n=4)
        print(f"| {name} | {middle[0]:.0f} | {middle[1]:.0f} | **{differences[1]:.0f} [{differences[0]:.0f}, {differences[2]:.0f}]** |")
    asyncio.run(calls_of_components(rounds))
    print(f"clock: {2 * statistics.median(nanoseconds(time.perf_counter) for _ in range(rounds)):.0f} ns")


if __name__ == "__main__":
    main()
