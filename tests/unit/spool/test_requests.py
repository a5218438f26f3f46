"""Commands change a spool, whether a sensor uses it or not."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.spool.conftest import Lab, alert, hurry
from tiercel.spool import requests
from tiercel.spool.database import NAME, Database
from tiercel.spool.files import SpoolError
from tiercel.spool.query import Viewer
from tiercel.spool.requests import Request, request, serve


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture(params=["running", "stopped"])
def running(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "running")


def ask(lab: Lab, wanted: Request, *, running: bool) -> int:
    """Has it changed; afterwards the spool is at work."""
    assert lab.folder is not None
    if not running:
        lab.stop()
    count = request(lab.folder, wanted)
    if not running:
        lab.start()
    return count


def evicted(lab: Lab) -> dict[str, int]:
    """Output -> the alerts that were removed before it had them."""
    assert lab.folder is not None
    with contextlib.closing(Viewer(lab.folder)) as viewer:
        return {place.output: place.evicted for place in viewer.places()}


def test_an_output_gets_everything_since_a_time_again(lab: Lab, *, running: bool) -> None:
    one, two = lab.start().attach("one"), lab.attach("two")
    lab.put(alert("a"))
    lab.put(alert("b"))
    taken = lab.spool.take(one, 1)
    assert taken is not None
    lab.spool.advance(one, taken)
    assert lab.take_all(one) == ["b"]
    assert lab.take_all(two) == ["a", "b"]
    since = taken.last + 1  # microseconds: behind the first
    assert ask(lab, Request("replay", "one", since), running=running) == 1
    one, two = (one, two) if running else (lab.attach("one"), lab.attach("two"))
    assert (one.behind, two.behind) == (1, 0)
    assert lab.take_all(one) == ["b"]
    assert lab.take_all(two) == []
    lab.stop()
    one, two = lab.start().attach("one"), lab.attach("two")
    assert (one.behind, two.behind) == (0, 0)
    lab.put(alert("c"))
    assert lab.take_all(one) == lab.take_all(two) == ["c"]


def test_what_waits_for_an_output_is_given_up(lab: Lab, *, running: bool) -> None:
    one, two = lab.start().attach("one"), lab.attach("two")
    lab.put(alert("a"), alert("b"))
    assert ask(lab, Request("purge waiting", "one"), running=running) == 2
    one, two = (one, two) if running else (lab.attach("one"), lab.attach("two"))
    assert (one.behind, two.behind) == (0, 2)
    assert evicted(lab) == {"one": 2, "two": 0}
    assert (one.evicted, two.evicted) == ((2, 0) if running else (0, 0))  # of this run
    assert lab.take_all(one) == []
    assert lab.take_all(two) == ["a", "b"]


def test_alerts_are_removed(lab: Lab, *, running: bool) -> None:
    one = lab.start().attach("one")
    lab.put(alert("a"), alert("b"))
    assert ask(lab, Request("purge alerts"), running=running) == 2
    one = one if running else lab.attach("one")
    assert (one.behind, lab.counters.bytes) == (0, 0)
    assert evicted(lab) == {"one": 2}
    assert one.evicted == (2 if running else 0)
    lab.put(alert("c"))
    assert lab.take_all(one) == ["c"]
    lab.stop()
    assert lab.start().attach("one").behind == 0


class TestDeadLetters:
    def bury(self, lab: Lab) -> None:
        for name in ("one", "two"):
            reader = lab.attach(name)
            lab.spool.bury(reader, [alert("a", id="1" * 32), alert("b", id="2" * 32)], "too large")
        lab.flush()

    def test_are_given_to_their_output_again(self, lab: Lab, *, running: bool) -> None:
        self.bury(lab.start())
        assert ask(lab, Request("retry", "one", ids=("2" * 32,)), running=running) == 1
        one, two = lab.attach("one"), lab.attach("two")
        assert (one.again, two.again) == (1, 0)
        (letter,) = lab.spool.letters(one, 10).result(5)
        assert letter[1] is not None
        assert letter[1].rule == "b"
        lab.spool.redeem(one, [letter[0]])
        lab.flush()
        assert one.again == 0
        assert ask(lab, Request("purge dead letters"), running=running) == 3

    def test_that_die_again_stay_with_the_new_reason(self, lab: Lab) -> None:
        self.bury(lab.start())
        assert ask(lab, Request("retry"), running=True) == 4
        one = lab.attach("one")
        (number, _), (other, found) = lab.spool.letters(one, 10).result(5)
        assert found is not None
        lab.spool.bury(one, [found], "still too large")
        lab.spool.redeem(one, [number, other])
        lab.flush()
        assert lab.spool.letters(one, 10).result(5) == []
        assert ask(lab, Request("purge dead letters", "one"), running=True) == 1


def test_an_output_that_is_not_known_is_refused(lab: Lab, *, running: bool) -> None:
    lab.start()
    lab.put(alert("a"))
    for action in ("replay", "purge waiting"):
        with pytest.raises(SpoolError, match="output nobody is not known here"):
            ask(lab, Request(action, "nobody"), running=running)
        lab.start() if not running else None


def test_a_directory_without_a_spool(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="No such file"):
        request(tmp_path, Request("retry"))
    assert list(tmp_path.iterdir()) == []


def test_a_sensor_that_does_not_answer(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "PATIENCE", 0.1)
    lab.start()
    lab.put(alert("a"))
    assert lab.folder is not None
    begun, done = threading.Event(), threading.Event()

    def busy() -> None:
        begun.set()
        done.wait(10)

    gate = lab.spool.call(busy)
    assert begun.wait(10)
    with pytest.raises(SpoolError, match="not answered"):
        request(lab.folder, Request("purge alerts"))
    done.set()
    gate.result(10)
    lab.put(alert("b"))
    assert lab.attach("one").behind == 0
    assert lab.counters.stored == 2


@settings(max_examples=30)
@given(
    st.one_of(
        st.text(),
        st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(json.dumps),
    )
)
def test_any_text_of_a_request_is_answered(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    database = Database(tmp_path_factory.mktemp("spool") / NAME, synchronous="OFF")
    with database.transaction():
        number = database.ask(text.encode(errors="replace").decode())
        assert "error" in json.loads(serve(database, number, text))
    assert database.asked() == []
    database.close()
