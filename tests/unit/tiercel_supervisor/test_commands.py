"""The supervisor and the command line agree on what starts the sensor."""

from __future__ import annotations

import pytest

import commands
from tiercel.cli import aliases
from tiercel.errors import UserError


@pytest.mark.parametrize(
    "text",
    [
        "", "run", "run -r x", "check -r x", "rules test x", "-r x", "-rx", "-r -V", "-c f", "-c f -o a=b --json -M 5 -U", "--rules=x", "--rules x",
        "--duration=5 --option a=b", "-V x", "-Vx", "--validate=x", "-L", "-L -r x", "-r x -L", "-l R", "--list", "--list=syscall", "--list-events",
        "-i", "-N --list", "--dry-run -r x", "-r x --dry-run", "--rule-schema", "--config-schema", "-h", "--help", "--version", "-A", "-x", "-r",
        "-r x check", "--json=1", "-U5",
    ],
)  # fmt: skip
def test_they_agree(text: str) -> None:
    arguments = text.split()
    try:
        expected = aliases.translate(arguments)[:1] == ["run"]
    except UserError:
        expected = False
    assert commands.starts_sensor(arguments) is expected


def test_the_tables_agree() -> None:
    short = {aliases.SHORT.get(name, name) for name in (*commands.WITH_VALUE, *commands.FLAGS)}
    assert short == aliases.OF_RUN
    assert {name for name in commands.WITH_VALUE if not name.startswith("--")} == aliases.OF_RUN & aliases.WITH_VALUE
