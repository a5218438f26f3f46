from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit import distributions
from tests.unit.cli.conftest import Run
from tiercel.config.model import RunOptions


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[RunOptions]:
    found: list[RunOptions] = []

    def run(options: RunOptions) -> int:
        found.append(options)
        return 7

    distributions.module(monkeypatch, "tiercel.runtime.main", run=run)
    return found


def test_least(run: Run, seen: list[RunOptions]) -> None:
    assert run("record", "-o", "file").code == 7
    assert seen == [RunOptions(capture=Path("file"))]


def test_everything_said(run: Run, seen: list[RunOptions]) -> None:
    words = ("-c", "c.yaml", "-r", "a.yaml", "--json", "--output-file", "o", "--rule-matching", "all", "--stats")
    assert run("record", "--output", "-", "--all", *words).code == 7
    assert seen == [
        RunOptions(
            config_file=Path("c.yaml"),
            rules=(Path("a.yaml"),),
            json=True,
            output_file=Path("o"),
            rule_matching="all",
            stats=True,
            capture=Path("-"),
            capture_all=True,
        )
    ]


def test_the_file_is_not_guessed(run: Run, seen: list[RunOptions]) -> None:
    done = run("record")
    assert (done.code, done.out, seen) == (2, "", [])
    assert "Missing option '-o'" in done.err
