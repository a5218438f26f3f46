"""The recorded mix: a few workloads that a sensor without masks watches, as a capture."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["RUNS", "built", "record"]

PREFIX = Path(os.environ.get("TIERCEL_PREFIX", "/opt/tiercel"))
RUNS = (
    ("openclose", "150000", "/tmp/tiercel-mix-file"),
    ("tcpconn", "30000"),
    ("forkexec", "4000"),
    ("runcmd", "compile", "3", "./compile.sh"),
    ("runcmd", "pyimports", "10", "./pyimports.sh"),
)
"""Programs of the workloads with their arguments: what Falco's figure was measured with."""
PAUSE = 0.5


def built(source: Path, folder: Path) -> Path:
    """A built copy of the workloads."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    programs = ["openclose", "tcpconn", "forkexec", "runcmd", "spin"]
    subprocess.run(["make", "-s", "-C", folder, *programs], check=True, stderr=subprocess.DEVNULL)
    return folder


def record(capture: Path, workloads: Path, rules: Sequence[Path]) -> None:
    """Runs the workloads while `tiercel record --all` records what rules want of them. Needs root and eBPF."""
    options = [part for path in rules for part in ("-r", path)]
    with tempfile.TemporaryDirectory(prefix="tiercel-mix-") as name:
        log = Path(name, "log")
        with log.open("w") as file:
            command = [PREFIX / "venv/bin/tiercel", "record", "--all", "-o", capture, *options]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file)
        while "recording:" not in log.read_text():
            if process.poll() is not None:
                sys.exit(f"the recorder did not start:\n{log.read_text()}")
            time.sleep(0.05)
        for program, *arguments in RUNS:
            subprocess.run(
                [workloads / program, *arguments], cwd=workloads, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(PAUSE)
        process.send_signal(signal.SIGINT)
        process.wait(60)
        print(log.read_text().splitlines()[-1], file=sys.stderr)
