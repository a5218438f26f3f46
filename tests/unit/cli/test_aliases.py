"""Falco's options stand for commands of ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.cli.test_rules import RULES
from tiercel.cli import aliases
from tiercel.cli.aliases import translate
from tiercel.errors import UserError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ""),
        ("run -r x", "run -r x"),
        ("-h", "-h"),
        ("--version", "--version"),
        ("-r x", "run -r x"),
        ("-rx -r y", "run -r x -r y"),
        ("-c f -r x -o a=b -M 5 -U --json", "run -c f -r x -o a=b -M 5 --json"),
        ("--duration=5 --option a=b=c", "run -M 5 -o a=b=c"),
        ("-r -x", "run -r -x"),
        ("-o json_output=true -r x", "run --json -r x"),
        ("-o json_output=false -r x", "run -r x"),
        ("-V x -V y", "check -r x -r y"),
        ("-c f --validate=x --json", "check -c f -r x --json"),
        ("-V x -o json_output=true", "check -r x --json"),
        ("--dry-run -r x", "check -r x"),
        ("-L", "rules describe"),
        ("-L -r x --json", "rules describe -r x --json"),
        ("-l R -r x", "rules describe -r x -- R"),
        ("-l -R", "rules describe -- -R"),
        ("--list", "fields"),
        ("--list=syscall -N", "fields -s syscall --names"),
        ("-N --list", "fields --names"),
        ("--list-events -N", "events --names"),
        ("-i", "events --not-collected"),
        ("--rule-schema", "schema --rules"),
        ("--config-schema -c f", "schema -c f"),
    ],
)
def test_translation(given: str, expected: str) -> None:
    translated = " ".join(translate(given.split())).replace("-N", "--names")
    assert translated == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("-r", "-r needs a value"),
        ("-L -V x", "-L and -V do not go together"),
        ("-N -r x", "-N goes with --list"),
        ("-V x -M 5", "-M does not go with -V"),
        ("-r x check", 'unexpected argument "check"'),
        ("-x", "unknown option -x"),
        ("--lst", r'unknown option --lst \(did you mean "--list"'),
        ("-Lx", "unknown option -Lx"),
        ("--json=1", "unknown option --json=1"),
        ("-A", "-A: Falco has no such option any more"),
        ("-pk", "-p: the output of all rules is extended by append_output"),
        ("--support", "--support: use `tiercel doctor --json`"),
    ],
)
def test_refusals(given: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        translate(given.split())


def test_every_refusal_is_one_line_and_helps(run: Run) -> None:
    for option in aliases._REFUSED:
        done = run(option)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert done.err.startswith(f"tiercel: {option}: ")


def test_the_documentation_lists_them_all(repository: Path) -> None:
    text = (repository / "docs/command-line.md").read_text()
    named = set(re.findall(r"`(--?[A-Za-z][a-z-]*)", text))
    assert {*aliases.WITH_VALUE, *aliases.FLAGS, *aliases._REFUSED, *aliases.SHORT} <= named


class TestThroughTheCommandLine:
    @pytest.fixture
    def rules(self, tmp_path: Path) -> Path:
        path = tmp_path / "rules.yaml"
        path.write_text(RULES.replace("tags: [b, a]", "tags: [b, a]\n  source: lab"))
        return path

    def test_validate(self, run: Run, rules: Path, tmp_path: Path) -> None:
        bad = tmp_path / "bad.yaml"
        bad.write_text("- list: incomplete\n- macro: y\n  condition: lab.exe = a\n")
        warned = tmp_path / "warned.yaml"
        warned.write_text("- macro: z\n  condition: lab.exe = a\n")
        done = run("-V", str(rules))
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines()[1] == f"{rules}: Ok"
        done = run("-V", str(rules), "-V", str(bad), "-V", str(warned))
        assert done.code == 2
        assert done.out.splitlines()[1:] == [f"{rules}: Ok", f"{bad}: Invalid", f"{warned}: Ok, with warnings"]
        assert "LOAD_ERR_YAML_VALIDATE" in done.err

    def test_list(self, run: Run) -> None:
        names = run("--list=lab", "-N").out.split()
        assert names == sorted(names)
        assert {"evt.type", "lab.exe", "lab.flags", "lab.short"} <= set(names)
        done = run("--list=nope")
        assert (done.code, done.out) == (2, "")

    def test_options_over_the_configuration(self, run: Run, rules: Path) -> None:
        assert run("-V", str(rules), "-o", "rules[].disable.rule=*").out.splitlines()[-1] == "0 of 3 rules would run"
        done = run("-V", str(rules), "-o", "priority=loud")
        assert (done.code, done.err.splitlines()[0].split(":")[:3]) == (2, ["<command line>", " -o priority", " priority"])
