from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tiercel.alert import Alert, Priority
from tiercel.components.enricher import Enricher
from tiercel.components.output import Output
from tiercel.config.build import Planned
from tiercel.errors import Permanent, Retry, UserError
from tiercel.pipeline import enriching, lanes
from tiercel.pipeline.acks import Acks
from tiercel.pipeline.delivery import Delivery, Receivers
from tiercel.pipeline.lanes import BROKEN_TRIES, QUARANTINES
from tiercel.plugins import calls
from tiercel.spool.requests import Request, request
from tiercel.spool.store import Spool


class FakeOutput(Output):
    """Answers each delivery with the next of its moods; a fine day afterwards."""

    def __init__(self, *moods: BaseException | Awaitable[None] | None, opening: Sequence[Exception | None] = ()) -> None:
        self.moods, self.opening = list(moods), list(opening)
        self.log: list[Any] = []
        self.offered: list[list[str]] = []
        self.accepted: list[list[str]] = []
        self.messages: list[str] = []

    async def open(self) -> None:
        error = self.opening.pop(0) if self.opening else None
        if error is not None:
            raise error
        self.log.append("open")

    async def deliver(self, batch: Sequence[Alert]) -> None:
        self.offered.append([a.rule for a in batch])
        mood = self.moods.pop(0) if self.moods else None
        if isinstance(mood, BaseException):
            raise mood
        if mood is not None:
            await mood
        self.accepted.append([a.rule for a in batch])
        self.messages += [a.message for a in batch]
        self.log.append("deliver")

    async def reopen(self) -> None:
        self.log.append("reopen")

    async def close(self) -> None:
        self.log.append("close")

    @property
    def rules(self) -> list[str]:
        """What it accepted, however it was cut into batches."""
        return [rule for batch in self.accepted for rule in batch]


class FakeEnricher(Enricher):
    name = "fake"

    def __init__(self, amend: Callable[[Alert], Awaitable[None]]) -> None:
        self._amend = amend
        self.log: list[str] = []

    async def open(self) -> None:
        self.log.append("open")

    async def amend(self, alert: Alert) -> None:
        await self._amend(alert)

    async def close(self) -> None:
        self.log.append("close")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(lanes, "FIRST_QUARANTINE", 0.01)
    monkeypatch.setattr(lanes, "LONGEST_QUARANTINE", 0.02)
    monkeypatch.setattr(enriching, "DEADLINE", 0.5)


numbers = itertools.count()


def alerts(*rules: str) -> list[Alert]:
    return [Alert(f"{next(numbers):032x}", rule, "x", Priority.NOTICE, 0, rule) for rule in rules]


def planned(components: Mapping[str, Any], **options: Any) -> dict[str, Planned[Any]]:
    def same(component: Any) -> Callable[[], Any]:
        return lambda: component

    return {name: Planned(each, options.get(name), same(each)) for name, each in components.items()}


class Running:
    """A delivery at work, with a spool on disk."""

    def __init__(self, folder: Path | None, outputs: Mapping[str, Output], enrichers: Mapping[str, Enricher], timeout: float) -> None:
        self.acks = Acks()
        self.reports: list[str] = []
        spool = Spool(folder, report=self._report)
        receivers = Receivers(planned(outputs), planned(enrichers))
        self.delivery = Delivery(spool, receivers, self.acks, timeout=timeout, report=self._report)
        self.safe: list[int] = []
        self.sent = 0

    def _report(self, rule: str, message: str, *, fields: Mapping[str, Any]) -> None:
        self.reports.append(rule.removeprefix("Tiercel internal: "))

    def submit(self, *rules: str) -> None:
        number = self.sent
        self.sent += 1
        self.delivery.submit(alerts(*rules), self.acks.open(lambda: self.safe.append(number)))

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110  of many
                await asyncio.sleep(0.002)

    def counters(self, name: str) -> tuple[int, ...]:
        c = self.delivery.counters()[name]
        return c.sent, c.retries, c.dead, c.failures


