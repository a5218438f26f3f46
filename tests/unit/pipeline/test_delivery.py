from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from tiercel.alert import Alert, Priority
from tiercel.components.enricher import Enricher
from tiercel.components.output import Output
from tiercel.errors import Permanent, Retry, UserError
from tiercel.pipeline import delivery as module
from tiercel.pipeline.acks import Acks
from tiercel.pipeline.delivery import BROKEN_TRIES, QUARANTINE_AFTER, Delivery


class FakeOutput(Output):
    """Answers each delivery with the next of its moods; a fine day afterwards."""

    def __init__(self, *moods: Exception | Awaitable[None] | None, log: list[Any] | None = None) -> None:
        self.moods = list(moods)
        self.log: list[Any] = [] if log is None else log
        self.offered: list[list[str]] = []
        self.accepted: list[list[str]] = []

    async def open(self) -> None:
        self.log.append("open")

    async def deliver(self, batch: Sequence[Alert]) -> None:
        self.offered.append([a.rule for a in batch])
        mood = self.moods.pop(0) if self.moods else None
        if isinstance(mood, Exception):
            raise mood
        if mood is not None:
            await mood
        self.accepted.append([a.rule for a in batch])
        self.log.append("deliver")

    async def reopen(self) -> None:
        self.log.append("reopen")

    async def close(self) -> None:
        self.log.append("close")


class FakeEnricher(Enricher):
    name = "fake"

    def __init__(self, amend: Callable[[Alert], Awaitable[None]]) -> None:
        self._amend = amend

    async def open(self) -> None:
        pass

    async def amend(self, alert: Alert) -> None:
        await self._amend(alert)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(module, "AMEND_DEADLINE", 0.05)


def alerts(*rules: str) -> list[Alert]:
    return [Alert(rule, rule, "x", Priority.NOTICE, 0, rule) for rule in rules]


class Running:
    """A delivery at work."""

    def __init__(self, outputs: dict[str, FakeOutput], enrichers: dict[str, Enricher] | None = None) -> None:
        self.acks = Acks()
        self.delivery = Delivery(outputs, enrichers or {}, self.acks)
        self.safe: list[int] = []
        self.sent = 0

    def submit(self, *rules: str) -> None:
        number = self.sent
        self.sent += 1
        self.delivery.submit(alerts(*rules), self.acks.open(lambda: self.safe.append(number)))

    def counters(self, name: str) -> tuple[int, ...]:
        c = self.delivery.counters()[name]
        return c.sent, c.retries, c.refused, c.failures, c.dropped


def run(
    body: Callable[[Running], Awaitable[None]],
    outputs: dict[str, FakeOutput],
    enrichers: dict[str, Enricher] | None = None,
    *,
    seconds: float = 5,
) -> Running:
    """Starts, does `body`, finishes."""
    running = Running(outputs, enrichers)

    async def whole() -> None:
        await running.delivery.start()
        await body(running)
        await running.delivery.finish(seconds)

    asyncio.run(whole())
    return running


def submitting(*batches: tuple[str, ...]) -> Callable[[Running], Awaitable[None]]:
    async def body(running: Running) -> None:
        for rules in batches:
            running.submit(*rules)

    return body


def test_every_output_gets_every_batch_in_order() -> None:
    one, two = FakeOutput(), FakeOutput()
    running = run(submitting(("a", "b"), ("c",)), {"one": one, "two": two})
    assert one.accepted == two.accepted == [["a", "b"], ["c"]]
    assert running.safe == [0, 1]
    assert running.counters("one") == (3, 0, 0, 0, 0)
    assert one.log == ["open", "deliver", "deliver", "close"]


def test_alerts_that_no_source_waits_for() -> None:
    async def body(running: Running) -> None:
        running.delivery.submit(alerts("internal"))
        running.submit("a")

    output = FakeOutput()
    running = run(body, {"one": output})
    assert (output.accepted, running.safe) == ([["internal"], ["a"]], [0])
    assert run(body, {}).safe == [0]


def test_without_outputs_alerts_are_safe() -> None:
    assert run(submitting(("a",)), {}).safe == [0]


def test_a_retry_keeps_the_order() -> None:
    output = FakeOutput(Retry("down"), Retry("down", after=0.0))
    running = run(submitting(("a",), ("b",)), {"one": output})
    assert output.offered == [["a"], ["a"], ["a"], ["b"]]
    assert running.counters("one") == (2, 2, 0, 0, 0)
    assert running.safe == [0, 1]


def test_what_is_refused_for_good_is_given_up() -> None:
    output = FakeOutput(Permanent("too large"))
    running = run(submitting(("a", "b"), ("c",)), {"one": output})
    assert output.accepted == [["c"]]
    assert running.counters("one") == (1, 0, 2, 0, 0)
    assert running.safe == [0, 1]


def test_a_refusal_can_be_about_some() -> None:
    running = run(submitting(("a", "b", "c"), ("d",)), {"one": FakeOutput(Permanent("too large", refused={"b", "x"}))})
    assert running.counters("one") == (3, 0, 1, 0, 0)
    assert running.safe == [0, 1]


