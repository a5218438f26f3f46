"""Destinations that cannot take alerts: one line at the start, or a counter while it runs; detection and the other outputs go on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.conftest import Sensor, state_option

pytestmark = pytest.mark.live

RULES = """
- rule: probe
  desc: made by a test
  condition: evt.type in (open, openat) and fd.name startswith FOLDER/probe/
  output: probe %fd.name
  priority: WARNING
"""


def fifo(path: Path) -> None:
    os.mkfifo(path)
    shutil.chown(path, "tiercel")


@pytest.mark.parametrize(
    ("make", "way", "said"),
    [
        (Path.mkdir, "grant", "Is a directory"),
        (Path.mkdir, "path", "it is a directory"),
        (fifo, "grant", "it is a fifo or a device"),
        (fifo, "path", "it is a fifo or a device"),
        (lambda path: path.symlink_to("/etc/passwd"), "grant", "a symbolic link is in the path"),
        (lambda path: path.symlink_to("/etc/passwd"), "path", "a symbolic link is in its place"),
    ],
)
def test_what_is_no_file_is_one_line(installed: Path, folder: Path, make: Callable[[Path], None], way: str, said: str) -> None:
    make(folder / "out")
    config = folder / "tiercel.yaml"
    text = f"outputs: {{file: {{path: {folder}/out}}}}\n"
    if way == "grant":
        text = f"outputs: {{file: {{grant: out}}}}\ngrants: {{out: {{path: {folder}/out, mode: append}}}}\n"
    config.write_text(text)
    command: list[str | Path] = [installed / "tiercel", "run", "-c", config, *state_option(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2, done.stderr
    [line] = [line for line in done.stderr.splitlines() if "not opened" in line]
    assert f"{folder}/out: not opened: {said}" in line
    assert "Traceback" not in done.stderr


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """64 KiB of memory as a file system."""
    directory = folder / "disk"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", str(directory)], check=True)
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


def numbers(path: Path) -> list[int]:
    if not path.exists():
        return []
    alerts = [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return [int(alert["output_fields"]["fd.name"].rpartition("/")[2]) for alert in alerts if alert["rule"] == "probe"]


def _complete(path: Path) -> bool:
    return len(set(numbers(path))) == 100


def test_detection_goes_on(folder: Path, small_disk: Path, sensor: Callable[..., Sensor]) -> None:
    (folder / "probe").mkdir()
    (folder / "own").mkdir()
    shutil.chown(folder / "own", "tiercel")
    for name, text in {"hangs": "exec sleep 1000", "dies": "exit 3"}.items():
        (folder / name).write_text(f"#!/bin/sh\n[ -e {folder}/works ] && exec cat >>{folder}/own/{name}\n{text}\n")
        (folder / name).chmod(0o755)
    config = f"""
outputs:
  stdout: {{format: json}}
  file: {{grant: full}}
  program/hangs: {{command: [{folder}/hangs], timeout_secs: 0.5}}
  program/dies: {{command: [{folder}/dies], keep_alive: true}}
grants:
  full: {{path: {small_disk}/alerts, mode: append}}
"""
    (small_disk / "filler").write_bytes(b"x" * 49152)
    running = sensor(RULES.replace("FOLDER", str(folder)), config=config)
    for number in range(100):  # 16 KiB that are free take some forty of them
        os.close(os.open(folder / "probe" / f"{number:04}", os.O_RDONLY | os.O_CREAT))
    running.expect("probe", count=100)
    running.wait_for(lambda: "No space left on device" in running.text(), "the full disk to be said")
    running.wait_for(lambda: "hangs took more than 0.5 s and was ended" in running.text(), "the program that hangs to be said")
    running.wait_for(lambda: "dies ended with exit code 3" in running.text(), "the program that dies to be said")
    written = numbers(small_disk / "alerts")
    assert 0 < len(written) < 100
    (small_disk / "filler").unlink()
    (folder / "works").touch()
    for path in (small_disk / "alerts", folder / "own" / "hangs", folder / "own" / "dies"):
        running.wait_for(partial(_complete, path), f"the rest to arrive in {path}", 60)
        assert list(dict.fromkeys(numbers(path))) == list(range(100))
    said = running.stop()
    assert "Traceback" not in said
    assert "quarantine" not in said
