"""What enrichers and outputs of strangers do wrong: it is counted and named, they are left alone for a while, and alerts go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.unit.pipeline.test_delivery import FakeEnricher, FakeOutput, Run, Running, alerts, planned, submitting
from tiercel.alert import Alert
from tiercel.components.enricher import Enricher
from tiercel.config.build import Planned
from tiercel.errors import UserError
from tiercel.pipeline import enriching, lanes
from tiercel.pipeline.delivery import Delivery, Receivers
from tiercel.pipeline.enriching import MAX_FAILURES
from tiercel.plugins import calls
from tiercel.plugins.building import BuildError


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "STEP_SECONDS", 0.1)
    monkeypatch.setattr(lanes, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(lanes, "FIRST_QUARANTINE", 0.01)
    monkeypatch.setattr(enriching, "DEADLINE", 0.05)
    monkeypatch.setattr(enriching, "FIRST_QUARANTINE", 0.2)
    monkeypatch.setattr(enriching, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(enriching, "OPEN_SECONDS", 0.05)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "state")


class Moody(FakeEnricher):
    """Raises as often as it is told, or whenever it is told nothing."""

    def __init__(self, moods: list[BaseException] | None = None, *, always: BaseException | None = None) -> None:
        super().__init__(self._answer)
        self.moods, self.always = moods or [], always
        self.asked = 0

    async def _answer(self, alert: Alert) -> None:
        self.asked += 1
        if self.moods or self.always is not None:
            raise self.moods.pop(0) if self.moods else self.always  # type: ignore[misc]
        alert.fields["lab.x"] = 1


NAMES = ("a", "b", "c", "d", "e", "f", "g")


class TestEnrichers:
    def test_one_that_fails_again_and_again_is_left_alone_for_a_while(self, run: Run) -> None:
        async def body(running: Running) -> None:
            running.submit(*NAMES)
            await running.until(lambda: output.rules == list(NAMES))
            assert moody.asked == MAX_FAILURES
            counters = running.delivery.enricher_counters()["e"]
            assert (counters.failures, counters.skipped, counters.quarantined) == (MAX_FAILURES, len(NAMES) - MAX_FAILURES, True)
            await asyncio.sleep(0.25)
            running.submit("later")
            await running.until(lambda: output.rules[-1] == "later")
            assert (counters.amended, counters.quarantined) == (1, False)

        moody, output = Moody([ValueError("bug")] * MAX_FAILURES), FakeOutput()
        assert run(body, {"one": output}, {"e": moody}).reports == ["plugin quarantined", "plugin restored"]

    def test_the_plugin_is_named(self) -> None:
        told: list[tuple[str, Any]] = []

        def report(rule: str, message: str, *, fields: Any) -> None:
            told.append((message, fields))

        async def whole() -> None:
            moody = Planned(Moody(always=ValueError("bug")), None, Moody, owner="tiercel-lab 1.0")
            attendant = enriching.Attendant("e", moody, report=report)  # type: ignore[arg-type]
            await attendant.open()
            await attendant.amend(alerts(*NAMES))
            await attendant.close()

        asyncio.run(whole())
        [(message, fields)] = told
        assert message.startswith("enricher e of tiercel-lab 1.0 failed 5 times in a row (ValueError: bug); it is tried again in 0 s")
        assert fields == {"enricher.id": "e", "plugin.distribution": "tiercel-lab 1.0", "enricher.failures": 5}

    def test_a_cancellation_that_it_made_up_is_a_failure(self, run: Run) -> None:
        output = FakeOutput()
        running = run(submitting(("a", "b")), {"one": output}, {"e": Moody([asyncio.CancelledError(), SystemExit(3)])})
        assert output.rules == ["a", "b"]
        assert running.delivery.enricher_counters()["e"].failures == 1

    def test_one_that_fails_again_goes_back_at_once(self, run: Run) -> None:
        async def body(running: Running) -> None:
            running.submit(*NAMES)
            await running.until(lambda: output.rules == list(NAMES))
            await asyncio.sleep(0.25)
            running.submit(*NAMES)
            await running.until(lambda: len(output.rules) == 2 * len(NAMES))
            assert moody.asked == MAX_FAILURES + 1
            assert running.delivery.enricher_counters()["e"].quarantined

        moody, output = Moody(always=ValueError("bug")), FakeOutput()
        run(body, {"one": output}, {"e": moody})

    def test_one_that_hangs_costs_a_deadline_for_a_batch_and_none_in_quarantine(self, run: Run) -> None:
        async def hang(_: Alert) -> None:
            await asyncio.sleep(60)

        async def body(running: Running) -> None:
            for number in range(MAX_FAILURES):
                running.submit("a", "b")
                await running.until(partial(lambda wanted: len(output.rules) == wanted, 2 * number + 2))
            counters = running.delivery.enricher_counters()["e"]
            assert (counters.failures, counters.timeouts, counters.skipped) == (MAX_FAILURES, MAX_FAILURES, MAX_FAILURES)
            began = time.monotonic()
            running.submit("a")
            await running.until(lambda: len(output.rules) == 2 * MAX_FAILURES + 1)
            assert time.monotonic() - began < enriching.DEADLINE

        output = FakeOutput()
        run(body, {"one": output}, {"e": FakeEnricher(hang)})

    def test_one_that_blocks_the_loop_is_left_alone_at_once(self, run: Run) -> None:
        async def block(_: Alert) -> None:
            time.sleep(60)  # noqa: ASYNC251  the bug

        output = FakeOutput()
        running = run(submitting(("a", "b")), {"one": output}, {"e": FakeEnricher(block)})
        assert output.rules == ["a", "b"]
        assert running.reports == ["plugin quarantined"]

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda alert: setattr(alert, "fields", None), "left NoneType, expected a dict as fields"),
            (lambda alert: setattr(alert, "message", b"x"), "left bytes, expected a str as message"),
            (lambda alert: setattr(alert, "priority", 3), "left int, expected a tiercel.Priority"),
            (lambda alert: setattr(alert, "tags", ["x"]), "left list, expected a tuple of str as tags"),
            (lambda alert: setattr(alert, "id", "x"), "changed the id of an alert"),
            (lambda alert: alert.fields.update({1: "x"}), "left int, expected str as names of fields"),
            (lambda alert: alert.fields.update({"lab.x": {"y"}}), "left set, expected what JSON has in field lab.x"),
            (lambda alert: alert.fields.update({"lab.x": [{"y": b"z"}]}), "left bytes, expected what JSON has in field lab.x"),
            (lambda alert: alert.fields.update({"lab.x": {1: 2}}), "left dict, expected keys of str in field lab.x"),
            (lambda alert: alert.fields.update({"lab.x": endless()}), "left list, expected what JSON has in field lab.x"),
        ],
    )  # fmt: skip
    def test_what_may_not_be_in_an_alert_is_not(
        self, run: Run, change: Callable[[Alert], None], words: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        seen: list[Alert] = []

        async def amend(alert: Alert) -> None:
            alert.fields["lab.before"] = 1
            change(alert)

        class Keeping(FakeOutput):
            async def deliver(self, batch: Sequence[Alert]) -> None:
                seen.extend(batch)

        running = run(submitting(("a",)), {"one": Keeping()}, {"e": FakeEnricher(amend)})
        [alert] = seen
        assert (alert.message, alert.tags, alert.fields) == ("a", (), {})
        assert len(alert.id) == 32
        assert running.delivery.enricher_counters()["e"].failures == 1
        assert words in caplog.text

    def test_a_late_one_changes_nothing_any_more(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(calls, "GRACE", 0.01)

        async def stubborn(alert: Alert) -> None:
            end = asyncio.get_running_loop().time() + 0.2
            while asyncio.get_running_loop().time() < end:
                try:
                    await asyncio.sleep(0.2)
                except asyncio.CancelledError:
                    continue
            alert.message += "!"

        async def body(running: Running) -> None:
            running.submit("a", "b")
            await running.until(lambda: output.messages == ["a", "b"])
            await asyncio.sleep(0.4)
            counters = running.delivery.enricher_counters()["e"]
            assert (counters.amended, counters.failures, counters.skipped) == (0, 1, 1)

        output = FakeOutput()
        run(body, {"one": output}, {"e": FakeEnricher(stubborn)})

    @pytest.mark.parametrize("how", ["raises", "hangs", "blocks"])
    def test_one_that_cannot_be_opened_now_is_opened_later(self, run: Run, how: str) -> None:
        class Late(Moody):
            async def open(self) -> None:
                await super().open()
                if len(self.log) > 1:
                    return
                if how == "raises":
                    raise OSError("not yet")
                if how == "blocks":
                    time.sleep(60)  # noqa: ASYNC251  the bug
                await asyncio.sleep(60)

        async def body(running: Running) -> None:
            running.submit("a")
            await running.until(lambda: output.rules == ["a"])
            assert running.delivery.enricher_counters()["e"].skipped == 1
            await asyncio.sleep(0.25)
            running.submit("b")
            await running.until(lambda: running.delivery.enricher_counters()["e"].opened)
            running.submit("c")
            await running.until(lambda: running.delivery.enricher_counters()["e"].amended == 1)

        late, output = Late(), FakeOutput()
        assert run(body, {"one": output}, {"e": late}).reports == ["plugin quarantined", "plugin restored"]

    def test_a_mistake_of_the_user_ends_the_start(self, run: Run) -> None:
        class Wrong(Moody):
            async def open(self) -> None:
                raise UserError("no such directory")

        output = FakeOutput()
        with pytest.raises(UserError, match="no such directory"):
            run(submitting(), {"one": output}, {"e": Wrong()})
        assert output.log == ["open", "close"]

    def test_one_that_does_not_close_does_not_hold_up_the_end(self, run: Run) -> None:
        class Open(Moody):
            async def close(self) -> None:
                await asyncio.sleep(60)

        began = time.monotonic()
        run(submitting(("a",)), {"one": FakeOutput()}, {"e": Open(), "f": Open()})
        assert time.monotonic() - began < 5

    def test_one_that_completes_no_alerts_is_not_asked(self, run: Run) -> None:
        class Quiet(Enricher):
            async def open(self) -> None:
                return

            async def close(self) -> None:
                return

        running = run(submitting(("a",)), {"one": FakeOutput()}, {"e": Quiet()})
        assert running.delivery.enricher_counters()["e"].amended == 0
        assert running.delivery.enricher_counters()["e"].skipped == 0


def endless() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


class TestBuilding:
    """``from_config`` fails, and later does not."""

    def test_the_others_do_their_work_meanwhile(self, run: Run, tmp_path: Path) -> None:
        async def body() -> None:
            running = Running(tmp_path / "state", {}, {}, 5)
            receivers = Receivers({"bad": unbuilt(output), **planned({"good": good})}, {"e": unbuilt(moody)})
            running.delivery = Delivery(running.delivery._spool, receivers, running.acks, timeout=5)
            await running.delivery.start()
            running.submit("a")
            await running.until(lambda: good.rules == ["a"])
            await running.until(lambda: output.rules == ["a"])
            await asyncio.sleep(0.25)
            running.submit("b")
            await running.until(lambda: running.delivery.enricher_counters()["e"].opened)
            await running.delivery.finish(5)

        good, output, moody = FakeOutput(), FakeOutput(), Moody()
        asyncio.run(body())
        assert output.rules == ["a", "b"]


def unbuilt(component: Any) -> Planned[Any]:
    def make() -> Any:
        return component

    return Planned(None, None, make, problem=BuildError("output bad: from_config of tiercel-bad 1.0 failed: nothing within 10 s"))


class TestOutputs:
    def test_one_that_blocks_the_loop_is_left_alone_at_once_and_loses_nothing(self, run: Run) -> None:
        class Blocking(FakeOutput):
            async def deliver(self, batch: Sequence[Alert]) -> None:
                if not self.offered:
                    self.offered.append([])
                    time.sleep(60)  # noqa: ASYNC251  the bug
                await super().deliver(batch)

        async def body(running: Running) -> None:
            running.submit("a")
            await running.until(lambda: blocking.rules == good.rules == ["a"])

        blocking, good = Blocking(), FakeOutput()
        running = run(body, {"one": blocking, "two": good})
        assert running.counters("one") == (1, 1, 0, 0)
        assert running.reports == ["plugin quarantined", "plugin restored"]

    @pytest.mark.parametrize(
        ("answer", "words"), [(False, "returned bool, expected None"), (None, "returned NoneType, expected a coroutine")]
    )
    def test_one_that_returns_what_it_may_not(
        self, run: Run, answer: bool | None, words: str, caplog: pytest.LogCaptureFixture
    ) -> None:  # fmt: skip
        class Wrong(FakeOutput):
            def deliver(self, batch: Sequence[Alert]) -> Any:
                self.offered.append([])
                if len(self.offered) > 1:
                    return super().deliver(batch)
                return None if answer is None else self.says()

            async def says(self) -> bool | None:
                return answer

        output = Wrong()
        running = run(submitting(("a",)), {"one": output})
        assert output.rules == ["a"]
        assert running.counters("one") == (1, 0, 0, 1)
        assert words in caplog.text
