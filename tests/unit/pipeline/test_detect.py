from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from tiercel.event import RawBatch
from tiercel.pipeline.acks import Acks, Ticket
from tiercel.pipeline.detect import IDLE, Detector


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
        parts += [SimpleNamespace(verdict=lambda e: (len(e.name),)), SimpleNamespace(evaluate=self.evaluate)]
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
    assert run.of("ack") == [("ack", n) for n in range(4)]
    assert run.detector.alerts == 4


def test_an_empty_batch_is_acknowledged_and_decoded() -> None:
    assert Run([[]]).of("ack") == [("ack", 0)]


def test_a_source_that_cannot_deliver_again() -> None:
    run = Run([["a"], ["b!"]], acknowledged=False)
    run.acks.complete(run.submitted[0][1])
    assert run.of("ack") == []


def test_the_decoder_says_how_long_to_wait() -> None:
    assert Run([[]], waits=0.02).of("read") == [("read", 0.02)] * 2
