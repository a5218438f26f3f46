from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tiercel.cli import doctor
from tiercel.cli.doctor import Finding, examine


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system with everything."""
    for name in ("sys/kernel/btf/vmlinux", "usr/include/linux/types.h", "usr/include/x86_64-linux-gnu/asm/types.h"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter that ends as its file `outcome` says."""
    path = tmp_path / "python3"
    path.write_text('#!/bin/sh\n. "${0%/*}/outcome"\n')
    path.chmod(0o755)
    (tmp_path / "outcome").write_text("exit 0")
    return path


def find(name: str, root: Path, **options: object) -> Finding:
    [found] = [each for each in examine(root=root, **options) if each.name == name]  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(
    ("release", "ok"), [("5.18.19", False), ("5.19.0-1-amd64", True), ("6.1.0", True), ("10.0", True), ("4.20", False), ("odd", False)]
)
def test_kernel(root: Path, python: Path, release: str, ok: bool) -> None:
    found = find("kernel", root, release=release, python=str(python))
    assert (found.ok, found.found, bool(found.remedy)) == (ok, release, not ok)


def test_btf_and_headers(root: Path, python: Path) -> None:
    assert find("BTF", root, python=str(python)).ok
    assert find("user-space headers", root, python=str(python)).ok
    (root / "sys/kernel/btf/vmlinux").unlink()
    (root / "usr/include/x86_64-linux-gnu/asm/types.h").unlink()
    assert "CONFIG_DEBUG_INFO_BTF" in find("BTF", root, python=str(python)).remedy
    assert find("user-space headers", root, python=str(python)).remedy == "apt-get install linux-libc-dev"


@pytest.mark.parametrize(
    ("outcome", "ok", "text"),
    [
        ("exit 0", True, "imported by"),
        ("exit 3", False, "imports another module of that name"),
        ("echo \"ModuleNotFoundError: No module named 'bcc'\" >&2; exit 1", False, "ModuleNotFoundError: No module named 'bcc'"),
        ("exit 1", False, "no message"),
    ],
)
def test_bcc_is_asked_of_the_interpreter(root: Path, python: Path, outcome: str, ok: bool, text: str) -> None:
    (python.parent / "outcome").write_text(outcome)
    found = find("bcc", root, python=str(python))
    assert found.ok == ok
    assert text in found.found
    assert found.remedy.endswith("" if ok else "apt-get install python3-bpfcc")


def test_no_interpreter(root: Path) -> None:
    assert "does not run (FileNotFoundError)" in find("bcc", root, python=str(root / "none")).found


def test_privilege(root: Path, python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIERCEL_CHANNEL", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = find("privilege", root, python=str(python))
    assert (found.ok, found.found) == (False, "started by uid 1000")
    monkeypatch.setenv("TIERCEL_CHANNEL", "3")
    assert find("privilege", root, python=str(python)).ok


@pytest.mark.parametrize(
    ("user", "ok", "remedy"), [("daemon", True, ""), ("no-such-user", False, "useradd "), ("root", False, "another uid")]
)
def test_user(root: Path, python: Path, user: str, ok: bool, remedy: str) -> None:
    found = find("user", root, python=str(python), user=user)
    assert found.ok == ok
    assert remedy in found.remedy


def test_process_ids_are_the_hosts(root: Path, python: Path) -> None:
    assert find("process ids", root, python=str(python), namespace=4026531836).ok
    found = find("process ids", root, python=str(python), namespace=4026532201)
    assert (found.ok, found.found) == (False, "a container's")
    assert "--pid=host" in found.remedy


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_command(run: Run, monkeypatch: pytest.MonkeyPatch, ok: bool, code: int) -> None:
    findings = [Finding("kernel", True, "6.1"), Finding("bcc", ok, "x", "" if ok else "apt-get install it")]
    monkeypatch.setattr(doctor, "examine", lambda: iter(findings))
    done = run("doctor")
    assert done.code == code
    assert done.out.splitlines() == ["ok       kernel: 6.1", "ok       bcc: x" if ok else "missing  bcc: x; apt-get install it"]
    assert json.loads(run("doctor", "--json").out)[1]["ok"] == ok
