from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.pipeline import acks as module
from tiercel.pipeline.acks import Acks, Ticket


class Log(list[int]):
    """What was acknowledged, in order."""

    def of(self, number: int) -> Callable[[], None]:
        return lambda: self.append(number)


def test_a_batch_without_alerts_is_safe_at_once() -> None:
    log, acks = Log(), Acks()
    acks.passed(log.of(1))
    assert log == [1]


def test_a_batch_without_alerts_waits_for_those_before() -> None:
    log, acks = Log(), Acks()
    ticket = acks.open(log.of(1))
    acks.passed(log.of(2))
    assert log == []
    acks.complete(ticket)
    assert acks.settle(5)
    assert log == [1, 2]


@given(st.lists(st.booleans(), max_size=20), st.randoms(use_true_random=False))
def test_in_order_and_as_early_as_possible(with_alerts: list[bool], luck: random.Random) -> None:
    log, acks = Log(), Acks()
    tickets: dict[int, Ticket] = {}
    for number, alerts in enumerate(with_alerts):
        if alerts:
            tickets[number] = acks.open(log.of(number))
        else:
            acks.passed(log.of(number))
    while True:
        assert acks.settle(5)
        assert log == list(range(min(tickets, default=len(with_alerts))))
        if not tickets:
            break
        acks.complete(tickets.pop(luck.choice(sorted(tickets))))


def test_two_threads() -> None:
    log, acks = Log(), Acks()
    open_: list[Ticket] = []
    made = threading.Event()

    def complete() -> None:
        luck = random.Random(1)
        while not made.is_set() or open_:
            if open_:
                acks.complete(open_.pop(luck.randrange(len(open_))))

    thread = threading.Thread(target=complete)
    thread.start()
    for number in range(3000):
        if number % 3:
            open_.append(acks.open(log.of(number)))
        else:
            acks.passed(log.of(number))
    made.set()
    thread.join()
    assert acks.settle(5)
    assert log == list(range(3000))


def test_detection_waits_when_too_many_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OPEN", 2)
    acks, opened = Acks(), []
    first = acks.open(lambda: None)
    acks.open(lambda: None)
    thread = threading.Thread(target=lambda: opened.append(acks.open(lambda: None)))
    thread.start()
    time.sleep(0.05)
    assert opened == []
    acks.complete(first)
    thread.join(5)
    assert len(opened) == 1


def test_one_that_raises_is_told_and_holds_nothing_up() -> None:
    def fails() -> None:
        raise OSError("the queue is gone")

    log, told = Log(), list[Exception]()
    acks = Acks(told.append)
    acks.passed(fails)
    ticket, second = acks.open(fails), acks.open(log.of(2))
    acks.complete(second)
    acks.complete(ticket)
    assert acks.settle(5)
    acks.passed(log.of(3))
    assert log == [2, 3]
    assert [str(error) for error in told] == ["the queue is gone"] * 2


def test_one_that_hangs_holds_up_neither_who_makes_alerts_safe_nor_detection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LATER", 3)
    hanging, told, log = threading.Event(), list[Exception](), Log()
    acks = Acks(told.append)

    def hang() -> None:
        hanging.wait(30)

    acks.complete(acks.open(hang))
    for number in range(10):
        acks.complete(acks.open(log.of(number)))
        acks.passed(log.of(100 + number))
    assert not acks.settle(0.05)
    assert len(told) == 18
    hanging.set()
    assert acks.settle(5)
    assert log == [0, 100]
