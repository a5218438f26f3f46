"""Manual pages and completion say what the command line is, and the programs that read them understand them."""

from __future__ import annotations

import importlib.util
import os
import pty
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT, lacking

PACKAGING = ROOT / "core/tiercel/packaging"


def program(name: str) -> str:
    """Path of a program of the distribution."""
    path = shutil.which(name)
    if path is None:
        lacking(f"no {name}; run script/setup --dev")
    return path


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The script that makes them."""
    spec = importlib.util.spec_from_file_location("tiercel_reference_script", ROOT / "script/reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_they_are_fresh(reference: ModuleType) -> None:
    made = reference.manual.pages(reference._configuration(reference.loaded()))
    there = {str(path.relative_to(PACKAGING)) for name in ("man", "completion") for path in (PACKAGING / name).iterdir()}
    stale = [name for name in sorted(there | set(made)) if name not in there or (PACKAGING / name).read_text() != made.get(name)]
    assert not stale, f"core/tiercel/packaging: {', '.join(stale)} no longer fit the tree; run script/reference.py"


def test_every_command_and_option_is_in_them(reference: ModuleType) -> None:
    bash, zsh = ((PACKAGING / "completion" / name).read_text() for name in ("tiercel.bash", "_tiercel"))
    for node in reference.manual.tree().walk():
        page = (PACKAGING / f"man/{'-'.join(node.path[:2])}.1").read_text().replace("\\", "")
        assert node.name in page
        for option in node.options:
            for name in option.opts:
                assert name in page
                assert name in bash
                assert name in zsh


@pytest.mark.parametrize("path", sorted((PACKAGING / "man").iterdir()), ids=lambda path: path.name)
def test_manual_pages_are_well_formed(path: Path) -> None:
    done = subprocess.run([program("mandoc"), "-T", "lint", "-W", "warning", path], capture_output=True, text=True, check=False)
    found = [line for line in (done.stdout + done.stderr).splitlines() if "missing date" not in line]  # the day would make them stale
    assert not found
    shown = subprocess.run([program("mandoc"), "-T", "ascii", path], capture_output=True, text=True, check=True).stdout
    assert "\\f" not in shown


def complete_in_bash(line: str, directory: Path) -> list[str]:
    """What bash offers at the end of a line, as it splits lines into words: an equals sign is one."""
    script = (
        'source "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); _tiercel; '
        '[ ${#COMPREPLY[@]} = 0 ] || printf "%s\\n" "${COMPREPLY[@]}"'
    )
    words = line.replace("=", " = ").split(" ")
    command = [program("bash"), "-c", script, "bash", str(PACKAGING / "completion/tiercel.bash"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=directory)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_bash_completes(tmp_path: Path) -> None:
    (tmp_path / "my rules.yaml").touch()
    (tmp_path / "events.tcap").touch()
    for line, expected in {
        "tiercel che": ["check"],
        "tiercel ru": ["rules", "run"],
        "tiercel rules li": ["lint", "list"],
        "tiercel rules lint --cod": ["--codes"],
        "tiercel run --rule-matching ": ["first", "all"],
        "tiercel run --rule-matching=": ["first", "all"],
        "tiercel run --rule-matching=a": ["all"],
        "tiercel run --rules my": ["my rules.yaml"],
        "tiercel run --rules=ev": ["events.tcap"],
        "tiercel run -c rules -M 5 --outp": ["--output-file"],  # an option's value is no command
        "tiercel run --duration ": [],
        "tiercel replay ev": ["events.tcap"],
        "tiercel nothing": [],
    }.items():
        assert complete_in_bash(line, tmp_path) == expected, line


def complete_in_zsh(line: str, expected: str, directory: Path) -> str:
    """What an interactive zsh shows after a line and a tab; waits for the expected text."""
    shell = program("zsh")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(directory)
        os.execve(shell, [shell, "-f", "-i"], {"PATH": os.environ["PATH"], "HOME": str(directory), "TERM": "dumb", "LC_ALL": "C.UTF-8"})
    seen = b""

    def read_until(text: bytes) -> None:
        nonlocal seen
        end = time.monotonic() + 30
        while text not in seen:
            assert time.monotonic() < end, f"waited for {text!r} in {seen!r}"
            if select.select([terminal], [], [], 0.1)[0]:
                seen += os.read(terminal, 4096)

    try:
        setup = f"PROMPT='> '; fpath=({PACKAGING / 'completion'} $fpath); autoload -Uz compinit; compinit -u -D; print rea''dy\n"
        os.write(terminal, setup.encode())
        read_until(b"ready\r\n")
        read_until(b"> ")
        seen = b""
        os.write(terminal, f"{line}\t".encode())
        read_until(expected.encode())
        return seen.decode()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tiercel che", "tiercel check "),
        ("tiercel rules expl", "tiercel rules explain "),
        ("tiercel run --rule-matching f", "--rule-matching first "),
        ("tiercel rules list --conf", "--config="),
        ("tiercel replay ev", "events.tcap "),
        ("tiercel ru", "Detect, in the foreground, until interrupted."),
    ],
)
def test_zsh_completes(line: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "events.tcap").touch()
    complete_in_zsh(line, expected, tmp_path)
