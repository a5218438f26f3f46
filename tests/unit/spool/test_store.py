from __future__ import annotations

from typing import Any

import pytest

from tests.unit.spool.conftest import Lab, alert, hurry, wait_for
from tiercel.alert import Priority
from tiercel.spool import keeper, recent

MIB = 1 << 20


def test_an_output_goes_on_where_it_was(lab: Lab) -> None:
    reader = lab.start().attach("one")
    lab.put(alert("a"), alert("b"), alert("c"))
    assert lab.take(reader, 2) == ["a", "b"]
    lab.stop()
    reader = lab.start().attach("one")
    assert reader.behind == 1
    assert lab.take_all(reader) == ["c"]
    lab.put(alert("d"))
    assert lab.take_all(reader) == ["d"]


def test_a_new_output_begins_behind_the_last_alert(lab: Lab) -> None:
    lab.start().attach("one")
    lab.put(alert("a"))
    reader = lab.attach("two")
    lab.put(alert("b"))
    assert lab.take_all(reader) == ["b"]


def test_an_output_at_work_is_not_forgotten_however_quiet_it_is(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr(keeper, "TRIM_PAUSE", 0.02)
    lab.start().attach("gone")
    lab.spool.detach(lab.attach("gone")).result(5)
    lab.attach("quiet")
    database = lab.spool._disk.database
    assert database is not None

    def outputs() -> list[str]:
        return [name for (name,) in lab.spool.call(lambda: database._connection.execute("SELECT id FROM outputs").fetchall()).result(5)]

    assert sorted(outputs()) == ["gone", "quiet"]
    lab.spool.call(lambda: database._connection.execute("UPDATE outputs SET used = 0")).result(5)
    wait_for(lambda: "gone" not in outputs())
    assert outputs() == ["quiet"]
    lab.put(alert("a"))
    lab.stop()
    assert lab.start().attach("quiet").behind == 1


def test_an_output_far_behind_reads_from_the_disk_in_order(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MAX_ROWS", 10)
    slow, fast = lab.start().attach("slow"), lab.attach("fast")
    rules = [f"r{number}" for number in range(300)]
    for rule in rules:
        lab.put(alert(rule))
        assert lab.take(fast) == [rule]
    assert lab.spool.take(slow, 1) is None  # not in memory any more
    assert lab.take_all(slow) == rules
    assert slow.behind == 0


def test_an_alert_that_is_there_already_is_left_out(lab: Lab) -> None:
    reader = lab.start().attach("one")
    again = alert("a")
    lab.put(again, alert("b"))
    lab.put(again, alert("c"))
    assert lab.take_all(reader) == ["a", "b", "c"]
    assert (lab.counters.stored, lab.counters.known) == (3, 1)


def test_everything_of_an_alert_comes_back(lab: Lab) -> None:
    sent = alert(
        "ü \udcff", tags=("a b", "c"), hostname="h", fields={"proc.name": "\udcfe\0", "evt.num": 1 << 70, "n": None, "l": [1, "x"]}
    )
    lab.start().attach("one")
    lab.put(sent)
    lab.stop()
    taken = lab.start().spool.fetch(lab.attach("one"), 10).result(5)
    assert [row.alert for row in taken.rows] == [sent]


class TestMemory:
    def test_is_there_with_the_place_it_belongs_to(self, lab: Lab) -> None:
        reader = lab.start().attach("one")
        lab.put(alert("a"))
        taken = lab.spool.take(reader, 10)
        assert taken is not None
        lab.spool.advance(reader, taken, {"x": "1", "y": "2"})
        lab.spool.remember(reader, taken.epoch, {"y": None, "z": "3"}).result(5)
        lab.stop()
        reader = lab.start().attach("one")
        assert (reader.memory, reader.behind) == ({"x": "1", "z": "3"}, 0)
        assert lab.attach("two").memory == {}

    def test_does_not_change_with_a_place_that_does_not_count(self, lab: Lab) -> None:
        reader = lab.start().attach("one")
        lab.put(alert("a"))
        taken = lab.spool.take(reader, 10)
        assert taken is not None
        lab.spool.call(lambda: reader.move(reader.cursor)).result(5)
        lab.spool.advance(reader, taken, {"x": "1"})
        lab.spool.remember(reader, taken.epoch, {"y": "1"}).result(5)
        assert reader.memory == {}
        assert lab.take_all(reader) == ["a"]

    def test_survives_an_output_that_leaves_while_nothing_can_be_written(self) -> None:
        lab = Lab(None).start()
        reader = lab.attach("one")
        lab.spool.remember(reader, reader.epoch, {"x": "1"}).result(5)
        lab.put(alert("a"))
        lab.spool.detach(reader).result(5)
        lab.put(alert("b"))
        reader = lab.attach("one")
        assert reader.memory == {"x": "1"}
        assert lab.take_all(reader) == ["a", "b"]
        lab.stop()


def test_no_disk_on_purpose_is_no_trouble() -> None:
    lab = Lab(None).start()
    reader = lab.attach("one")
    lab.put(alert("a"))
    assert lab.take_all(reader) == ["a"]
    lab.stop()
    assert (lab.reports, lab.spool.counters().problem) == ([], "")


class TestTooMany:
    def test_what_every_output_has_goes_first(self, lab: Lab) -> None:
        reader = lab.start(max_bytes=MIB).attach("one")
        for number in range(300):
            lab.put(alert(f"{number}", size=10_000, priority=Priority.EMERGENCY))
            assert lab.take(reader) == [f"{number}"]
        lab.flush()
        assert lab.counters.bytes <= MIB
        assert lab.counters.evicted > 190
        assert (reader.evicted, reader.behind, lab.reports) == (0, 0, [])

    def test_then_the_least_urgent_and_of_those_the_oldest(self, lab: Lab) -> None:
        slow = lab.start(max_bytes=MIB).attach("slow")
        urgent = [f"urgent {number}" for number in range(40)]
        for number in range(40):
            lab.put(alert(urgent[number], size=10_000, priority=Priority.CRITICAL))
        for number in range(100):
            lab.put(alert(f"debug {number}", size=10_000, priority=Priority.DEBUG))
        evicted = slow.evicted
        assert lab.counters.evicted == evicted > 0
        assert slow.behind == 140 - evicted
        found = lab.take_all(slow)
        assert found == urgent + [f"debug {number}" for number in range(evicted, 100)]
        assert slow.behind == 0
        message = next(message for rule, message in lab.reports if rule == "spool eviction")
        assert "the spool is full" in message
        assert "of output slow" in message

    def test_what_an_output_is_being_given_stays(self, lab: Lab) -> None:
        """It may still be needed: after a kill nobody would know that it was there."""
        slow, other = lab.start(max_bytes=MIB).attach("slow"), lab.attach("other")
        for number in range(200):
            lab.put(alert(f"{number}", size=10_000))
            if number == 20:
                assert lab.take(other) == [f"{number}" for number in range(21)]
                assert len(lab.spool.take(slow, 20).rows) == 20  # type: ignore[union-attr]
        lost = slow.evicted
        assert lab.counters.evicted == lost > 80
        assert slow.behind == 200 - lost
        lab.stop()  # as a kill, for what is in delivery
        slow = lab.start(max_bytes=MIB).attach("slow")
        assert slow.behind == 200 - lost
        assert lab.take_all(slow)[:20] == [f"{number}" for number in range(20)]

    def test_what_was_evicted_is_remembered(self, lab: Lab) -> None:
        slow = lab.start(max_bytes=MIB).attach("slow")
        lab.put(*(alert(size=10_000) for _ in range(200)))
        behind = slow.behind
        assert slow.evicted == 200 - behind > 0
        lab.stop()
        assert lab.start(max_bytes=MIB).attach("slow").behind == behind

    def test_what_is_too_old_goes(self, lab: Lab) -> None:
        reader = lab.start(max_age=0.3).attach("one")
        lab.put(alert("a"), alert("b"))
        lab.spool.call(lambda: __import__("time").sleep(1.2)).result(5)
        lab.put(alert("c"))
        assert lab.take_all(reader)[-1:] == ["c"]
        assert lab.counters.expired == reader.evicted == 2
        assert "they were too old" in lab.reports[0][1]


@pytest.mark.parametrize("fsync", ["each", "interval", "never"])
def test_every_fsync_policy_keeps_alerts(lab: Lab, fsync: str) -> None:
    reader = lab.start(fsync=fsync, fsync_interval=0.01).attach("one")
    for number in range(20):
        lab.put(alert(f"{number}"))
    lab.stop()
    reader = lab.start(fsync=fsync).attach("one")
    assert len(lab.take_all(reader)) == 20


@pytest.mark.parametrize("time", [1 << 63, -1, None, 1.5])
def test_an_alert_that_nothing_can_write_holds_up_no_other(lab: Lab, time: Any) -> None:
    reader = lab.start().attach("one")
    lab.put(alert("a"), alert("wrong", time=time), alert("b"))
    lab.put(alert("c"))
    assert lab.take_all(reader) == ["a", "b", "c"]
    assert (lab.spool.counters().unstored, lab.spool.counters().problem) == (1, "")
