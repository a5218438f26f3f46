#!/usr/bin/env python3
"""Writes the system calls that the unit allows as a seccomp profile for containers.

    script/seccomp.py >core/tiercel/packaging/container/seccomp.json

Docker, Podman and Kubernetes take such profiles (the OCI runtime specification, "Seccomp"). Their default ones often allow ``bpf`` only to
those who have CAP_SYS_ADMIN. One list serves both: the unit's, expanded by systemd-analyze(1).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

UNIT: Final = Path(__file__).resolve().parent.parent / "core/tiercel/packaging/systemd/tiercel.service"
KEY: Final = "SystemCallFilter="


def expand(name: str) -> set[str]:
    """The system calls of a name of the unit's: a call, or a group such as ``@system-service`` with the groups in it."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    members = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    return {call for member in members if not member.startswith("#") for call in expand(member)}


def profile() -> dict[str, object]:
    """The profile: what the unit's filter does not name fails with EPERM."""
    [names] = [line.removeprefix(KEY) for line in UNIT.read_text().splitlines() if line.startswith(KEY)]
    allowed = sorted({call for name in names.split() for call in expand(name)})
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}],
        "syscalls": [{"names": allowed, "action": "SCMP_ACT_ALLOW"}],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(profile(), indent=2) + "\n")
