from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.spool.conftest import Lab, alert, hurry
from tiercel.alert import Priority

EVIL = "\x1b[2Jx\ny\udcff"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def lab(state: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A spool with three alerts: `one` has the first, and has refused another; `two` has none."""
    hurry(monkeypatch)
    (tmp_path / "lab.yaml").write_text(f"sources: {{lab: }}\nstate_dir: {state}\n")
    made = Lab(state).start()
    one = made.attach("one")
    made.attach("two")
    made.put(alert("shell", id="aa" + "0" * 30, priority=Priority.CRITICAL, tags=("host",), fields={"proc.name": EVIL}))
    made.put(alert("shell two", id="ab" + "0" * 30), alert("noise", id="b" * 32, priority=Priority.DEBUG, source="k8s_audit", size=3))
    made.take(one, 1)
    made.spool.bury(one, [alert("large", id="c" * 32)], "too large\x07")
    time.sleep(0.06)  # until the place is noted
    made.flush()
    made.flush()
    yield made
    made.stop()


def rules(run: Run, *arguments: str) -> list[str]:
    done = run("alerts", "list", "--json", *arguments)
    assert done.code == 0, done.err
    return [json.loads(line)["rule"] for line in done.out.splitlines()]


def test_list_chooses(run: Run, lab: Lab) -> None:
    assert rules(run) == ["shell", "shell two", "noise"]
    assert rules(run, "-n", "1") == ["noise"]
    assert rules(run, "--priority", "notice") == ["shell", "shell two"]
    assert rules(run, "-r", "shell*", "-r", "none") == ["shell", "shell two"]
    assert rules(run, "-t", "host") == ["shell"]
    assert rules(run, "-s", "k8s_audit") == ["noise"]
    assert rules(run, "--since", "1h", "--waiting-for", "one") == ["shell two", "noise"]
    assert rules(run, "--until", "1h") == []
    assert rules(run, "--since", "2099-01-01T00:00") == []


def test_list_is_text_that_does_nothing_to_a_terminal(run: Run, lab: Lab) -> None:
    lab.put(alert(EVIL, message=EVIL))
    line = run("alerts", "list").out.splitlines()[-1]
    assert "Notice" in line
    assert line.endswith(r"\x1b[2Jx\ny\udcff: \x1b[2Jx\ny\udcff")


def test_tail_goes_on_until_interrupted(run: Run, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    coming = [[alert("new", priority=Priority.DEBUG), alert("newer")], [], [alert("newest")]]

    def sleep(seconds: float) -> None:
        if not coming:
            raise KeyboardInterrupt
        lab.put(*coming.pop(0))

    monkeypatch.setattr("tiercel.cli.alerts.time.sleep", sleep)
    done = run("alerts", "tail", "-n", "1", "-p", "notice", "--json")
    assert done.code == 130
    assert [json.loads(line)["rule"] for line in done.out.splitlines()] == ["shell two", "newer", "newest"]


def test_show(run: Run, lab: Lab) -> None:
    out = run("alerts", "show", "aa").out
    assert r"  proc.name: \x1b[2Jx\ny\udcff" in out
    assert "  one: delivered\n  two: waits\n" in out
    assert json.loads(run("alerts", "show", "bb", "--json").out)["outputs"] == {"one": "waits", "two": "waits"}
    for wrong, words in (("a", "begins two alerts or more"), ("ffff", "is no alert's that is kept")):
        done = run("alerts", "show", wrong)
        assert (done.code, done.out) == (2, "")
        assert words in done.err


def test_status(run: Run, lab: Lab) -> None:
    out = run("spool", "status").out.splitlines()
    assert "3 alerts (1 Critical, 1 Notice, 1 Debug)" in out[0]
    assert [line.split()[:2] for line in out[2:]] == [["OUTPUT", "WAITING"], ["one", "2"], ["two", "3"]]
    value = json.loads(run("spool", "status", "--json").out)
    assert [(each["output"], each["waiting"], each["dead"]) for each in value["outputs"]] == [("one", 2, 1), ("two", 3, 0)]


def test_dead_letters_with_their_reasons(run: Run, lab: Lab) -> None:
    head, line = run("spool", "dead-letters").out.splitlines()
    assert head.split() == ["REFUSED", "OUTPUT", "ID", "RULE", "REASON"]
    assert line.endswith(r"large  too large\x07")
    assert len(run("spool", "dead-letters", "--output", "two").out.splitlines()) == 1


def test_replay(run: Run, lab: Lab) -> None:
    assert run("spool", "replay", "--output", "one", "--since", "1h").out == "3 alerts will be sent again\n"
    assert run("spool", "replay", "--dead-letters", "c" * 32).out == "1 alerts will be sent again\n"
    assert "(to be sent again)" in run("spool", "dead-letters").out


def test_purge(run: Run, lab: Lab) -> None:
    assert run("spool", "purge", "--waiting", "--output", "two", "--yes").out == "3 alerts given up\n"
    assert run("spool", "purge", "--dead-letters", "--yes").out == "1 alerts given up\n"
    assert run("spool", "purge", "--before", "2099-01-01", "--yes").out == "3 alerts given up\n"
    assert rules(run) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("spool", "replay"), "what to send again"),
        (("spool", "replay", "--since", "1h"), "goes with --output"),
        (("spool", "replay", "--dead-letters", "--since", "1h"), "what to send again"),
        (("spool", "purge"), "what to give up"),
        (("spool", "purge", "--waiting"), "goes with --output"),
        (("spool", "purge", "--before", "1h", "--output", "one"), "leave --output out"),
        (("spool", "replay", "--output", "nobody", "--since", "1h"), "output nobody is not known here"),
        (("alerts", "list", "--since", "soon"), "no time (got 'soon'"),
        (("alerts", "list", "-p", "high"), "unknown priority (got 'high'"),
        (("alerts", "list", "--waiting-for", "nobody"), "not known to the spool (known: one, two)"),
    ],
)
def test_mistakes(run: Run, lab: Lab, arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


@pytest.mark.parametrize("arguments", [("spool", "status"), ("alerts", "list"), ("spool", "purge", "--dead-letters", "--yes")])
def test_no_spool(run: Run, tmp_path: Path, state: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "lab.yaml").write_text(f"sources: {{lab: }}\nstate_dir: {state}\n")
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert f"{state}/spool.db: No such file or directory" in done.err
    assert not state.exists()


@pytest.mark.parametrize("arguments", [("spool", "status"), ("alerts", "list"), ("spool", "purge", "--dead-letters", "--yes")])
def test_a_file_that_is_no_spool(run: Run, tmp_path: Path, state: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "lab.yaml").write_text(f"sources: {{lab: }}\nstate_dir: {state}\n")
    state.mkdir(mode=0o700)
    (state / "spool.db").write_bytes(os.urandom(5000))
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "file is not a database" in done.err
