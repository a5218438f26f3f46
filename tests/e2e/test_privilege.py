"""Who has which privilege while the sensor runs, and what of the compiler stays."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Sensor, state_option

pytestmark = pytest.mark.live

RULES = """
- rule: watched
  desc: made by a test
  condition: evt.type in (open, openat) and fd.name = {folder}/watched
  output: seen file=%fd.name name=%proc.name
  priority: NOTICE
"""
HEAVY = {"click", "rich", "jsonschema", "aiohttp", "bcc"}


@pytest.fixture
def running(sensor: Callable[..., Sensor], folder: Path) -> Sensor:
    return sensor(RULES.format(folder=folder))


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_the_sensor_has_no_privilege(running: Sensor) -> None:
    about = status(running.sensor_pid)
    user = pwd.getpwnam("tiercel")
    assert about["Uid"].split() == [str(user.pw_uid)] * 4
    assert about["Gid"].split() == [str(user.pw_gid)] * 4
    assert about["Groups"] == ""
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(about[name], 16) == 0, name
    assert about["NoNewPrivs"] == "1"
    # Not dumpable: what is in /proc belongs to root, so that no other process of the same user may look into it.
    assert Path(f"/proc/{running.sensor_pid}/mem").stat().st_uid == 0


def test_nothing_of_the_compiler_stays(running: Sensor) -> None:
    for pid in (running.process.pid, running.sensor_pid):
        maps = Path(f"/proc/{pid}/maps").read_text()
        assert "LLVM" not in maps
        assert "libbcc" not in maps
        assert "libclang" not in maps
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
    assert len(children) == 1, "the loader is gone"


def test_the_supervisor_is_small(running: Sensor) -> None:
    lines = Path(f"/proc/{running.process.pid}/smaps_rollup").read_text().splitlines()
    (pss,) = (int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    assert pss < 16 * 1024, "kB; a quarter of that is the interpreter"


def test_the_running_sensor_has_not_imported_what_only_the_command_line_needs(installed: Path) -> None:
    code = (
        "import json, sys\n"
        "from tiercel.config.model import RunOptions\n"
        "from tiercel.runtime.sensor import EarlySignal, Sensor\n"
        "Sensor(RunOptions(), None, EarlySignal())\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([installed / "python3", "-P", "-c", code], capture_output=True, text=True, check=True, cwd="/")
    modules = set(json.loads(done.stdout))
    assert not modules & HEAVY
    assert {"tiercel", "tiercel_ebpf", "tiercel_rules"} <= modules, "the test looks at the right process"


def test_it_ends_in_an_orderly_way_and_delivers_what_it_has(running: Sensor, folder: Path) -> None:
    for _ in range(200):
        (folder / "watched").write_text("x")
    text = running.stop()
    assert running.process.returncode == 0
    assert sum(a["rule"] == "watched" for a in running.alerts) == 200
    assert "rule watched: matches 200" in text
    assert "Traceback" not in text


def test_the_sensor_ends_with_its_supervisor(running: Sensor) -> None:
    sensor = running.sensor_pid
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    end = time.monotonic() + 10
    while Path(f"/proc/{sensor}").exists():
        assert time.monotonic() < end, "the sensor outlives the supervisor"
        time.sleep(0.05)


def test_a_granted_file_is_appended_to_and_opened_anew_on_sigusr1(sensor: Callable[..., Sensor], folder: Path) -> None:
    log = folder / "alerts.jsonl"
    log.write_text("already here\n")
    running = sensor(RULES.format(folder=folder), options=("--output-file", str(log)))
    (folder / "watched").write_text("x")
    running.wait_for(lambda: log.read_text().count("\n") == 2, "a line in the file")
    first = log.read_text().splitlines()
    assert first[0] == "already here"
    assert json.loads(first[1])["rule"] == "watched"
    log.rename(folder / "old.jsonl")
    running.process.send_signal(signal.SIGUSR1)
    running.wait_for(log.exists, "the new file")
    assert log.stat().st_uid == 0
    assert log.stat().st_mode & 0o777 == 0o640
    (folder / "watched").write_text("x")
    running.expect("watched", count=2)
    running.wait_for(log.read_text, "a line in the new file")
    assert [json.loads(line)["rule"] for line in log.read_text().splitlines()] == ["watched"]
    assert len((folder / "old.jsonl").read_text().splitlines()) == 2


def test_a_file_in_a_directory_that_others_may_write_is_refused(installed: Path, live_kernel: None, folder: Path) -> None:
    folder.chmod(0o777)
    done = subprocess.run(
        [installed / "tiercel", "run", "--output-file", folder / "alerts", *state_option(folder)], capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"{folder}/alerts: not opened: {folder} can be written by the user that the sensor runs as" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "alerts").exists()


def test_without_root_one_line_says_how_to_get_it(installed: Path, folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    done = subprocess.run(
        [installed / "tiercel", "run", *state_option(folder, "nobody")], user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[],
        capture_output=True, text=True, check=False, timeout=60, cwd="/",
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"tiercel: source ebpf: needs root to load its program into the kernel (got uid {nobody.pw_uid}); run `sudo tiercel run`, "
        "which drops its privilege right after"
    ]


def test_root_checks_and_tests_rules_that_only_root_may_read(installed: Path, as_root: None, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    (locked / "rules").mkdir(parents=True)
    (locked / "rules/r.yaml").write_text(RULES.format(folder="/x"))
    test = "{name: n, events: [{evt.type: open, fd.name: /x/watched, proc.name: cat}], expect: [{rule: watched}]}"
    (locked / "rules/r.test.yaml").write_text(f"tests: [{test}]\n")
    locked.chmod(0o700)
    for arguments, said in (
        (("check", "-r", locked / "rules/r.yaml"), "1 of 1 rules would run"),
        (("check", "-r", locked / "rules"), "1 of 1 rules would run"),
        (("-V", locked / "rules/r.yaml"), "1 of 1 rules would run"),
        ((f"--validate={locked}/rules/r.yaml",), "1 of 1 rules would run"),
        (("--dry-run", "-r", locked / "rules"), "1 of 1 rules would run"),
        (("rules", "test", locked / "rules"), "1 passed, 0 failed"),
    ):
        done = subprocess.run([installed / "tiercel", *arguments], capture_output=True, text=True, check=False, timeout=60, cwd="/")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1] == said


def test_options_alone_start_the_sensor_and_its_end_can_be_set(installed: Path, live_kernel: None, folder: Path) -> None:
    (folder / "rules.yaml").write_text(RULES.format(folder=folder))
    done = subprocess.run(
        [installed / "tiercel", "-r", folder / "rules.yaml", "-M", "0.5", "-o", "rules[].disable.rule=*"],
        capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    assert "watching: 0 rules" in done.stderr
