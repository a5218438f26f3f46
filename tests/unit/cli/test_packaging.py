"""``tiercel packaging``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.unit.cli.conftest import Run


def test_every_file_is_listed(run: Run, repository: Path) -> None:
    directory = repository / "core/tiercel/packaging"
    tree = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()} - {"MANIFEST"}
    listed = json.loads(run("packaging", "--json").out)
    assert {file["name"] for file in listed} == tree
    assert all(file["destination"].startswith("/") or not file["destination"] for file in listed)
    assert len({file["destination"] for file in listed if file["destination"]}) == len([file for file in listed if file["destination"]])
    assert "systemd/tiercel.service  " in run("packaging").out


def test_a_file_is_printed_for_this_installation(run: Run) -> None:
    text = run("packaging", "systemd/tiercel.service").out
    assert f"\nExecStart={Path(sys.executable).parent}/tiercel run\n" in text
    assert "@bin@" not in text


def test_an_unknown_one_is_a_mistake(run: Run) -> None:
    done = run("packaging", "../alert.py")
    assert done.code == 2
    assert "no such file (got '../alert.py', expected one of systemd/tiercel.service" in done.err
