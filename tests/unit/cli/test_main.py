from __future__ import annotations

import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from tests.unit import distributions
from tests.unit.cli.conftest import Run
from tiercel.cli.main import COMMANDS


def python(code: str) -> subprocess.CompletedProcess[str]:
    path = [entry for entry in sys.path if entry]
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}; {code}"], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", [["--help"], ["-h"]])
def test_help_names_all_commands(run: Run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.code == 0
    assert all(f"\n  {name}" in done.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_that_agrees(run: Run, name: str) -> None:
    import importlib

    command = importlib.import_module(f"tiercel.cli.{name}").command
    assert command.short_help == COMMANDS[name]
    assert run(name, "--help").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chekc"], "No such command 'chekc'"),
        (["check", "--jsno"], "No such option"),
        (["fields", "-s"], "requires an argument"),
        (["run", "--rule-matching", "some"], "'some' is not one of 'first', 'all'"),
    ],
)
def test_mistakes_on_the_command_line(run: Run, arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_user_errors_are_one_line_each(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("priority: x\noutputs: {sdtout: }\n")
    done = run("fields", "-c", "bad.yaml")
    assert (done.code, done.out) == (2, "")
    assert [line.split(" ")[0] for line in done.err.splitlines()] == ["bad.yaml:1:11:", "bad.yaml:2:11:"]


def test_clashing_plugins_are_a_user_error(run: Run, installed: list[Distribution], tmp_path: Path) -> None:
    installed.append(distributions.distribution(tmp_path, "tiercel-twin", entry_points={"lab": "x"}))
    done = run("plugins")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith('tiercel: plugin "lab": registered by both tiercel-lab 3.1 and tiercel-twin 1.0')


def test_bugs_keep_their_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiercel.config.load.read", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("fields")


def test_the_module_runs() -> None:
    done = python("import runpy; sys.argv = ['tiercel', '--help']; runpy.run_module('tiercel', run_name='__main__')")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: tiercel ")


def test_nobody_reads() -> None:
    code = "import os, tiercel.cli.main as m; r, w = os.pipe(); os.close(r); os.dup2(w, 1); sys.exit(m.main(['doctor']))"
    done = python(code)
    assert (done.returncode, done.stderr) == (1, "")


def test_plain_output_needs_no_rich() -> None:
    done = python(
        "import tiercel.cli.main as m; m.main(['doctor', '--json']); print(*(n for n in ('rich', 'jsonschema') if n in sys.modules))"
    )
    assert done.stdout.splitlines()[-1] == ""
