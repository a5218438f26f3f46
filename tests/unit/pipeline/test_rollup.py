"""Roll-ups and rate limits: what passes, what is counted, and that the sums are right whatever happens."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiercel.alert import Alert, Priority
from tiercel.config.limits import RateLimit, RollUp
from tiercel.config.routes import parse
from tiercel.pipeline.rollup import Shaper
from tiercel.pipeline.routing import Router

SECOND = 1_000_000_000


def alert(number: int, rule: str = "a", *, priority: Priority = Priority.NOTICE, time: int | None = None, **fields: Any) -> Alert:
    return Alert(
        f"id{number}", rule, "x", priority, number if time is None else time, f"m{number}", {"evt.time": number, **fields}, ("t",), "h"
    )


def roll_up(*group_by: str, window: float = 10, max_groups: int = 100) -> RollUp:
    return RollUp(group_by=group_by or ("rule",), window=int(window * SECOND), max_groups=max_groups)


def limit(rate: float, burst: int, *group_by: str, window: float = 10, max_groups: int = 100) -> RateLimit:
    return RateLimit(alerts_per_sec=rate, burst=burst, group_by=group_by, window=int(window * SECOND), max_groups=max_groups)


def taken(shaper: Shaper, rows: Iterable[tuple[float, Alert]]) -> list[str]:
    """Ids that are delivered; a summary by its count and the number of the first."""
    out = []
    for seconds, each in rows:
        out += [name(found) for found in shaper.take(int(seconds * SECOND), each)]
    return out


def name(found: Alert) -> str:
    if "rollup.count" not in found.fields:
        return found.id
    return f"{found.fields['rollup.count']}x {found.message.rpartition(' ')[2]}"


class TestRollUp:
    def test_the_first_comes_at_once_and_the_rest_as_one(self) -> None:
        shaper = Shaper("o", roll_up=roll_up())
        rows = [(0, alert(1, pid=1, user="u")), (1, alert(2, pid=2, user="u")), (9.9, alert(3, pid=3, user="u")), (10, alert(4, pid=4))]
        found = [each for seconds, a in rows for each in shaper.take(int(seconds * SECOND), a)]
        assert [name(each) for each in found] == ["id1", "2x m2", "id4"]
        summary = found[1]
        assert summary.fields == {"user": "u", "evt.time": 3, "rollup.count": 2, "rollup.first": 2, "rollup.last": 3}
        assert (summary.rule, summary.source, summary.priority, summary.tags, summary.hostname) == ("a", "x", Priority.NOTICE, ("t",), "h")
        assert summary.time == 3
        assert summary.message == "2 alerts rolled up, 1970-01-01T00:00:00.000Z to 1970-01-01T00:00:00.000Z; the first: m2"
        assert shaper.counters().rolled_up == 2
        assert shaper.counters().summaries == 1

    def test_groups_have_windows_of_their_own(self) -> None:
        shaper = Shaper("o", roll_up=roll_up("rule", "c"))
        rows = [
            (0, alert(1, c=1)),
            (1, alert(2, c=2)),
            (2, alert(3, c=1)),
            (3, alert(4, "b", c=1)),
            (4, alert(5)),
            (5, alert(6)),
            (99, alert(7)),
        ]
        assert taken(shaper, rows) == ["id1", "id2", "id4", "id5", "1x m3", "1x m6", "id7"]

    def test_nothing_is_said_of_a_group_of_one(self) -> None:
        assert taken(Shaper("o", roll_up=roll_up()), [(0, alert(1)), (50, alert(2))]) == ["id1", "id2"]

    def test_a_more_urgent_alert_does_not_wait_behind_others(self) -> None:
        shaper = Shaper("o", roll_up=roll_up("c"))
        urgent, more = Priority.ERROR, Priority.CRITICAL
        rows = [(0, alert(1)), (1, alert(2, "b", priority=urgent)), (2, alert(3, "b", priority=urgent)), (3, alert(4, "c", priority=more))]
        assert taken(shaper, [*rows, (4, alert(5))]) == ["id1", "id2", "id4"]
        shaper.close(None)
        (summary,) = shaper.pending
        assert summary.priority is urgent
        assert summary.fields["rollup.rules"] == {"a": 1, "b": 1}
        assert summary.message.startswith("2 alerts of 2 rules rolled up")

    def test_the_clock_closes_what_no_alert_closes(self) -> None:
        shaper = Shaper("o", roll_up=roll_up())
        deadlines = [shaper.deadline]
        for second in (1, 2):
            taken(shaper, [(second, alert(second))])
            deadlines.append(shaper.deadline)
        assert deadlines == [None, None, 11 * SECOND]  # of the first alone there is nothing to say
        shaper.close(11 * SECOND - 1)
        assert shaper.pending == []
        shaper.close(11 * SECOND)
        summaries = shaper.pending
        assert [name(each) for each in summaries] == ["1x m2"]
        assert shaper.deadline is None
        shaper.delivered(summaries)
        assert shaper.pending == []
        assert taken(shaper, [(12, alert(3))]) == ["id3"]

    def test_more_groups_than_allowed_share_one(self) -> None:
        shaper = Shaper("o", roll_up=roll_up("n", max_groups=2))
        assert taken(shaper, [(0, alert(n, n=n)) for n in range(8)]) == ["id0", "id1", "id2"]
        assert shaper.counters().overflowed == 5
        assert taken(shaper, [(10, alert(9, n=9))]) == ["5x m3", "id9"]

    def test_a_clock_that_was_set_back_ends_the_windows(self) -> None:
        shaper = Shaper("o", roll_up=roll_up())
        assert taken(shaper, [(5000, alert(1)), (5001, alert(2)), (100, alert(3)), (101, alert(4)), (111, alert(5))]) == [
            "id1", "1x m2", "id3", "1x m4", "id5",
        ]  # fmt: skip

    def test_summaries_of_two_outputs_are_two_alerts(self) -> None:
        found = []
        for output in ("one", "two"):
            shaper = Shaper(output, roll_up=roll_up())
            taken(shaper, [(0, alert(1)), (0, alert(2))])
            shaper.close(None)
            found += [each.id for each in shaper.pending]
        assert len(set(found)) == 2

    def test_what_is_routed_away_is_in_no_summary(self) -> None:
        shaper = Shaper("o", router=Router(parse([{"rule": "a"}])), roll_up=roll_up("c"))
        assert taken(shaper, [(0, alert(1)), (1, alert(2, "b")), (2, alert(3)), (10, alert(4, "b"))]) == ["id1", "1x m3"]
        assert shaper.counters().unrouted == 2

    def test_rules_are_counted_up_to_a_bound(self) -> None:
        shaper = Shaper("o", roll_up=roll_up("c"))
        taken(shaper, [(0, alert(n, f"r{n}")) for n in range(101)])
        shaper.close(None)
        (summary,) = shaper.pending
        assert len(summary.fields["rollup.rules"]) == 65
        assert summary.fields["rollup.rules"]["(others)"] == 36
        assert sum(summary.fields["rollup.rules"].values()) == 100


class TestRateLimit:
    def test_what_is_held_back_is_counted_by_rule(self) -> None:
        shaper = Shaper("o", rate_limit=limit(1, 2))
        rows = [(0, alert(1)), (0, alert(2)), (0, alert(3)), (0.5, alert(4, "b")), (1, alert(5)), (1.5, alert(6)), (10, alert(7))]
        found = [each for seconds, a in rows for each in shaper.take(int(seconds * SECOND), a)]
        assert [name(each) for each in found] == ["id1", "id2", "id5", "2x m3", "id7"]
        assert "held back by the rate limit" in found[3].message
        assert shaper.counters().limited == 3
        shaper.close(None)
        assert [name(each) for each in shaper.pending] == ["1x m4"]

    def test_groups_have_buckets_of_their_own(self) -> None:
        shaper = Shaper("o", rate_limit=limit(0.1, 1, "c"))
        rows = [(0, alert(1, c=1)), (0, alert(2, c=2)), (1, alert(3, c=1)), (2, alert(4, c=2)), (3, alert(5, c=3)), (11, alert(6, c=1))]
        assert taken(shaper, rows) == ["id1", "id2", "id5", "1x m3", "id6"]

    def test_more_buckets_than_allowed_share_one(self) -> None:
        shaper = Shaper("o", rate_limit=limit(0.01, 1, "n", max_groups=2))
        assert taken(shaper, [(0, alert(n, n=n)) for n in range(8)]) == ["id0", "id1", "id2"]
        assert taken(shaper, [(200, alert(9, n=9))]) == ["1x m3", "1x m4", "3x m5", "id9"]

    def test_it_limits_what_a_roll_up_lets_through_but_no_summary(self) -> None:
        shaper = Shaper("o", roll_up=roll_up(), rate_limit=limit(0.01, 1, window=60))
        rows = [(0, alert(1)), (1, alert(2)), (2, alert(3, "b")), (3, alert(4, "b")), (20, alert(5))]
        assert taken(shaper, rows) == ["id1", "1x m2", "1x m4"]
        shaper.close(None)
        assert [name(each) for each in shaper.pending] == ["1x m3", "1x m5"]


class TestSaved:
    def test_of_other_settings_everything_is_closed(self) -> None:
        first = Shaper("o", roll_up=roll_up(), rate_limit=limit(1, 1))
        taken(first, [(0, alert(1)), (0, alert(2)), (0, alert(3, "b"))])
        saved = kept({}, first)
        for changed in (Shaper("o", saved=saved), Shaper("o", roll_up=roll_up("c"), saved=saved)):
            assert sorted(name(each) for each in changed.pending) == ["1x m2", "1x m3"]
            again = kept(saved, changed)
            assert {key.partition(":")[0] for key in again} <= {"pending", "settings"}
            changed.delivered(changed.pending)
            assert {key.partition(":")[0] for key in kept(again, changed)} <= {"settings"}

    def test_what_is_damaged_is_counted(self) -> None:
        saved = {"rolled:1": "[", "rolled:2": "[1]", "pending:1": "7", "bucket:1": "{}", "limited:x": "null"}
        shaper = Shaper("o", roll_up=roll_up(), saved=saved)
        assert shaper.counters().unreadable == 5
        assert shaper.pending == []
        assert set(kept(saved, shaper)) == {"settings"}

    def test_a_shaper_without_settings_saves_nothing(self) -> None:
        shaper = Shaper("o")
        assert taken(shaper, [(0, alert(1)), (0, alert(1))]) == ["id1", "id1"]
        assert shaper.changes() == {}

    def test_bytes_that_are_no_text_survive(self) -> None:
        shaper = Shaper("o", roll_up=roll_up())
        odd = dataclasses.replace(alert(2, name="\udcff"), message="\udc80", id="2")
        taken(shaper, [(0, alert(1, name="\udcff")), (0, odd)])
        again = Shaper("o", roll_up=roll_up(), saved=kept({}, shaper))
        for each in (shaper, again):
            each.close(None)
        assert again.pending == shaper.pending
        assert again.pending[0].fields["name"] == "\udcff"


def kept(saved: dict[str, str], shaper: Shaper) -> dict[str, str]:
    """What is saved after the changes."""
    both = {**saved, **shaper.changes()}
    return {key: text for key, text in both.items() if text is not None}


class Killed(Exception):
    """The sensor is no more."""


class World:
    """Spool, lane and receiver: the spool keeps rows, cursor and state; the receiver keeps what it was sent, by id."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.rows: list[tuple[int, Alert]] = []
        self.cursor, self.saved = 0, dict[str, str]()
        self.received: dict[str, Alert] = {}
        self.life: int | None = None
        self.shaper = Shaper("o", **options)

    def step(self) -> None:
        """A moment at which a kill may hit."""
        if self.life is not None:
            self.life -= 1
            if self.life < 0:
                raise Killed

    def commit(self, cursor: int) -> None:
        self.step()
        self.saved = kept(self.saved, self.shaper)
        self.cursor = cursor
        self.step()

    def deliver(self, alerts: list[Alert]) -> None:
        for each in alerts:
            self.step()
            assert self.received.setdefault(each.id, each) == each, "one id, two contents"
        self.step()

    def pending(self) -> None:
        if alerts := self.shaper.pending:
            self.commit(self.cursor)
            self.deliver(alerts)
            self.shaper.delivered(alerts)

    def drain(self, batch: int, now: int | None) -> None:
        """What a lane does, until there is nothing more to do."""
        self.pending()
        while rows := self.rows[self.cursor : self.cursor + batch]:
            self.deliver([found for received, each in rows for found in self.shaper.take(received, each)])
            self.commit(self.cursor + len(rows))
        self.shaper.close(now)
        self.pending()

    def run(self, batch: int, now: int | None, life: int | None = None) -> None:
        """Lets the lane run; with `life`, it is killed after so many steps, and the next call finds what is saved."""
        self.life = life
        try:
            self.drain(batch, now)
        except Killed:
            self.shaper = Shaper("o", saved=self.saved, **self.options)


