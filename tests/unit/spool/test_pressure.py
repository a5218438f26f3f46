"""The spool says in time that it fills with alerts that wait."""

from __future__ import annotations

import pytest

from tests.unit.spool.conftest import Lab, alert, wait_for
from tiercel.spool import keeper, pressure

MIB = 1 << 20


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pressure, "PAUSE", 0.0)
    monkeypatch.setattr(keeper, "CHORES_PAUSE", 0.0)


def put(lab: Lab, number: int) -> None:
    """Alerts of somewhat more than 10 KiB each."""
    lab.put(*(alert(size=10_240) for _ in range(number)))
    lab.flush()


def told(lab: Lab) -> list[str]:
    return [message for rule, message in lab.reports if rule == "spool pressure"]


def test_it_is_said_once_and_again_when_it_was_over(lab: Lab) -> None:
    slow = lab.start(max_bytes=MIB).attach("slow")
    fast = lab.attach("fast")
    put(lab, 60)
    assert told(lab) == []
    put(lab, 20)
    lab.take_all(fast)
    put(lab, 1)
    wait_for(lambda: told(lab))
    [message] = told(lab)
    assert "of the spool's 1 MiB wait to be delivered: 80 for output slow" in message
    lab.take_all(slow)
    lab.take_all(fast)
    put(lab, 1)
    put(lab, 60)
    assert len(told(lab)) == 1
    put(lab, 19)
    wait_for(lambda: len(told(lab)) == 2)


def test_what_all_outputs_have_is_none(lab: Lab) -> None:
    reader = lab.start(max_bytes=MIB).attach("one")
    for _ in range(10):
        put(lab, 20)
        lab.take_all(reader)
    assert lab.counters.evicted > 0
    assert lab.reports == []
    assert lab.counters.max_bytes == MIB


def test_nobody_waits_where_there_is_no_output(lab: Lab) -> None:
    lab.start(max_bytes=MIB)
    put(lab, 90)
    put(lab, 1)
    assert lab.reports == []
