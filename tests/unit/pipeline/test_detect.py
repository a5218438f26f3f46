from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from tiercel.components.source import Replan
from tiercel.engine.engine import RuleCounters
from tiercel.errors import UserError
from tiercel.event import RawBatch
from tiercel.pipeline.acks import Acks, Ticket
from tiercel.pipeline.detect import IDLE, Detector, Swap


@dataclass
class FakeSource:
    batches: list[RawBatch]
    log: list[Any]
    state: list[bytes] = field(default_factory=list)

    def journal(self) -> Iterator[bytes]:
        return iter(self.state)

    def read(self, timeout: float) -> RawBatch | None:
        self.log.append(("read", timeout))
        return self.batches.pop(0) if self.batches else None

    def judge(self, event: Any, verdict: Sequence[int]) -> None:
        self.log.append(("judge", event.name, verdict))


@dataclass
class FakeDecoder:
    log: list[Any]
    waits: float | None = None

    def replay(self, record: bytes) -> None:
        self.log.append(("replay", record))

    def due(self) -> float | None:
        return self.waits

    def decode(self, batch: RawBatch) -> Iterator[Any]:
        """One object again and again, as decoders do it."""
        event = SimpleNamespace()
        for name in batch.records:
            event.name, event.wants_verdict, event.type = name, name.startswith("v"), "" if name == "v" else "open"
            yield event


@dataclass
class Run:
    batches: list[list[str]]
    state: list[bytes] = field(default_factory=list)
    waits: float | None = None
    acknowledged: bool = True

    def __post_init__(self) -> None:
        self.log: list[Any] = []
        self.submitted: list[tuple[list[Any], Ticket]] = []
        made = [RawBatch("x", b, acknowledge=self.ack(i) if self.acknowledged else None) for i, b in enumerate(self.batches)]
        self.acks = Acks()
        parts: list[Any] = [FakeSource(made, self.log, self.state), FakeDecoder(self.log, self.waits)]
        parts += [SimpleNamespace(verdict=lambda e: (len(e.name),), generation=1), SimpleNamespace(evaluate=self.evaluate)]
        self.detector = Detector(*parts, acks=self.acks, submit=lambda alerts, ticket: self.submitted.append((alerts, ticket)))
        self.detector.run()

    def ack(self, number: int) -> Callable[[], None]:
        return lambda: self.log.append(("ack", number))

    def evaluate(self, event: Any) -> Sequence[str]:
        self.log.append(("evaluate", event.name))
        return [f"{event.name}{i}" for i in range(event.name.count("!"))]

    def of(self, kind: str) -> list[Any]:
        return [entry for entry in self.log if entry[0] == kind]


def test_the_journal_comes_first() -> None:
    run = Run([["a"]], state=[b"1", b"2"])
    assert run.log == [("replay", b"1"), ("replay", b"2"), ("read", IDLE), ("evaluate", "a"), ("ack", 0), ("read", IDLE)]


def test_verdicts_are_told_before_the_event_is_judged() -> None:
    run = Run([["a", "v", "vx"]])
    assert [e for e in run.log if e[0] in ("judge", "evaluate")] == [
        ("evaluate", "a"), ("judge", "v", (1,)), ("evaluate", "v"), ("judge", "vx", (2,)), ("evaluate", "vx"),
    ]  # fmt: skip


def test_alerts_of_a_batch_go_together_and_hold_its_acknowledgement() -> None:
    run = Run([["a"], ["b!", "c", "d!!"], ["e"], ["f!"]])
    assert [alerts for alerts, _ in run.submitted] == [["b!0", "d!!0", "d!!1"], ["f!0"]]
    assert run.of("ack") == [("ack", 0)]
    run.acks.complete(run.submitted[1][1])
    assert run.of("ack") == [("ack", 0)]
    run.acks.complete(run.submitted[0][1])
    assert run.acks.settle(5)
    assert run.of("ack") == [("ack", n) for n in range(4)]
    assert run.detector.alerts == 4


def test_an_empty_batch_is_acknowledged_and_decoded() -> None:
    assert Run([[]]).of("ack") == [("ack", 0)]


def test_a_source_that_cannot_deliver_again() -> None:
    run = Run([["a"], ["b!"]], acknowledged=False)
    run.acks.complete(run.submitted[0][1])
    assert run.acks.settle(5)
    assert run.of("ack") == []


def test_the_decoder_says_how_long_to_wait() -> None:
    assert Run([[]], waits=0.02).of("read") == [("read", 0.02)] * 2


class FakeEngine:
    """Makes an alert of every event; says its number."""

    def __init__(self, number: int, *rules: str) -> None:
        self.number, self.rules, self.matches = number, rules, 0

    def evaluate(self, event: Any) -> list[str]:
        self.matches += 1
        return [f"{event.name}{self.number}"]

    def counters(self) -> dict[str, RuleCounters]:
        return {rule: RuleCounters(self.matches, 0, 0) for rule in self.rules}


