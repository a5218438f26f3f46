"""What the service manager is told."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "import os, sys; sys.path.insert(0, sys.argv[1]); import notify; notify.notify('READY=1', 'STATUS=fine'); print(os.environ)"


def tell(repository: Path, address: str) -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, repository / "core/tiercel_supervisor"],
        env={"NOTIFY_SOCKET": address, "OTHER": "x"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("abstract", [False, True])
def test_it_is_told_and_no_child_can_tell(repository: Path, tmp_path: Path, abstract: bool) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"tiercel-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
        manager.bind(f"\0{name}" if abstract else name)
        environment = tell(repository, f"@{name}" if abstract else name)
        manager.settimeout(5)
        assert manager.recv(1000) == b"READY=1\nSTATUS=fine"
    assert "OTHER" in environment
    assert "NOTIFY_SOCKET" not in environment


@pytest.mark.parametrize("address", ["", "vsock:1:2", "/nowhere/at/all"])
def test_nobody_who_listens_is_no_error(repository: Path, address: str) -> None:
    assert "OTHER" in tell(repository, address)