def test_a_bug_is_retried_then_dropped(caplog: pytest.LogCaptureFixture) -> None:
    output = FakeOutput(ValueError("bug"), None, *[KeyError("x")] * BROKEN_TRIES)
    running = run(submitting(("a",), ("b", "c"), ("d",)), {"one": output})
    assert output.accepted == [["a"], ["d"]]
    assert running.counters("one") == (2, 0, 0, 1 + BROKEN_TRIES, 2)
    assert running.safe == [0, 1, 2]
    assert "output one: ValueError: bug" in caplog.text


def test_an_output_that_breaks_again_and_again_is_left_out() -> None:
    bad, good = FakeOutput(*[ValueError("bug")] * 1000), FakeOutput()
    running = run(submitting(*[(f"r{i}",) for i in range(QUARANTINE_AFTER + 3)]), {"bad": bad, "good": good})
    assert len(bad.offered) == QUARANTINE_AFTER * BROKEN_TRIES
    assert running.delivery.counters()["bad"].quarantined
    assert running.counters("bad") == (0, 0, 0, QUARANTINE_AFTER * BROKEN_TRIES, QUARANTINE_AFTER + 3)
    assert running.counters("good") == (QUARANTINE_AFTER + 3, 0, 0, 0, 0)
    assert running.safe == list(range(QUARANTINE_AFTER + 3))


def test_one_good_day_in_between() -> None:
    bad_day = [ValueError("bug")] * BROKEN_TRIES
    output = FakeOutput(*bad_day * (QUARANTINE_AFTER - 1), None, *bad_day * (QUARANTINE_AFTER - 1))
    running = run(submitting(*[("r",)] * (2 * QUARANTINE_AFTER)), {"one": output})
    assert not running.delivery.counters()["one"].quarantined
    assert running.counters("one")[0] == 2


def test_safe_only_when_all_outputs_are_through() -> None:
    async def body(running: Running) -> None:
        running.submit("a")
        await asyncio.sleep(0.01)
        assert quick.accepted == [["a"]]
        assert running.safe == []
        gate.set()

    gate = asyncio.Event()
    quick, slow = FakeOutput(), FakeOutput(gate.wait())  # type: ignore[arg-type]
    assert run(body, {"quick": quick, "slow": slow}).safe == [0]


def test_reopen_waits_for_the_batch() -> None:
    async def body(running: Running) -> None:
        running.submit("a")
        running.submit("b")
        await asyncio.sleep(0.01)
        reopening = asyncio.ensure_future(running.delivery.reopen())
        await asyncio.sleep(0.01)
        assert output.log == ["open"]
        gate.set()
        await reopening

    gate = asyncio.Event()
    output = FakeOutput(gate.wait())  # type: ignore[arg-type]
    run(body, {"one": output})
    assert output.log[:2] == ["open", "deliver"]
    assert "reopen" in output.log[2:4]
    assert output.log.count("deliver") == 2


def test_a_file_that_cannot_be_reopened(caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn(FakeOutput):
        async def reopen(self) -> None:
            raise OSError("no space")

    async def body(running: Running) -> None:
        await running.delivery.reopen()
        running.submit("a")

    output = Stubborn()
    assert run(body, {"one": output}).counters("one") == (1, 0, 0, 1, 0)
    assert "not reopened: no space" in caplog.text


def test_what_cannot_be_delivered_in_time_stays_with_the_source() -> None:
    output = FakeOutput(*[Retry("down")] * 1000)
    running = run(submitting(("a",), ("b",)), {"one": output}, seconds=0.05)
    assert running.safe == []
    assert output.log == ["open", "close"]


def test_outputs_that_were_opened_are_closed_when_one_fails() -> None:
    class Failing(FakeOutput):
        async def open(self) -> None:
            raise UserError("no such directory")

    good, bad = FakeOutput(), Failing()
    with pytest.raises(UserError, match="no such directory"):
        run(submitting(), {"good": good, "bad": bad})
    assert good.log == ["open", "close"]
    assert bad.log == ["close"]


class TestEnrichers:
    def test_amends_before_delivery(self) -> None:
        async def amend(alert: Alert) -> None:
            alert.rule = alert.rule.upper()

        output = FakeOutput()
        assert run(submitting(("a", "b")), {"one": output}, {"e": FakeEnricher(amend)}).safe == [0]
        assert output.accepted == [["A", "B"]]

    def test_one_that_fails_or_hangs_stops_no_alert(self, caplog: pytest.LogCaptureFixture) -> None:
        async def amend(alert: Alert) -> None:
            if alert.rule == "a":
                raise ValueError("bug")
            await asyncio.sleep(60)

        output = FakeOutput()
        assert run(submitting(("a", "b")), {"one": output}, {"e": FakeEnricher(amend)}).safe == [0]
        assert output.accepted == [["a", "b"]]
        err = caplog.text
        assert "enricher fake: ValueError: bug" in err
        assert "enricher fake: TimeoutError" in err

    def test_finishing_waits_for_what_is_being_amended(self) -> None:
        async def amend(alert: Alert) -> None:
            await asyncio.sleep(0.03)

        output = FakeOutput()
        assert run(submitting(("a",)), {"one": output}, {"e": FakeEnricher(amend)}).safe == [0]
        assert output.accepted == [["a"]]