class Swapping(FakeSource):
    """Asks for a swap while one of its batches is read."""

    detector: Detector
    swaps: dict[int, Swap]

    def wake(self) -> None:
        self.log.append("wake")

    def read(self, timeout: float) -> RawBatch | None:
        if (swap := self.swaps.pop(len(self.batches), None)) is not None:
            self.detector.swap(swap)
        return super().read(timeout)


class Turn:
    """A detector whose source delivers batches of (generation, names); at so many left, a swap is asked for."""

    def __init__(self, *batches: tuple[int, list[str]]) -> None:
        self.log: list[Any] = []
        self.alerts: list[str] = []
        self.engines = [FakeEngine(1, "kept", "gone"), FakeEngine(2, "kept", "new")]
        self.source = Swapping([RawBatch("x", names, generation=number) for number, names in batches], self.log)
        self.source.swaps = {}
        acks = Acks()

        def submit(alerts: list[Any], ticket: Ticket) -> None:
            self.alerts += alerts
            acks.complete(ticket)

        parts: list[Any] = [self.source, FakeDecoder(self.log), self.plan(1), self.engines[0]]
        self.detector = self.source.detector = Detector(*parts, acks=acks, submit=submit)

    def plan(self, number: int) -> Any:
        return SimpleNamespace(generation=number, verdict=lambda e: (number,))

    def swap(self, commit: Callable[[], None] | None = None) -> Swap:
        def says(what: str) -> Callable[[], None]:
            return lambda: self.log.append(what)

        engine: Any = self.engines[1]
        source = Replan(commit or says("source"), says("source discarded"))
        of: Any = self.source
        return Swap(of, self.plan(2), engine, source, Replan(says("decoder"), says("decoder discarded")))


def test_a_swap_comes_between_two_batches_and_records_are_judged_by_the_engine_of_their_plan() -> None:
    turn = Turn((0, ["a", "b"]), (1, ["c"]), (2, ["d"]), (1, ["v"]), (0, ["e"]), (0, ["f"]))
    swap = turn.source.swaps[6] = turn.swap()
    turn.detector.run()
    assert turn.alerts == ["a1", "b1", "c1", "d2", "v1", "e2", "f2"]
    assert swap.done.result(0) is None
    done = [each for each in turn.log if isinstance(each, str) or each[0] in ("evaluate", "judge")]
    assert done == ["wake", "source", "decoder", ("judge", "v", (2,))], "verdicts are of the plan in force"


def test_counters_of_a_rule_go_on_and_engines_are_let_go_when_nothing_of_them_comes_any_more() -> None:
    turn = Turn((0, ["a", "b"]), (1, ["c"]), (2, ["d"]), (0, ["e"]))
    turn.source.swaps[4] = turn.swap()
    found = []
    read = turn.source.read

    def looking(timeout: float) -> RawBatch | None:
        counters = {name: each.matches for name, each in turn.detector.rule_counters().items()}
        found.append((turn.detector.generations, counters))
        return read(timeout)

    turn.source.read = looking  # type: ignore[method-assign]
    turn.detector.run()
    assert found == [
        (1, {"kept": 0, "gone": 0}),
        (2, {"kept": 2, "new": 0}),
        (2, {"kept": 3, "new": 0}),
        (2, {"kept": 4, "new": 1}),
        (1, {"kept": 5, "new": 2}),
    ]


def test_a_swap_that_the_source_refuses_leaves_what_is_in_force() -> None:
    def commit() -> None:
        msg = "the kernel says no"
        raise UserError(msg)

    turn = Turn((0, ["a"]), (0, ["b"]))
    swap = turn.source.swaps[2] = turn.swap(commit)
    turn.detector.run()
    with pytest.raises(UserError, match="the kernel says no"):
        swap.done.result(0)
    assert turn.alerts == ["a1", "b1"]
    assert "decoder discarded" in turn.log
    assert "decoder" not in turn.log
    assert turn.detector.generations == 1


def test_a_swap_that_comes_too_late_is_refused() -> None:
    turn = Turn()
    asked = turn.source.swaps[0] = turn.swap()
    turn.detector.run()
    later = turn.swap()
    turn.detector.swap(later)
    for swap in (asked, later):
        with pytest.raises(UserError, match="the source has ended"):
            swap.done.result(0)
    assert turn.log.count("source discarded") == turn.log.count("decoder discarded") == 2


def test_a_swap_that_another_source_prepared_is_refused() -> None:
    turn = Turn((0, ["a"]), (0, ["b"]))
    swap = turn.source.swaps[2] = turn.swap()
    swap.of = object()  # type: ignore[assignment]
    turn.detector.run()
    with pytest.raises(UserError, match="opened anew"):
        swap.done.result(0)
    assert turn.alerts == ["a1", "b1"]
    assert "source" not in turn.log
