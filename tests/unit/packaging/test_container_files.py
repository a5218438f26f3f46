"""What comes for containers fits the unit: the same system calls, the same capabilities."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import lacking


def test_the_profile_is_the_units(repository: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        lacking("no systemd-analyze; run script/setup --dev")
    made = subprocess.run([sys.executable, repository / "script/seccomp.py"], capture_output=True, text=True, check=True).stdout
    committed = (repository / "core/tiercel/packaging/container/seccomp.json").read_text()
    assert made == committed, "run script/seccomp.py again"


def test_the_profile_leaves_out_what_a_sensor_never_does(repository: Path) -> None:
    profile = json.loads((repository / "core/tiercel/packaging/container/seccomp.json").read_text())
    [allowed] = profile["syscalls"]
    assert {"bpf", "openat2", "execve", "setresuid"} <= set(allowed["names"])
    assert not {"mount", "ptrace", "init_module", "kexec_load", "reboot", "swapon"} & set(allowed["names"])
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"


def test_the_documented_capabilities_are_the_units(repository: Path) -> None:
    unit = (repository / "core/tiercel/packaging/systemd/tiercel.service").read_text()
    [bounding] = re.findall(r"^CapabilityBoundingSet=(.+)$", unit, re.MULTILINE)
    documented = re.findall(r"--cap-add=(\w+)", (repository / "docs/deploying.md").read_text())
    assert [f"CAP_{name}" for name in documented] == bounding.split()
