"""The files for a host are what systemd and logrotate understand: their own programs say so, without a running systemd."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import lacking

EXPOSURE: Final = 2.7
"""What docs/deploying.md states, as `systemd-analyze security` of systemd 252 counts: 0 is nothing, 10 is everything."""


def run(program: str, *arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    """Runs a program of the distribution; its exit code is not looked at."""
    path = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        lacking(f"no {program}; run script/setup --dev")
    return subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]


@pytest.fixture
def files(repository: Path) -> Path:
    """Where the files are."""
    return repository / "core/tiercel/packaging"


@pytest.fixture
def unit(files: Path, tmp_path: Path) -> Path:
    """The unit, for a command that exists."""
    (tmp_path / "tiercel").write_text("#!/bin/sh\n")
    (tmp_path / "tiercel").chmod(0o755)
    path = tmp_path / "tiercel.service"
    path.write_text((files / "systemd/tiercel.service").read_text().replace("@bin@", str(tmp_path)))
    return path


def test_systemd_verifies_the_unit(unit: Path) -> None:
    done = run("systemd-analyze", "verify", "--man=no", unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_unknown_setting_would_be_found(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("LockPersonality", "LockPersonalty"))
    assert "LockPersonalty" in run("systemd-analyze", "verify", "--man=no", unit).stderr


def test_exposure_is_what_we_state(unit: Path, repository: Path) -> None:
    done = run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", unit)
    assert done.returncode == 0, done.stdout
    assert f"{EXPOSURE} of 10" in (repository / "docs/deploying.md").read_text()


def test_tmpfiles_makes_the_directories(files: Path, tmp_path: Path, as_root: None) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    done = run("systemd-sysusers", f"--root={root}", files / "systemd/sysusers.conf")
    assert done.returncode == 0, done.stderr
    [line] = [line for line in (root / "etc/passwd").read_text().splitlines() if line.startswith("tiercel:")]
    uid = int(line.split(":")[2])
    assert line.split(":")[5:] == ["/nonexistent", "/usr/sbin/nologin"]
    for _ in range(2):
        done = run("systemd-tmpfiles", "--create", f"--root={root}", files / "systemd/tmpfiles.conf")
        assert (done.returncode, done.stderr) == (0, "")
    made = {str(path.relative_to(root)): path.stat() for pattern in ("*/**/tiercel", "etc/tiercel/*") for path in root.glob(pattern)}
    assert {name: (info.st_mode & 0o7777, info.st_uid) for name, info in made.items()} == {
        "etc/tiercel": (0o755, 0), "etc/tiercel/rules.d": (0o755, 0), "var/log/tiercel": (0o755, 0),
        "var/cache/tiercel": (0o700, 0), "var/lib/tiercel": (0o700, uid)
    }  # fmt: skip


def test_logrotate_reads_the_file(files: Path, tmp_path: Path) -> None:
    copy = tmp_path / "logrotate.conf"  # only root's files are taken, whoever owns the checkout
    copy.write_text((files / "logrotate.conf").read_text())
    done = run("logrotate", "--debug", "--state", tmp_path / "state", copy)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr
    assert "/var/log/tiercel/*.json" in done.stderr
