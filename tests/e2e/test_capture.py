"""Recording live events, and replaying them: the same alerts with the same ids, without privilege, whatever becomes of the recorder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hard.harness import OPENS, read, root_folder, rule
from tiercel.capture import CaptureError, opened

pytestmark = pytest.mark.live

FIELDS = "evt.num evt.time proc.cmdline proc.pname proc.pcmdline proc.aname[2] user.name group.name container.id proc.cwd evt.hostname"


@pytest.fixture
def folder() -> Iterator[Path]:
    with root_folder() as path:
        (path / "watched").mkdir()
        for name in ("true", "id"):  # of our own: others run the host's
            shutil.copy(f"/usr/bin/{name}", path / name)
        yield path


def rules(folder: Path) -> Path:
    path = folder / "rules.yaml"
    path.write_text(
        rule("opened", f"{OPENS} and fd.name startswith {folder}/watched/ and proc.name != true", FIELDS)
        + rule("executed", f"evt.type in (execve, execveat) and proc.exepath startswith {folder}/", FIELDS + " proc.args[1] evt.args")
    )
    return path


@contextmanager
def recording(
    binaries: Path, folder: Path, *options: str, output: str | None = None, stdout: Any = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`tiercel record`, ready. Its words are in `folder`/log, its alerts in `folder`/alerts."""
    command = [binaries / "tiercel", "record", "-o", output or folder / "capture", "-r", rules(folder), *options]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--output-file", folder / "alerts", "--json"], stderr=log, stdout=stdout)
    try:
        end = time.monotonic() + 60
        while b"recording" not in (folder / "log").read_bytes():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)


def alerts(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "alerts").read_bytes().splitlines()]


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def deeds(folder: Path) -> None:
    """Things that the rules know, by processes of different families; the last of them opens the file `end`."""
    for number in range(5):
        read(folder / f"watched/{number}", os.O_CREAT)
    script = f"cd {folder}; cat watched/0 >/dev/null; (./id >/dev/null; ./true one two); ./true '' \"$(printf 'a\\377b')\""
    subprocess.run(["sh", "-c", script], check=True)
    nobody = ["setpriv", "--reuid", "65534", "--clear-groups", "sh", "-c", f"cat {folder}/watched/1; {folder}/true"]
    subprocess.run(nobody, check=True)
    read(folder / "watched/end", os.O_CREAT)


def ended(folder: Path) -> bool:
    return any(a["output_fields"]["fd.name"] == f"{folder}/watched/end" for a in alerts(folder)) if (folder / "alerts").exists() else False


def replay(binaries: Path, folder: Path, capture: str = "", **more: Any) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [binaries / "tiercel", "replay", capture or folder / "capture", "-r", folder / "rules.yaml", "--json"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **more)


def found(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("options", [(), ("--all",)])
def test_replay_gives_the_alerts_of_the_live_sensor(installed: Path, live_kernel: None, folder: Path, options: tuple[str, ...]) -> None:
    with recording(installed, folder, *options) as process:
        deeds(folder)
        wait_for(lambda: ended(folder), "the last deed")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    live = alerts(folder)
    assert {a["rule"] for a in live} == {"opened", "executed"}
    assert len(live) == 12
    once = replay(installed, folder)
    assert found(once) == live
    assert replay(installed, folder).stdout == once.stdout
    with opened(folder / "capture") as reader:
        assert list(reader.entries())
        assert reader.finished
        assert reader.metadata.complete == bool(options)
        assert reader.losses() == {}


def test_a_complete_capture_is_for_any_rules_and_any_user(installed: Path, live_kernel: None, folder: Path) -> None:
    with recording(installed, folder, "--all"):
        deeds(folder)
        wait_for(lambda: ended(folder), "the last deed")
    (folder / "rules.yaml").write_text(rule("other", f"{OPENS} and fd.filename = 1 and proc.name = cat", "user.name proc.aname[1]"))
    with (folder / "capture").open("rb") as file:
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        done = replay(installed, folder, "-", stdin=file, **nobody)
    assert [(a["output_fields"]["fd.name"], a["output_fields"]["user.name"]) for a in found(done)] == [(f"{folder}/watched/1", "nobody")]
    exported = subprocess.run(
        [installed / "tiercel", "replay", folder / "capture", "--export", "ndjson"], capture_output=True, check=True, timeout=60
    )
    events = [json.loads(line) for line in exported.stdout.splitlines()]
    names = {e.get("fd.name") for e in events}
    assert {f"{folder}/watched/{name}" for name in (0, 1, 2, 3, 4, "end")} <= names
    assert "/etc/passwd" in names or any(name and name.endswith(".so.6") for name in names)  # what no rule asked for


def test_what_a_killed_recorder_wrote(installed: Path, live_kernel: None, folder: Path) -> None:
    with recording(installed, folder) as process:
        deeds(folder)
        wait_for(lambda: ended(folder), "the last deed")
        time.sleep(2.5)  # what is held is written every second
        (sensor,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(sensor), signal.SIGKILL)
        assert process.wait(30) == 128 + signal.SIGKILL
    done = replay(installed, folder)
    assert found(done) == alerts(folder)
    assert "the recording was cut off" in done.stderr


def test_to_a_pipe(installed: Path, live_kernel: None, folder: Path) -> None:
    with recording(installed, folder, output="-", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        deeds(folder)
        wait_for(lambda: ended(folder), "the last deed")
        process.send_signal(signal.SIGTERM)
        with process.stdout:
            data = process.stdout.read()
        assert process.wait(30) == 0
    (folder / "capture").write_bytes(data)
    with (folder / "capture").open("rb") as file:
        assert found(replay(installed, folder, "-", stdin=file)) == alerts(folder)


def test_a_reader_that_leaves(installed: Path, live_kernel: None, folder: Path) -> None:
    with recording(installed, folder, output="-", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        deeds(folder)
        assert process.wait(30) == 2
    assert "standard output: cannot be written: Broken pipe" in (folder / "log").read_text()


def test_a_full_disk(installed: Path, live_kernel: None, folder: Path) -> None:
    (folder / "disk").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=755", "none", folder / "disk"], check=True)
    try:
        with recording(installed, folder, "--all", output=str(folder / "disk/capture")) as process:
            end = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < end:
                read(folder / f"watched/{os.urandom(16).hex()}", os.O_CREAT)
            assert process.wait(1) == 2
        log = (folder / "log").read_text()
        assert "cannot be written: No space left on device" in log
        assert "Traceback" not in log
        with opened(folder / "disk/capture") as reader:
            assert sum(len(entry.batch.records) for entry in reader.entries()) > 100
            assert not reader.finished
    finally:
        subprocess.run(["umount", folder / "disk"], check=True)


@pytest.mark.parametrize("name", ["", "log", "fifo", "none/capture"])
def test_files_that_no_capture_is_written_to(installed: Path, live_kernel: None, folder: Path, name: str) -> None:
    (folder / "log").write_text("something")
    os.mkfifo(folder / "fifo")
    command: list[str | Path] = [installed / "tiercel", "record", "-o", folder / name, "-r", rules(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert str(folder) in done.stderr
    assert (folder / "log").read_text() == "something"


def test_a_damaged_capture(installed: Path, live_kernel: None, folder: Path) -> None:
    with recording(installed, folder):
        deeds(folder)
        wait_for(lambda: ended(folder), "the last deed")
    data = bytearray((folder / "capture").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "capture").write_bytes(data)
    done = replay(installed, folder)
    assert done.returncode == 2
    assert f"{folder}/capture: offset " in done.stderr
    with pytest.raises(CaptureError), opened(folder / "capture") as reader:
        list(reader.entries())
