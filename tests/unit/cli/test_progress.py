"""Long commands show how far they are, to people only."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from tiercel.cli.progress import bar
with bar("[red]work") as progress:
    for number in range(11):
        progress(number / 10)
        with progress.printing():
            print("line", number)
"""


def shown(program: str, *arguments: str | Path, stdout_too: bool) -> tuple[str, str]:
    """What a program writes to a terminal as its standard error, and to standard output if that is none."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stderr=follower, stdout=follower if stdout_too else subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm", "COLUMNS": "80"},
    )  # fmt: skip
    os.close(follower)
    terminal = b""
    try:
        while data := os.read(leader, 65536):
            terminal += data
    except OSError:  # EIO: nobody has the other end open
        pass
    os.close(leader)
    output = process.communicate()[0] or b""
    assert process.returncode == 0, terminal
    return terminal.decode(), output.decode()


LINES = [f"line {number}" for number in range(11)]


def test_a_bar_on_a_terminal() -> None:
    terminal, output = shown(PROGRAM, stdout_too=False)
    assert "[red]work" in terminal
    assert "100%" in terminal
    assert output.splitlines() == LINES


def test_lines_between_are_whole() -> None:
    terminal, _ = shown(PROGRAM, stdout_too=True)
    assert re.findall(r"line \d+(?=\r\n)", terminal) == LINES
    assert "100%" in terminal


def test_nothing_without_a_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + "import sys; assert 'rich' not in sys.modules"],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert (done.stdout.splitlines(), done.stderr) == (LINES, "")


@pytest.mark.parametrize("command", [["lint", "-r", "rules/tiercel_rules"], ["mutate", "--tests", "rules/tiercel_rules"]])
def test_commands_that_have_one(command: list[str], repository: Path) -> None:
    program = "import sys; from tiercel.cli.main import main; sys.exit(main(['rules', *sys.argv[1:]]))"
    found = [str(repository / each) if each.startswith("rules/") else each for each in command]
    terminal, output = shown(program, *found, "-c", os.devnull, stdout_too=False)
    assert f"rules {command[0]}" in terminal
    assert "%" in terminal
    assert output
