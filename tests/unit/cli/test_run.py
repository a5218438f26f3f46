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


def test_nothing_said(run: Run, seen: list[RunOptions]) -> None:
    assert run("run").code == 7
    assert seen == [RunOptions()]


def test_everything_said(run: Run, seen: list[RunOptions]) -> None:
    done = run("run", "-c", "c.yaml", "-r", "a.yaml", "--rules", "d", "--json", "--output-file", "o", "--rule-matching", "all", "--stats")
    assert (done.code, done.err) == (7, "")
    assert seen == [
        RunOptions(
            config_file=Path("c.yaml"),
            rules=(Path("a.yaml"), Path("d")),
            json=True,
            output_file=Path("o"),
            rule_matching="all",
            stats=True,
        )
    ]
