"""``tiercel replay`` on captures of made records, with the decoder of this checkout."""

from __future__ import annotations

import json
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit import distributions
from tests.unit.cli.conftest import Outcome
from tests.unit.tiercel_ebpf.made import SECOND, image, opened
from tiercel import RawBatch
from tiercel.alert import alert_id
from tiercel.capture import Metadata, Writer
from tiercel.capture.format import BATCH, CHECKPOINT, JOURNAL, STATE
from tiercel.cli.main import main
from tiercel.cli.session import Setting
from tiercel.config.files import Files
from tiercel_ebpf import records as r
from tiercel_ebpf.fields import FIELDS
from tiercel_ebpf.snapshots import pack

RULES = """\
- rule: opened
  desc: a file
  condition: evt.type = openat and fd.name startswith /data/
  output: "%fd.name %proc.cmdline %proc.pname %user.name %evt.hostname"
  priority: NOTICE
- rule: shells
  desc: by another name
  condition: evt.type = execve and proc.exepath = /bin/sh
  output: "%proc.cmdline"
  priority: NOTICE
"""
START = 100 * SECOND
CLOCK: dict[str, Any] = {"clock": START, "clock_offset": 7}


def metadata(**changes: Any) -> Metadata:
    values: dict[str, Any] = {
        "event_source": "syscall", "source": "ebpf", "layout": r.LAYOUT_NAME, "origin": "boot:ring", "hostname": "recorded", "kernel": "6.1",
        "version": "0.1.0", "time": START + 7, "complete": True, "types": frozenset({"openat", "execve"}),
        "fields": frozenset(f.name for f in FIELDS) | {"evt.num", "evt.hostname", "evt.rawtime"}, "paths": {"/bin": "/usr/bin"},
    }  # fmt: skip
    return Metadata(**(values | changes))


def snapshot(*rows: Any) -> RawBatch:
    return RawBatch("syscall", [pack(row) for row in rows])


def entries() -> list[tuple[int, RawBatch]]:
    same: dict[str, Any] = {"flags": r.F_SAME}
    state = snapshot(
        image("task", comm="init", pid=1, ppid=0, start=1), image("task", comm="cat", pid=10),
        r.CommandLine((10, 5, 1, b"cat\0-n\0")), r.Accounts(b"root:x:0:0:::\nalice:x:77:0:::\n"),
    )  # fmt: skip
    return [
        (STATE, state),
        (JOURNAL, RawBatch("syscall", [image(comm="dog", pid=11, start=6, args=b"dog\0")])),
        (BATCH, RawBatch("syscall", [(1000, opened(real="/data/a", uid=77, time=START, **same)), (1200, opened(real="/etc/x", **same))], 1000, **CLOCK)),
        (BATCH, RawBatch("syscall", (), **CLOCK)),
        (BATCH, RawBatch("syscall", [(1400, opened(real="/data/b", tgid=11, tid=11, start=6, time=START + SECOND, **same))], 1400, **CLOCK)),
        (CHECKPOINT, state),
        (BATCH, RawBatch("syscall", [
            (1600, opened(real="/data/c", tgid=99, tid=99, start=50, time=START + 2 * SECOND, **same)),
            (1800, image("execve", comm="sh", time=START + 2 * SECOND, args=b"sh\0-c\0", exec_id=2)),
        ], 1600, clock=START + 2 * SECOND, clock_offset=7)),
        (STATE, snapshot(image("task", comm="late", pid=99, start=50), r.CommandLine((99, 50, 1, b"late\0")))),
    ]  # fmt: skip


def write(path: Path, what: list[tuple[int, RawBatch]] | None = None, *, close: bool = True, lost: int = 0, **changes: Any) -> bytes:
    with path.open("wb") as file:
        writer = Writer(file.write, metadata(**changes))
        for kind, batch in entries() if what is None else what:
            writer.add(kind, batch)
        writer.flush()
        if close:
            writer.close({"counters": {"openat": {"lost": lost, "seen": 5}}})
    return path.read_bytes()