Body = Callable[[Running], Awaitable[None]]


class Run:
    """Starts, does `body`, finishes."""

    def __init__(self, folder: Path) -> None:
        self.folder: Path | None = folder

    def __call__(
        self, body: Body, outputs: Mapping[str, Output], enrichers: Mapping[str, Enricher] | None = None, *,
        seconds: float = 5, timeout: float = 5,
    ) -> Running:  # fmt: skip
        async def whole() -> Running:
            running = Running(self.folder, outputs, enrichers or {}, timeout)
            await running.delivery.start()
            await body(running)
            await running.delivery.finish(seconds)
            assert running.acks.settle(5)
            return running

        return asyncio.run(whole())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "state")


def submitting(*batches: tuple[str, ...]) -> Body:
    async def body(running: Running) -> None:
        for rules in batches:
            running.submit(*rules)

    return body


@pytest.mark.parametrize("on_disk", [True, False])
def test_every_output_gets_every_alert_in_order(run: Run, *, on_disk: bool) -> None:
    if not on_disk:
        run.folder = None
    one, two = FakeOutput(), FakeOutput()
    running = run(submitting(("a", "b"), ("c",)), {"one": one, "two": two})
    assert one.rules == two.rules == ["a", "b", "c"]
    assert running.safe == [0, 1]
    assert running.counters("one") == (3, 0, 0, 0)
    assert (one.log[0], one.log[-1]) == ("open", "close")


def test_without_outputs_alerts_are_safe(run: Run) -> None:
    assert run(submitting(("a",)), {}).safe == [0]


def test_alerts_are_safe_before_an_output_has_them(run: Run) -> None:
    async def body(running: Running) -> None:
        running.submit("a")
        await running.until(lambda: running.safe)
        assert stuck.accepted == []
        gate.set()

    gate = asyncio.Event()
    stuck = FakeOutput(gate.wait())  # type: ignore[arg-type]
    assert run(body, {"one": stuck}).counters("one") == (1, 0, 0, 0)


def test_a_retry_keeps_the_order(run: Run) -> None:
    async def body(running: Running) -> None:
        running.submit("a")
        await running.until(lambda: output.offered)
        running.submit("b")
        await running.until(lambda: output.rules == ["a", "b"])

    output = FakeOutput(Retry("down"), Retry("down", after=0.02))
    running = run(body, {"one": output})
    assert output.offered == [["a"], ["a"], ["a"], ["b"]]
    assert running.counters("one") == (2, 2, 0, 0)


def test_an_output_is_left_alone_for_as_long_as_it_asks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: low)

    async def body(running: Running) -> None:
        running.submit("a")
        await running.until(lambda: output.accepted)
        assert asyncio.get_running_loop().time() - begin >= 4 * 0.1

    begin = time.monotonic()
    output = FakeOutput(*(Retry("busy", after=0.1) for _ in range(4)))
    run(body, {"one": output})


def test_an_output_that_refuses_an_alert_after_a_failure_works_again(run: Run) -> None:
    async def body(running: Running) -> None:
        running.submit("a")
        await running.until(lambda: running.delivery.counters()["one"].dead)
        running.submit("b")  # `finish` waits for it: the output is not failing any more
        gate.set()

    gate = asyncio.Event()

    async def slowly() -> None:
        await gate.wait()
        await asyncio.sleep(0.2)

    output = FakeOutput(Retry("busy"), Permanent("too large"), slowly())
    assert run(body, {"one": output}).counters("one") == (1, 1, 1, 0)


def test_what_is_refused_for_good_is_a_dead_letter(run: Run) -> None:
    async def body(running: Running) -> None:
        running.submit("a", "b")
        await running.until(lambda: output.offered)
        running.submit("c")

    output = FakeOutput(Permanent("too large"))
    running = run(body, {"one": output})
    assert output.accepted == [["c"]]
    assert running.counters("one") == (1, 0, 2, 0)
    assert running.reports == ["alerts refused"]
    assert running.delivery.spool_counters().buried == 2


