"""Routes, roll-ups and rate limits at work in the lanes of outputs, with a spool on disk."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import tiercel
from tests.unit.pipeline import shaped
from tiercel.alert import Alert, Priority
from tiercel.components.enricher import Enricher
from tiercel.components.output import Output
from tiercel.config.build import Planned
from tiercel.config.limits import RateLimit, RollUp
from tiercel.config.routes import parse
from tiercel.errors import Permanent, Retry
from tiercel.pipeline import lanes
from tiercel.pipeline.acks import Acks
from tiercel.pipeline.delivery import Delivery, OutputCounters, Receivers
from tiercel.spool.requests import Request, request
from tiercel.spool.store import Spool

HOUR = 3600 * 1_000_000_000
ROLL_UP = RollUp(group_by=("rule",), window=HOUR, max_groups=10)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "FIRST_PAUSE", 0.001)


class Got(Output):
    """Remembers what it got, as ``id`` or ``COUNTx``."""

    def __init__(self, *moods: Exception) -> None:
        self.moods = list(moods)
        self.alerts: list[Alert] = []

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def deliver(self, batch: Sequence[Alert]) -> None:
        if self.moods:
            raise self.moods.pop(0)
        self.alerts += batch

    @property
    def names(self) -> list[str]:
        return [f"{a.fields['rollup.count']}x" if "rollup.count" in a.fields else a.id for a in self.alerts]


class Amending(Enricher):
    name = "fake"

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def amend(self, alert: Alert) -> None:
        alert.fields["rack"] = alert.fields.get("rack", 0) + 1
        await asyncio.sleep(0)


def alerts(*ids: str, rule: str = "r", **more: Any) -> list[Alert]:
    return [Alert(each, rule, "x", Priority.NOTICE, number, each, {}, **more) for number, each in enumerate(ids)]


def made(component: Any, core: Mapping[str, Any]) -> Planned[Any]:
    return Planned(component, core, lambda: component, core)


Body = Callable[[Delivery], Awaitable[None]]


class Run:
    def __init__(self, folder: Path) -> None:
        self.folder: Path | None = folder

    def __call__(
        self, outputs: Mapping[str, tuple[Output, Mapping[str, Any]]], body: Body, *, seconds: float = 5,
        enricher: Enricher | None = None, labels: Mapping[str, str] | None = None,
    ) -> Mapping[str, OutputCounters]:  # fmt: skip
        async def whole() -> Mapping[str, OutputCounters]:
            receivers = Receivers(
                {name: made(*each) for name, each in outputs.items()}, {} if enricher is None else {"e": made(enricher, {})}, labels or {}
            )
            delivery = Delivery(Spool(self.folder), receivers, Acks())
            await delivery.start()
            await body(delivery)
            await delivery.finish(seconds)
            return delivery.counters()

        return asyncio.run(whole())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "state")


def submitting(*batches: Sequence[Alert]) -> Body:
    async def body(delivery: Delivery) -> None:
        for batch in batches:
            delivery.submit(batch)

    return body


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  of many
            await asyncio.sleep(0.002)


def test_outputs_have_routes_of_their_own(run: Run) -> None:
    one, two = Got(), Got()
    outputs = {"one": (one, {"route": parse([{"rule": "a*"}])}), "two": (two, {"unless": parse([{"priority": "warning"}])})}
    urgent = alerts("3", rule="ab")
    urgent[0].priority = Priority.ERROR
    counters = run(outputs, submitting([*alerts("1", rule="aa"), *alerts("2", rule="b"), *urgent]))
    assert (one.names, two.names) == (["1", "3"], ["1", "2"])
    assert [(c.sent, c.unrouted, c.behind) for c in counters.values()] == [(2, 1, 0), (2, 1, 0)]


def test_every_alert_has_the_labels_that_are_in_force_when_it_comes(run: Run) -> None:
    async def body(delivery: Delivery) -> None:
        delivery.submit(alerts("1"))
        await until(lambda: output.names == ["1"])
        await delivery.replace(Receivers({name: made(*each) for name, each in outputs.items()}, {}, {"label.site": "hamburg"}))
        delivery.submit(alerts("2"))
        await until(lambda: output.names == ["1", "2"])

    output, far = Got(), Got()
    outputs = {"one": (output, {}), "far": (far, {"route": parse([{"labels": {"site": "ham*"}}])})}
    run(outputs, body, labels={"label.site": "berlin"})
    assert [a.fields["label.site"] for a in output.alerts] == ["berlin", "hamburg"]
    assert far.names == ["2"]


@pytest.mark.parametrize("on_disk", [True, False])
def test_what_is_counted_is_delivered_at_the_end_of_a_run(run: Run, *, on_disk: bool) -> None:
    if not on_disk:
        run.folder = None
    output, plain = Got(), Got()
    counters = run({"one": (output, {"roll_up": ROLL_UP}), "plain": (plain, {})}, submitting(alerts("1", "2"), alerts("3")))
    assert output.names == ["1", "2x"]
    assert plain.names == ["1", "2", "3"]
    one = counters["one"]
    assert (one.sent, one.rolled_up, one.summaries, one.behind) == (2, 2, 1, 0)


def test_the_clock_ends_a_window(run: Run) -> None:
    async def body(delivery: Delivery) -> None:
        delivery.submit(alerts("1", "2", "3"))
        await until(lambda: output.names == ["1", "2x"])
        assert delivery.counters()["one"].behind == 0

    output = Got()
    run({"one": (output, {"roll_up": RollUp(group_by=("rule",), window=100_000_000, max_groups=10)})}, body)


def test_what_a_rate_limit_holds_back_comes_as_one_with_the_number(run: Run) -> None:
    output = Got()
    limit = RateLimit(alerts_per_sec=0.001, burst=2, group_by=(), window=HOUR, max_groups=10)
    counters = run({"one": (output, {"rate_limit": limit})}, submitting(alerts(*map(str, range(1000)))))
    assert output.names == ["0", "1", "998x"]
    assert counters["one"].limited == 998
    assert output.alerts[-1].message.startswith("998 alerts held back by the rate limit, 1970-01-01T00:00:00.000Z to ")


def test_groups_beyond_the_bound_share_one(run: Run) -> None:
    output = Got()
    rows = [each for n in range(20) for each in alerts(f"{n}a", f"{n}b", rule=str(n))]
    counters = run({"one": (output, {"roll_up": ROLL_UP})}, submitting(rows))
    assert [name for name in output.names if not name.endswith("x")] == [*(f"{n}a" for n in range(11))]
    assert sorted(name for name in output.names if name.endswith("x")) == sorted([*["1x"] * 10, "19x"])
    assert counters["one"].overflowed == 19


def test_an_output_that_is_down_loses_no_summary(run: Run) -> None:
    down = Got(*[Retry("down")] * 10_000)
    run({"one": (down, {"roll_up": ROLL_UP})}, submitting(alerts("1", "2", "3")), seconds=0.3)
    assert down.names == []
    output = Got()
    run({"one": (output, {"roll_up": ROLL_UP})}, submitting(alerts("4")))
    assert output.names == ["1", "3x"]


def test_a_summary_that_was_not_delivered_is_the_same_for_the_next_sensor(run: Run) -> None:
    async def body(delivery: Delivery) -> None:
        delivery.submit(alerts("1", "2", "3"))
        await until(lambda: first.names == ["1"])
        first.moods = [Retry("down")] * 10_000

    first, second = Got(), Got()
    run({"one": (first, {"roll_up": ROLL_UP})}, body, seconds=0.3)
    run({"one": (second, {"roll_up": ROLL_UP})}, submitting(alerts("4")))
    assert second.names == ["2x", "4"]


def test_a_summary_that_is_refused_is_a_dead_letter(run: Run) -> None:
    class Picky(Got):
        async def deliver(self, batch: Sequence[Alert]) -> None:
            await super().deliver(batch)
            raise Permanent("too large", refused=[a.id for a in batch if "rollup.count" in a.fields])

    output = Picky()
    counters = run({"one": (output, {"roll_up": ROLL_UP})}, submitting(alerts("1", "2")))
    assert (counters["one"].dead, counters["one"].summaries, counters["one"].sent) == (1, 1, 1)
    again = Got()
    run({"one": (again, {"roll_up": ROLL_UP})}, submitting())
    assert again.names == []


def test_other_settings_close_what_was_counted(run: Run) -> None:
    async def body(delivery: Delivery) -> None:
        delivery.submit(alerts("1", "2"))
        await until(lambda: first.names == ["1"])
        first.moods = [Retry("down")] * 10_000

    first, second = Got(), Got()
    run({"one": (first, {"roll_up": ROLL_UP})}, body, seconds=0.2)
    run({"one": (second, {})}, submitting(alerts("3")))
    assert second.names == ["1x", "3"]


@pytest.mark.parametrize("running", [True, False])
def test_what_is_replayed_is_counted_once_more(run: Run, *, running: bool) -> None:
    """The place goes back while a window is open."""
    assert run.folder is not None
    again = Request("replay", "one", 1)

    async def body(delivery: Delivery) -> None:
        delivery.submit(alerts("1", "2"))
        delivery.submit(alerts("3", "4", rule="other"))
        await until(lambda: output.names == ["1", "3"] and not delivery.counters()["one"].behind)
        if running:
            assert run.folder is not None
            assert await asyncio.to_thread(request, run.folder, again) == 4
            await until(lambda: delivery.counters()["one"].rolled_up >= 4 and not delivery.counters()["one"].behind)

    output = Got()
    core = {"roll_up": ROLL_UP}
    run({"one": (output, core)}, body)
    if not running:
        assert request(run.folder, again) == 4
        run({"one": (output, core)}, submitting())
    passed = [name for name in output.names if not name.endswith("x")]
    sums = [int(name[:-1]) for name in output.names if name.endswith("x")]
    assert len(passed) + sum(sums) == 8


def test_what_enrichers_add_is_in_no_group(run: Run) -> None:
    """One output's alerts are completed while another's are counted: which comes first must not matter."""
    plain, rolled = Got(), Got()
    rows = alerts("1", "2", "3")
    outputs = {"plain": (plain, {}), "rolled": (rolled, {"roll_up": RollUp(group_by=("rack",), window=HOUR, max_groups=10)})}
    run(outputs, submitting(rows[:1], rows[1:2], rows[2:]), enricher=Amending())
    assert [a.fields["rack"] for a in plain.alerts] == [1, 1, 1]
    assert rolled.names == ["1", "2x"]
    assert rolled.alerts[-1].fields["rack"] == 1


def received(path: Path) -> tuple[list[int], dict[str, int]]:
    """Numbers of the alerts that came on their own, and summary -> the alerts that it stands for, by id."""
    numbers: dict[str, int] = {}
    sums: dict[str, int] = {}
    for line in path.read_text().splitlines():
        key, number, count, _ = json.loads(line)
        target, value = (sums, count) if count else (numbers, number)
        assert target.setdefault(key, value) == value, "one id has one content"
    return list(numbers.values()), sums


def test_kills_at_any_moment_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    count, kills = 3000, 8
    core = str(Path(tiercel.__file__).parents[1])
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, core])}
    command = [sys.executable, "-m", "tests.unit.pipeline.shaped", str(tmp_path), str(count)]
    killed = 0
    while True:
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
            if killed < kills:
                end = time.monotonic() + 20
                done = (tmp_path / "safe").read_text() if (tmp_path / "safe").exists() else ""
                while process.poll() is None and time.monotonic() < end:  # until it is at work
                    if (tmp_path / "safe").exists() and (tmp_path / "safe").read_text() != done:
                        break
                    time.sleep(0.005)
                time.sleep(random.uniform(0, 0.1))
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
            error = process.communicate()[1].decode()
        if process.returncode == -signal.SIGKILL:
            killed += 1
            continue
        assert process.returncode == 0, error
        break
    assert killed == kills
    everything = range(count)
    wanted = {
        "all": everything,
        "some": [n for n in everything if n % shaped.GROUPS == 3],
        "rolled": everything,
        "limited": everything,
        "both": [n for n in everything if n % shaped.GROUPS],
    }
    for name, expected in wanted.items():
        numbers, sums = received(tmp_path / name)
        assert len(numbers) == len(set(numbers)), name
        assert set(numbers) <= set(expected), name
        assert len(numbers) + sum(sums.values()) == len(expected), name
        assert bool(sums) == (name in ("rolled", "limited", "both")), name
    assert all(behind == 0 for behind, *_ in json.loads((tmp_path / "counters").read_text()).values())
