"""Source and decoder that fail or hang: they are opened anew, the sensor goes on, and it ends when it is told to."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tiercel.components.source import Decoder, Replan, Source
from tiercel.engine.engine import RuleCounters
from tiercel.errors import UserError
from tiercel.event import RawBatch
from tiercel.pipeline import detect
from tiercel.pipeline.acks import Acks
from tiercel.pipeline.detect import MAX_BROKEN, Detector, Swap
from tiercel.runtime import supply
from tiercel.runtime.supply import Supply


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {
        "FIRST_PAUSE": 0.01, "LOOK": 0.02, "STOP_SECONDS": 0.1, "CLOSE_SECONDS": 0.1, "OPEN_SECONDS": 0.2, "READ_SECONDS": 0.2,
    }.items():  # fmt: skip
        monkeypatch.setattr(supply, name, seconds)


class Event:
    source, type, views, pending, wants_verdict = "lab", "line", 1, False, False
    time = number = 0

    def __init__(self, position: int) -> None:
        self.position = position


class Plan:
    generation = 1

    def verdict(self, event: Event) -> list[int]:
        return []


class Engine:
    """Finds an alert in each event."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.found = 0

    def evaluate(self, event: Event) -> list[Any]:
        self.found += 1
        return [(self.origin, event.position)]

    def counters(self) -> Mapping[str, RuleCounters]:
        return {"r": RuleCounters(self.found, 0, 0)}


class Lab:
    """Makes sources and decoders that read `todo`: numbers, or what is to happen instead."""

    def __init__(self, *todo: Any, opening: list[Any] | None = None) -> None:
        self.todo, self.opening = list(todo), opening or []
        self.log: list[str] = []
        self.acknowledged: list[int] = []
        self.alerts: list[Any] = []
        self.reports: list[str] = []
        self.open = False
        self.making: list[Any] = []
        self.supply = Supply("lab", self.make, owner="tiercel-lab 1.0", report=self.report, opened=self.opened)

    def make(self) -> Any:
        if self.making:
            happen(self.making.pop(0))
        self.log.append("make")
        return LabSource(self), LabDecoder()

    def report(self, rule: str, message: str, *, fields: Mapping[str, Any]) -> None:
        assert fields["source.id"] == "lab"
        self.reports.append(f"{rule.removeprefix('Tiercel internal: ')}: {message}")

    def opened(self, value: bool) -> None:
        self.open = value

    async def run(self, *, seconds: float = 5) -> None:
        acks = Acks()

        def submit(alerts: list[Any], ticket: Any) -> None:
            self.alerts += alerts
            acks.complete(ticket)

        async with asyncio.timeout(seconds):
            if not await self.supply.open(Plan()):  # type: ignore[arg-type]
                return
            source: Any = self.supply.source
            self.detector = Detector(
                source, self.supply.decoder, Plan(), Engine(source.origin), acks=acks, submit=submit, broke=self.supply.broke,  # type: ignore[arg-type]
            )  # fmt: skip
            await self.supply.run(self.detector, Engine)  # type: ignore[arg-type]
            assert await asyncio.to_thread(acks.settle, 5)
        self.supply.close()


def happen(what: Any) -> Any:
    if isinstance(what, Exception):
        raise what
    return what() if callable(what) else what


