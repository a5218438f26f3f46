"""The command line over the plugins of this checkout, without what is installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

from tests.unit import distributions
from tiercel import ChangePoint, FactGroup, Field, FieldType, Source, Stability, field, hookimpl
from tiercel.cli.main import main
from tiercel.cli.session import Setting
from tiercel.components.source import Abilities
from tiercel.config.files import Files


@dataclass
class Outcome:
    code: int
    out: str
    err: str


class Lab(Source):
    """A source that judges one process field and one scalar."""

    name = "lab"
    event_source = "lab"
    summary = "For tests."
    api_version = "1.0"
    stability = Stability.BETA

    @classmethod
    def abilities(cls) -> Abilities:
        return Abilities(
            event_types=frozenset({"open", "close"}),
            named_types=frozenset(f"call_{number}" for number in range(25)),
            judged_types=frozenset({"open"}),
            compared=ChangePoint.EXEC | ChangePoint.FORK,
            scalars={"lab.flags": frozenset({"="})},
        )


def lab_fields() -> list[Field]:
    def stored(name: str, kind: FieldType, group: FactGroup, changes: ChangePoint) -> Field:
        return Field(
            name=name,
            type=kind,
            description=f"The {name}.",
            group=group,
            changes=changes,
            sources=frozenset({"lab"}),
            path=tuple(name.split(".")[1:]),
        )

    gone = replace(stored("lab.gone", FieldType.STRING, FactGroup.REST, ChangePoint.EVENT), absent=True)
    short = field("lab.short", type=FieldType.STRING, inputs=("lab.exe",), description="Last part of the executable.")
    return [
        gone,
        stored("lab.exe", FieldType.STRING, FactGroup.PROCESS, ChangePoint.EXEC),
        stored("lab.flags", FieldType.UINT32, FactGroup.SCALAR, ChangePoint.EVENT),
        stored("evt.type", FieldType.STRING, FactGroup.SCALAR, ChangePoint.EVENT),
        short(lambda exe: exe.rpartition("/")[2]),
    ]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Distribution]:
    def returning(hook: str, *items: Any) -> Any:
        return hookimpl(specname=hook)(lambda: items)

    distributions.module(
        monkeypatch,
        "lab_cli",
        s=returning("tiercel_register_sources", Lab),
        f=returning("tiercel_register_fields", *lab_fields()),
    )
    own = distributions.distribution(
        tmp_path / "dist",
        "tiercel",
        version="0.1.0",
        entry_points={"evt": "tiercel_evt", "stdout": "tiercel_stdout", "formats": "tiercel_formats", "file": "tiercel_file"},
    )
    lab = distributions.distribution(tmp_path / "dist", "tiercel-lab", version="3.1", entry_points={"lab": "lab_cli"})
    return [own, lab]


Run = Callable[..., Outcome]


@pytest.fixture
def run(installed: list[Distribution], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line with the lab's configuration, unless it names another."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.yaml").write_text("sources: {lab: }\n")
    monkeypatch.setattr("tiercel.config.load.DEFAULT_FILE", tmp_path / "lab.yaml")

    def call(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = main(arguments, setting=Setting(distributions=installed, files=Files()))
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call
