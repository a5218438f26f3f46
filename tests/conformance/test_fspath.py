"""Falco's own cases for ``fs.path.*``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.conformance.vectors import load_vectors
from tiercel.fspath import call_paths


def found(case: dict[str, Any]) -> dict[str, str]:
    """The fields that have values."""
    descriptors = {int(number): path for number, path in case["open_fds"].items()}
    paths = call_paths(case["evt.type"], dict(case["params"]), cwd=case["cwd"], path_of=descriptors.get)
    return {f"fs.path.{name}": value for name, value in asdict(paths).items() if value is not None}


def test_every_case(shared: Path) -> None:
    cases = load_vectors(shared, "fspath.jsonl")
    assert {case["id"]: found(case) for case in cases if found(case) != case["expect"]} == {}
    assert len(cases) >= 26
    assert sum(bool(case["expect"]) for case in cases) >= 14