def test_dead_letters_are_sent_again_when_somebody_wants_that(run: Run) -> None:
    async def body(running: Running) -> None:
        running.submit("a", "b")
        await running.until(lambda: output.offered and running.delivery.spool_counters().buried)
        assert run.folder is not None
        assert await asyncio.to_thread(request, run.folder, Request("retry", "one")) == 2
        await running.until(lambda: output.rules == ["a", "b"])

    output = FakeOutput(Permanent("too large"))
    assert run(body, {"one": output}).counters("one") == (2, 0, 2, 0)
    assert run.folder is not None
    assert request(run.folder, Request("purge dead letters")) == 0


def test_only_those_that_an_output_names_are_refused(run: Run) -> None:
    class Picky(FakeOutput):
        async def deliver(self, batch: Sequence[Alert]) -> None:
            await super().deliver(batch)
            raise Permanent("no b", refused=[a.id for a in batch if a.rule == "b"])

    running = run(submitting(("a", "b", "c")), {"one": Picky()})
    assert running.counters("one") == (2, 0, 1, 0)


class TestBroken:
    def test_a_bug_is_tried_again(self, run: Run) -> None:
        output = FakeOutput(ValueError("bug"))
        running = run(submitting(("a",)), {"one": output})
        assert output.offered == [["a"], ["a"]]
        assert running.counters("one") == (1, 0, 0, 1)
        assert running.reports == []

    def test_one_that_breaks_again_and_again_is_left_alone_for_a_while(self, run: Run) -> None:
        async def body(running: Running) -> None:
            running.submit("a", "b")
            await running.until(lambda: running.delivery.counters()["bad"].quarantined)
            running.submit("c")
            await running.until(lambda: bad.rules == ["a", "b", "c"])

        bad, good = FakeOutput(*[asyncio.CancelledError()] * (BROKEN_TRIES + 1)), FakeOutput()
        running = run(body, {"bad": bad, "good": good})
        assert bad.offered[: BROKEN_TRIES + 2] == [["a", "b"]] * BROKEN_TRIES + [["a"], ["a"]]
        assert good.rules == ["a", "b", "c"]
        assert running.counters("bad") == (3, 0, 0, BROKEN_TRIES + 1)
        assert running.reports == ["plugin quarantined", "plugin restored"]

    def test_an_alert_that_breaks_it_each_time_is_a_dead_letter(self, run: Run) -> None:
        class Allergic(FakeOutput):
            async def deliver(self, batch: Sequence[Alert]) -> None:
                if any(a.rule == "b" for a in batch):
                    raise KeyError("b")
                await super().deliver(batch)

        async def body(running: Running) -> None:
            running.submit("a", "b", "c")
            await running.until(lambda: output.rules == ["a", "c"])

        output = Allergic()
        running = run(body, {"one": output})
        assert running.counters("one") == (2, 0, 1, BROKEN_TRIES * (2 + QUARANTINES))
        assert running.reports.count("plugin quarantined") == 1 + QUARANTINES
        assert running.reports.count("alerts refused") == 1

    def test_a_call_that_does_not_end_is_interrupted(self, run: Run) -> None:
        hanging = FakeOutput(asyncio.sleep(60))
        quick = FakeOutput()

        async def body(running: Running) -> None:
            running.submit("a")
            await running.until(lambda: hanging.accepted)

        running = run(body, {"hanging": hanging, "quick": quick}, timeout=0.05)
        assert hanging.rules == quick.rules == ["a"]
        assert running.counters("hanging") == (1, 1, 0, 0)
        assert running.delivery.counters()["hanging"].timeouts == 1

    def test_a_call_that_refuses_to_end_is_left_behind(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        async def stubborn() -> None:
            end = asyncio.get_running_loop().time() + 0.2
            while asyncio.get_running_loop().time() < end:
                try:
                    await asyncio.sleep(0.2)
                except asyncio.CancelledError:
                    continue

        monkeypatch.setattr(calls, "GRACE", 0.01)
        output = FakeOutput(stubborn())

        async def body(running: Running) -> None:
            running.submit("a")
            await running.until(lambda: output.accepted)

        running = run(body, {"one": output}, timeout=0.02)
        assert running.counters("one") == (1, 1, 0, 0)


class TestReopen:
    def test_waits_for_the_batch(self, run: Run) -> None:
        async def body(running: Running) -> None:
            running.submit("a")
            await running.until(lambda: output.offered)
            reopening = asyncio.ensure_future(running.delivery.reopen())
            await asyncio.sleep(0.01)
            assert output.log == ["open"]
            gate.set()
            await reopening

        gate = asyncio.Event()
        output = FakeOutput(gate.wait())  # type: ignore[arg-type]
        run(body, {"one": output})
        assert output.log == ["open", "deliver", "reopen", "close"]

    def test_tries_again_at_once_what_failed(self, run: Run) -> None:
        async def body(running: Running) -> None:
            running.submit("a")
            await running.until(lambda: output.offered)
            await running.delivery.reopen()
            await running.until(lambda: output.accepted)

        output = FakeOutput(Retry("no space", after=60))
        run(body, {"one": output})
        assert output.log == ["open", "reopen", "deliver", "close"]

    def test_a_file_that_cannot_be_reopened(self, run: Run, caplog: pytest.LogCaptureFixture) -> None:
        class Stubborn(FakeOutput):
            async def reopen(self) -> None:
                raise OSError("no space")

        async def body(running: Running) -> None:
            await running.delivery.reopen()
            running.submit("a")

        assert run(body, {"one": Stubborn()}).counters("one") == (1, 0, 0, 1)
        assert "output one: not reopened: OSError: no space" in caplog.text


class TestOpening:
    def test_a_mistake_of_the_user_ends_the_start(self, run: Run) -> None:
        good, bad = FakeOutput(), FakeOutput(opening=[UserError("no such directory")])
        with pytest.raises(UserError, match="no such directory"):
            run(submitting(), {"good": good, "bad": bad})
        assert good.log == ["open", "close"]
        assert bad.log == ["close"]

    @pytest.mark.parametrize("error", [Retry("connection refused"), ValueError("bug"), TimeoutError()])
    def test_what_may_pass_is_tried_again(self, run: Run, error: Exception) -> None:
        async def body(running: Running) -> None:
            running.submit("a")
            await running.until(lambda: late.rules == good.rules == ["a"])
            assert running.delivery.counters()["late"].opened

        good, late = FakeOutput(), FakeOutput(opening=[error, Retry("still")])
        running = run(body, {"good": good, "late": late})
        assert running.counters("late") == (1, 1, 0, 0)

    def test_one_that_hangs(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        class Hanging(FakeOutput):
            async def open(self) -> None:
                if not self.log:
                    self.log.append("hung")
                    await asyncio.sleep(60)
                await super().open()

        monkeypatch.setattr(lanes, "OPEN_SECONDS", 0.02)
        output = Hanging()

        async def body(running: Running) -> None:
            running.submit("a")
            await running.until(lambda: output.rules == ["a"])

        run(body, {"one": output})


class TestLater:
    def test_what_an_output_did_not_get_it_gets_from_the_next_sensor(self, run: Run) -> None:
        down, good = FakeOutput(*[Retry("down")] * 10_000), FakeOutput()
        running = run(submitting(("a",), ("b",)), {"one": down, "two": good}, seconds=0.5)
        assert running.safe == [0, 1]
        assert down.log == ["open", "close"]
        one, two = FakeOutput(), FakeOutput()
        run(submitting(("c",)), {"one": one, "two": two})
        assert one.rules == ["a", "b", "c"]
        assert two.rules == ["c"]

    def test_an_output_that_fails_does_not_hold_up_the_end(self, run: Run) -> None:
        async def body(running: Running) -> None:
            running.submit("a")
            await running.until(lambda: running.delivery.counters()["one"].retries)

        with_patience = 60
        run(body, {"one": FakeOutput(*[Retry("down", after=60)] * 3)}, seconds=with_patience)

    def test_an_output_that_does_not_close(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        class Open(FakeOutput):
            async def close(self) -> None:
                await asyncio.sleep(60)

        monkeypatch.setattr(lanes, "CLOSE_SECONDS", 0.02)
        run(submitting(("a",)), {"one": Open()})


class TestReplace:
    def test_unchanged_ones_stay_at_work(self, run: Run) -> None:
        kept, gone, fresh = FakeOutput(), FakeOutput(), FakeOutput()

        async def body(running: Running) -> None:
            running.submit("a")
            await running.delivery.replace(Receivers(planned({"kept": FakeOutput(), "fresh": fresh}), {}))
            running.submit("b")

        running = run(body, {"kept": kept, "gone": gone})
        assert kept.rules == ["a", "b"]
        assert kept.log.count("open") == kept.log.count("close") == 1
        assert gone.rules == ["a"]
        assert fresh.rules == ["b"]
        assert list(running.delivery.counters()) == ["kept", "fresh"]

    def test_other_options_make_another_output_that_goes_on_where_the_first_was(self, run: Run) -> None:
        first, second = FakeOutput(*[Retry("wrong port")] * 10_000), FakeOutput()

        async def body(running: Running) -> None:
            running.submit("a")
            await running.until(lambda: first.offered)
            await running.delivery.replace(Receivers(planned({"one": second}, one="other port"), {}))
            running.submit("b")

        run(body, {"one": first})
        assert second.rules == ["a", "b"]
        assert first.log == ["open", "close"]

    def test_a_mistake_leaves_all_as_it_was(self, run: Run) -> None:
        kept, fresh, bad = FakeOutput(), FakeOutput(), FakeOutput(opening=[UserError("no such host")])

        async def body(running: Running) -> None:
            with pytest.raises(UserError, match="no such host"):
                await running.delivery.replace(Receivers(planned({"fresh": fresh, "bad": bad}), {}))
            running.submit("a")

        running = run(body, {"kept": kept})
        assert kept.rules == ["a"]
        assert fresh.log == ["open", "close"]
        assert list(running.delivery.counters()) == ["kept"]

    def test_enrichers(self, run: Run) -> None:
        async def amend(alert: Alert) -> None:
            alert.message += "+"

        async def amend_more(alert: Alert) -> None:
            alert.message += "*"

        old, kept, fresh, output = FakeEnricher(amend), FakeEnricher(amend), FakeEnricher(amend_more), FakeOutput()

        async def body(running: Running) -> None:
            running.submit("a")
            await running.until(lambda: output.messages == ["a++"])
            await running.delivery.replace(Receivers(planned({"one": output}), planned({"kept": FakeEnricher(amend), "fresh": fresh})))
            running.submit("b")

        run(body, {"one": output}, {"old": old, "kept": kept})
        assert output.messages == ["a++", "b+*"]
        assert old.log == kept.log == fresh.log == ["open", "close"]


class TestEnrichers:
    def test_amend_once_before_delivery(self, run: Run) -> None:
        async def amend(alert: Alert) -> None:
            await asyncio.sleep(0.01)
            alert.message += "+"

        one, two = FakeOutput(), FakeOutput()
        running = run(submitting(("a", "b")), {"one": one, "two": two}, {"e": FakeEnricher(amend)})
        assert one.messages == two.messages == ["a+", "b+"]
        assert running.delivery.enricher_counters()["e"].amended == 2

    def test_one_that_fails_or_hangs_stops_no_alert(self, run: Run, caplog: pytest.LogCaptureFixture) -> None:
        async def amend(alert: Alert) -> None:
            if alert.rule == "a":
                raise ValueError("bug")
            await asyncio.sleep(60)

        output = FakeOutput()
        running = run(submitting(("a", "b")), {"one": output}, {"e": FakeEnricher(amend)})
        assert output.rules == ["a", "b"]
        assert running.delivery.enricher_counters()["e"].failures == 2
        assert "enricher e: ValueError: bug" in caplog.text