kinds = st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.sampled_from([Priority.ERROR, Priority.NOTICE]))
groupings = st.lists(st.sampled_from(["rule", "c", "priority", "source"]), max_size=2, unique=True)
roll_ups = st.builds(lambda by, w, m: roll_up(*by, window=w, max_groups=m), groupings, st.integers(1, 6), st.integers(1, 4))
limits = st.builds(
    lambda r, b, by, w, m: limit(r, b, *by, window=w, max_groups=m),
    st.sampled_from([0.2, 0.5, 1, 3]), st.integers(1, 3), groupings, st.integers(1, 6), st.integers(1, 4),
)  # fmt: skip
pauses = st.sampled_from([0, 0, 0.5, 1, 1, 2, 5, -3])
rows = st.lists(st.tuples(pauses, kinds), max_size=8)
turns = st.tuples(rows, st.integers(1, 5), st.sampled_from([0, 0, 0.5, 4]), st.none() | st.integers(0, 12))


@settings(deadline=None, max_examples=300)
@given(rolled=st.none() | roll_ups, limited=st.none() | limits, story=st.lists(turns, max_size=10))
def test_every_alert_is_delivered_or_counted_exactly_once(rolled: RollUp | None, limited: RateLimit | None, story: list[Any]) -> None:
    world = World(router=Router((), parse([{"fields": {"c": "3"}}])), roll_up=rolled, rate_limit=limited)
    clock, number = 1000.0, 0
    expected: list[Alert] = []
    for arrivals, batch, ahead, life in story:
        for pause, (rule, c, priority) in arrivals:
            clock += pause  # also back
            number += 1
            each = alert(number, rule, priority=priority, c=c)
            world.rows.append((int(clock * SECOND), each))
            expected += [each] if c < 3 else []
        world.run(batch, int((clock + ahead) * SECOND), life)  # the next rows may be older than what the lane took for now
    world.run(3, None)

    single = [each for each in world.received.values() if "rollup.count" not in each.fields]
    sums = [each for each in world.received.values() if "rollup.count" in each.fields]
    assert len(single) + sum(each.fields["rollup.count"] for each in sums) == len(expected)
    counted = Counter(each.rule for each in single)
    for each in sums:
        counted.update(each.fields.get("rollup.rules", {each.rule: each.fields["rollup.count"]}))
        assert each.fields["rollup.first"] <= each.fields["rollup.last"]
    assert counted == Counter(each.rule for each in expected)
    assert {each.id for each in single} <= {each.id for each in expected}
    held = {each.time for each in expected} - {each.time for each in single}
    if sums:  # times are the numbers, so that each names its alert
        assert min(each.fields["rollup.first"] for each in sums) == min(held)
        assert max(each.fields["rollup.last"] for each in sums) == max(held)
    else:
        assert not held
    assert world.shaper.pending == []
    left = kept(world.saved, world.shaper)
    assert {key.partition(":")[0] for key in left} <= {"settings", "bucket", "rolled"}
    assert not any(json.loads(text)[2] for key, text in left.items() if key.startswith("rolled:"))  # windows without a count


@pytest.mark.parametrize("rolled", [None, roll_up("rule", window=3)])
def test_order_is_kept_among_those_that_pass(rolled: RollUp | None) -> None:
    shaper = Shaper("o", roll_up=rolled, rate_limit=limit(2, 3))
    out = [each for n in range(200) for each in shaper.take(n * SECOND // 10, alert(n, "ab"[n % 2]))]
    single = [each.time for each in out if "rollup.count" not in each.fields]
    assert single == sorted(single)