Run = Callable[..., Outcome]


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tiercel.config.load.DEFAULT_FILE", tmp_path / "none")
    (tmp_path / "rules.yaml").write_text(RULES)
    own = distributions.tiercel_itself(tmp_path / "dist", plugins=True)

    def call(*arguments: str) -> Outcome:
        capfdbinary.readouterr()
        code = main(["replay", *arguments], setting=Setting(distributions=[own], files=Files()))
        captured = capfdbinary.readouterr()
        return Outcome(code, captured.out.decode(), captured.err.decode())

    return call


def test_alerts_as_the_live_sensor_gave_them(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "capture")
    done = run("capture", "-r", "rules.yaml", "--json")
    assert (done.code, done.err) == (0, "tiercel: 5 events, 4 alerts\n")
    alerts = [json.loads(line) for line in done.out.splitlines()]
    assert [(a["rule"], a["output"].split(" Notice ", 1)[1]) for a in alerts] == [
        ("opened", "/data/a cat -n init alice recorded"),
        ("opened", "/data/b dog init root recorded"),
        ("opened", "/data/c late init root recorded"),
        ("shells", "sh -c"),
    ]
    assert {a["hostname"] for a in alerts} == {"recorded"}
    assert alerts[0]["id"] == alert_id(origin="boot:ring", position=1000, rule="opened", view=0)
    assert run("capture", "-r", "rules.yaml", "--json") == done


def test_captures_of_earlier_versions(run: Run, tmp_path: Path) -> None:
    """The file was written by version 0.1.0 with `write` of this module. It must stay readable as it is."""
    old = Path(__file__).parent / "version-1.tcap"
    write(tmp_path / "capture")
    done = run(str(old), "-r", "rules.yaml", "--json")
    assert done == run("capture", "-r", "rules.yaml", "--json")
    assert len(done.out.splitlines()) == 4


def test_text_as_run_prints_it(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "capture")
    lines = run("capture", "-r", "rules.yaml").out.splitlines()
    assert len(lines) == 4
    assert lines[0].endswith(".000000007: Notice /data/a cat -n init alice recorded")


def test_from_the_middle(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "capture")
    out = [run("capture", "-r", "rules.yaml", "--from", seconds).out for seconds in ("0", "0.5", "1", "2", "3")]
    assert [[line.split(" Notice ")[1].split()[0] for line in each.splitlines()] for each in out] == [
        ["/data/a", "/data/b", "/data/c", "sh"],
        ["/data/b", "/data/c", "sh"],
        ["/data/b", "/data/c", "sh"],
        ["/data/c", "sh"],
        [],
    ]


def test_export(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "capture")
    done = run("capture", "--export", "ndjson")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [(e["evt.type"], e.get("fd.name"), e["proc.name"], e["evt.rawtime"], e["evt.hostname"]) for e in events] == [
        ("openat", "/data/a", "cat", START + 7, "recorded"),
        ("openat", "/etc/x", "cat", START + 7, "recorded"),
        ("openat", "/data/b", "dog", START + SECOND + 7, "recorded"),
        ("openat", "/data/c", "late", START + 2 * SECOND + 7, "recorded"),
        ("execve", None, "sh", START + 2 * SECOND + 7, "recorded"),
    ]
    assert None not in events[0].values()


def test_export_leaves_out_what_was_not_collected(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "capture", fields=frozenset({"evt.type", "proc.name", "fd.name", "thread.cgroups"}), complete=False)
    (event, *_) = map(json.loads, run("capture", "--export", "ndjson").out.splitlines())
    assert event["proc.name"] == "cat"
    assert event["container.id"] == "host"  # computed from what was
    assert event["evt.time.s"]
    assert not {"proc.cmdline", "user.name", "proc.pname"} & set(event)