class LabSource(Source):
    event_source = "lab"

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.number = lab.log.count("make") - 1
        self.stopped = threading.Event()

    def open(self, plan: Any) -> None:
        self.lab.log.append("open")
        happen(self.lab.opening.pop(0) if self.lab.opening else None)

    @property
    def origin(self) -> str:
        return f"lab-{self.number}"

    def read(self, timeout: float) -> Any:
        if not self.lab.todo:
            self.stopped.wait(min(timeout, 0.05))
            return None if self.stopped.is_set() else RawBatch("lab", [])
        found = happen(self.lab.todo.pop(0))
        if not isinstance(found, int | list):
            return found
        numbers = found if isinstance(found, list) else [found]
        return RawBatch("lab", numbers, acknowledge=lambda: self.lab.acknowledged.append(numbers[0]))

    def stop(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        self.lab.log.append("close")


class LabDecoder(Decoder):
    event_source = "lab"

    def open(self, plan: Any, refresh: Callable[[], RawBatch | None]) -> None:
        refresh()

    def decode(self, batch: RawBatch) -> Iterator[Any]:
        for record in batch.records:
            if record < 0:
                raise ValueError("negative")
            yield Event(record)


def stop_after(lab: Lab, condition: Callable[[], Any]) -> None:
    """Stops the supply when a condition holds."""

    async def whole() -> None:
        task = asyncio.create_task(lab.run())
        async with asyncio.timeout(5):
            while not condition():
                assert not task.done(), task.exception()
                await asyncio.sleep(0.005)
        lab.supply.stop()
        await task

    asyncio.run(whole())


def hang() -> None:
    time.sleep(60)


def test_it_reads_until_it_is_stopped() -> None:
    lab = Lab(1, 2)
    stop_after(lab, lambda: len(lab.alerts) == 2)
    assert lab.alerts == [("lab-0", 1), ("lab-0", 2)]
    assert lab.log == ["make", "open", "close"]
    assert lab.reports == []
    assert not lab.open


@pytest.mark.parametrize("failure", [OSError("gone"), lambda: "no batch", lambda: RawBatch])
def test_a_source_that_fails_is_opened_anew(failure: Any) -> None:
    lab = Lab(1, failure, 2)
    stop_after(lab, lambda: len(lab.alerts) == 2)
    assert lab.alerts == [("lab-0", 1), ("lab-1", 2)]
    assert lab.log == ["make", "open", "close", "make", "open", "close"]
    assert (lab.supply.counters.failures, lab.supply.counters.restarts) == (1, 1)
    assert lab.detector.rule_counters()["r"].matches == 2
    first, second = lab.reports
    assert first.startswith("plugin quarantined: source lab of tiercel-lab 1.0 failed: ")
    assert second == "plugin restored: source lab of tiercel-lab 1.0 is open again"


def test_it_is_tried_until_it_works() -> None:
    lab = Lab(1, OSError("gone"), 2, opening=[None, OSError("still"), UserError("not yet")])
    lab.making = [ValueError("not even built")]
    seen = set()

    def both() -> bool:
        seen.add(lab.open)
        return len(lab.alerts) == 2

    stop_after(lab, both)
    assert lab.log.count("open") == 4
    assert lab.supply.counters.failures == 4
    assert len(lab.reports) == 5
    assert seen == {True, False}


def test_the_rest_of_a_batch_that_a_decoder_breaks_on_is_given_up() -> None:
    lab = Lab([1, -1, 2], 3)
    stop_after(lab, lambda: len(lab.alerts) == 2)
    assert [position for _, position in lab.alerts] == [1, 3]
    assert lab.acknowledged == [1, 3]
    assert (lab.detector.broken, lab.supply.counters.failures, lab.supply.counters.restarts) == (1, 1, 0)


def test_a_decoder_that_breaks_on_batch_after_batch_is_built_anew() -> None:
    lab = Lab(*[[number, -1] for number in range(MAX_BROKEN)], 7)
    stop_after(lab, lambda: len(lab.alerts) == MAX_BROKEN + 1)
    assert [position for _, position in lab.alerts] == [*range(MAX_BROKEN), 7]
    assert (lab.supply.counters.failures, lab.supply.counters.restarts) == (MAX_BROKEN, 1)
    assert lab.reports[0].startswith("plugin quarantined: decoder of source lab of tiercel-lab 1.0 failed: ValueError: negative")


def test_a_read_that_hangs_is_interrupted() -> None:
    def spin() -> None:
        while True:
            time.sleep(0.01)

    lab = Lab(1, spin, 2)
    stop_after(lab, lambda: len(lab.alerts) == 2)
    assert lab.supply.counters.restarts == 1
    assert "read has not returned for" in lab.reports[0]


@pytest.mark.parametrize("wake", [hang, lambda: 1 // 0])
def test_a_change_of_plan_comes_without_a_wake_up_too(wake: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "WAKE_SECONDS", 0.1)
    monkeypatch.setattr(LabSource, "wake", lambda self: wake())
    lab = Lab(1)
    swaps: list[Swap] = []

    def changed() -> bool:
        if lab.alerts and not swaps:
            replan = Replan(lambda: None), Replan(lambda: None)
            swaps.append(Swap(lab.supply.source, Plan(), Engine("x"), *replan))  # type: ignore[arg-type]
            lab.detector.swap(swaps[0])
            lab.todo.append(2)
        return len(lab.alerts) == 2

    stop_after(lab, changed)
    assert swaps[0].done.result(0) is None
    assert lab.supply.counters.restarts == 0


def test_a_change_of_plan_that_hangs_is_interrupted_and_who_asked_is_told() -> None:
    def spin() -> None:
        while True:
            time.sleep(0.01)

    lab = Lab(1)
    discarded: list[str] = []

    def changing() -> bool:
        if not lab.alerts:
            return False
        if not swaps:
            replan = Replan(spin), Replan(lambda: None, lambda: discarded.append("decoder"))
            swaps.append(Swap(lab.supply.source, Plan(), Engine("x"), *replan))  # type: ignore[arg-type]
            lab.detector.swap(swaps[0])
            lab.todo.append(2)
        return len(lab.alerts) == 2

    swaps: list[Swap] = []
    stop_after(lab, changing)
    assert discarded == ["decoder"]
    with pytest.raises(UserError, match="did not put another plan in force in time"):
        swaps[0].done.result(0)
    assert lab.supply.counters.restarts == 1


@pytest.mark.parametrize("where", ["read", "open", "stop", "close"])
def test_one_that_hangs_does_not_hold_up_the_end(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(1, hang) if where == "read" else Lab(1, opening=[hang] if where == "open" else None)
    if where in ("stop", "close"):
        monkeypatch.setattr(LabSource, where, lambda self: hang())
    began = time.monotonic()
    if where == "open":
        monkeypatch.setattr(supply, "OPEN_SECONDS", 60)
        stop_after(lab, lambda: lab.log == ["make", "open"])
    else:
        stop_after(lab, lambda: lab.alerts)
    assert time.monotonic() - began < 4


def test_a_first_opening_that_hangs_is_tried_again() -> None:
    lab = Lab(1, opening=[hang])
    stop_after(lab, lambda: lab.alerts)
    assert lab.alerts == [("lab-1", 1)]
    assert "nothing within 0.2 s" in lab.reports[0]


def test_a_mistake_of_the_user_ends_the_start() -> None:
    with pytest.raises(UserError, match="no such device"):
        asyncio.run(Lab(opening=[UserError("no such device")]).run())


def test_what_is_not_theirs_ends_the_run() -> None:
    lab = Lab(1)
    lab.alerts = None  # type: ignore[assignment]  # takes none
    with pytest.raises(TypeError, match="unsupported operand"):
        asyncio.run(lab.run())