def test_export_of_bytes_that_are_no_text(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "capture", [(BATCH, RawBatch("syscall", [(1, opened(real=b"/data/\xff", flags=r.F_SAME))]))])
    assert json.loads(run("capture", "--export", "ndjson").out)["fd.name"] == "/data/\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"types": frozenset({"openat"})}, "rules name event types that were not recorded: execve"),
        ({"fields": metadata().fields - {"proc.cmdline"}}, "rules read fields that were not recorded: proc.cmdline"),
        ({"complete": False}, "only events that pass the masks of the recording rules were recorded"),
        ({"lost": 3}, "capture: events were lost while it was recorded: openat 3"),
        ({"close": False}, "capture: the recording was cut off; it ends without an index at byte "),
    ],
)
def test_what_people_must_know(run: Run, tmp_path: Path, changes: dict[str, Any], warning: str) -> None:
    write(tmp_path / "capture", **changes)
    done = run("capture", "-r", "rules.yaml")
    assert done.code == 0
    assert warning in done.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layout": "ebpf-0"}, 'tiercel: capture: records of layout "ebpf-0"; decoder syscall reads ebpf-1; try the version 0.1.0\n'),
        ({"event_source": "audit"}, 'tiercel: capture: no plugin has a decoder for event source "audit"\n'),
    ],
)
def test_captures_that_nobody_decodes(run: Run, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write(tmp_path / "capture", **changes)
    for more in (["-r", "rules.yaml"], ["--export", "ndjson"]):
        assert run("capture", *more) == Outcome(2, "", message)


class TestBadFiles:
    def test_missing(self, run: Run) -> None:
        assert run("none") == Outcome(2, "", "tiercel: none: cannot be read: No such file or directory\n")

    def test_directory(self, run: Run, tmp_path: Path) -> None:
        assert run(".") == Outcome(2, "", "tiercel: .: cannot be read: Is a directory\n")

    def test_empty(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "capture").touch()
        assert run("capture") == Outcome(2, "", "tiercel: capture: empty, not a capture\n")

    def test_rules_are_no_capture(self, run: Run) -> None:
        done = run("rules.yaml")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("tiercel: rules.yaml: offset 0: not a capture")

    def test_damaged_in_the_middle(self, run: Run, tmp_path: Path) -> None:
        data = bytearray(write(tmp_path / "capture"))
        data[-300] ^= 255
        (tmp_path / "capture").write_bytes(data)
        done = run("capture", "-r", "rules.yaml")
        assert done.code == 2
        assert done.err.startswith("tiercel: capture: offset ")
        assert len(done.err.splitlines()) == 1

    def test_fifo(self, run: Run, tmp_path: Path) -> None:
        data = write(tmp_path / "capture")
        os.mkfifo(tmp_path / "fifo")
        thread = threading.Thread(target=lambda: (tmp_path / "fifo").write_bytes(data))
        thread.start()
        assert len(run("fifo", "-r", "rules.yaml", "--from", "0.5").out.splitlines()) == 3
        thread.join()

    def test_snapshot_that_is_none(self, run: Run, tmp_path: Path) -> None:
        write(tmp_path / "capture", [(STATE, RawBatch("syscall", [b"?"]))])
        assert run("capture", "-r", "rules.yaml").err.startswith("tiercel: capture: a record of a snapshot is damaged: unknown kind")


def test_real_time(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "capture")
    done = run("capture", "-r", "rules.yaml", "--speed", "20")  # 2 seconds of it take 0.1
    assert len(done.out.splitlines()) == 4


def test_bar_on_a_terminal(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "[bold]capture")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        assert len(run("[bold]capture", "-r", "rules.yaml").out.splitlines()) == 4
        terminal.flush()
        shown = ""
        while "100%" not in shown and select.select([ours], [], [], 5)[0]:  # the kernel hands it over in parts
            shown += os.read(ours, 1 << 16).decode(errors="replace")
    os.close(ours)
    assert "[bold]capture" in shown
    assert "100%" in shown


def test_speed_and_real_time(run: Run, tmp_path: Path) -> None:
    done = run("capture", "--speed", "2", "--real-time")
    assert done.code == 2
    assert "exclude each other" in done.err
