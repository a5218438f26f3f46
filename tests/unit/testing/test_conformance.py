"""The runner of conformance vectors: what it prints, and that a wrong case fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tiercel.testing.conformance.__main__ import main, problems
from tiercel.testing.conformance.setting import Setting


@pytest.fixture(scope="module")
def setting() -> Setting:
    return Setting()


def run(*arguments: str | Path) -> tuple[int, list[str], str]:
    done = CliRunner().invoke(main, [str(each) for each in arguments])
    return done.exit_code, done.stdout.splitlines(), done.stderr


def write(path: Path, *cases: dict[str, Any]) -> Path:
    path.write_text("".join(f"{json.dumps(case)}\n" for case in cases))
    return path


GOOD = {"id": "a.1", "condition": "proc.name = cat", "valid": True, "stage": "parse", "canonical": "proc.name = cat"}
BAD = {"id": "a.2", "condition": "proc.name = ", "valid": True, "stage": "parse"}


def test_failing_cases_are_named_and_counted(tmp_path: Path) -> None:
    code, lines, _ = run(write(tmp_path / "conditions.jsonl", GOOD, BAD))
    assert code == 1
    assert lines[0].startswith("FAIL a.2: expected a condition, got ")
    assert lines[1:] == ["1 passed, 1 failed, 0 skipped"]


def test_directories_and_forced_kinds(tmp_path: Path) -> None:
    write(tmp_path / "conditions.jsonl", GOOD)
    write(tmp_path / "unrelated.jsonl", {"id": "x"})
    assert run(tmp_path)[:2] == (0, ["1 passed, 0 failed, 0 skipped"])
    other = write(tmp_path / "mine.jsonl", GOOD)
    assert run("--kind", "conditions", other)[:2] == (0, ["1 passed, 0 failed, 0 skipped"])
    code, _, error = run(other)
    assert code == 2
    assert error.startswith(f"{other}: unknown kind (got mine, expected condition")


@pytest.mark.parametrize(("text", "message"), [("[1]\n", "no case"), ("{\n", "no JSON"), ("[" * 100_000, "no JSON")])
def test_files_that_are_no_vectors(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "conditions.jsonl"
    path.write_text(text)
    code, _, error = run(path)
    assert code == 2
    assert error.startswith(f"{path}:1: {message}")
    assert "Traceback" not in error


def test_a_missing_file() -> None:
    code, _, error = run("/nowhere/conditions.jsonl")
    assert (code, error) == (2, "/nowhere/conditions.jsonl: no such file (expected a vector file, or a directory of them)\n")


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        ("conditions", {"condition": "proc.name = cat", "valid": False, "stage": "parse"}),
        ("conditions", {"condition": "proc.name = cat", "valid": True, "stage": "parse", "canonical": "proc.name=cat"}),
        ("conditions", {"condition": "proc.name = cat", "valid": False, "parses": True, "stage": "compile"}),
        ("conditions", {"condition": "proc.name < 5", "valid": True, "parses": True, "stage": "compile", "warnings": 1}),
        ("conditions", {"condition": "proc.pid = x", "valid": False, "parses": True, "stage": "compile", "error": "something else"}),
        ("condition_warnings", {"condition": "evt.dir = <", "warns": False, "codes": []}),
        ("condition_warnings", {"condition": "evt.dir = <", "warns": True, "codes": ["LOAD_UNSAFE_NA_CHECK"]}),
        ("evaluate", {"event": {"proc.name": "cat"}, "condition": "proc.name = cat", "match": False}),
        ("evaluate", {"event": {"proc.name": "cat"}, "condition": "proc.name != cat", "match": True}),
        ("evaluate", {"event": {"proc.name": "cat"}, "condition": "proc.name ?", "match": False}),
        ("evttypes", {"condition": "evt.type = open", "event_types": {"kind": "except", "names": ["open"]}}),
        ("evttypes", {"condition": "evt.type = open", "same_types_as": "evt.type = connect"}),
        ("evttypes", {"condition": "evt.type = open", "error": True}),
        ("strings", {"op": "unescape", "in": '"a"', "out": "b"}),
        ("strings", {"op": "escape", "in": "a b", "out": "a b"}),
        ("strings", {"op": "unescape", "in": '"a"', "error": True}),
    ],
)
def test_a_wrong_case_fails(kind: str, case: dict[str, Any], setting: Setting) -> None:
    found = problems(kind, case, setting)
    assert found
    assert all(each.startswith("expected ") and ", got " in each for each in found)


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        ("conditions", {"condition": "proc.name = cat", "valid": True, "parses": True, "stage": "compile", "warnings": 0}),
        ("evaluate", {"event": {"mine.field": 3}, "condition": "mine.field > 2", "match": True}),
        ("evaluate", {"event": {"mine.list": ["a", "b"]}, "types": {"mine.list": "list:string"}, "condition": "mine.list in (a, b)", "match": True}),
        ("evaluate", {"event": {"mine.ip": ["10.0.0.1", "10.0.0.2"]}, "types": {"mine.ip": "ipaddr_any"}, "condition": "mine.ip = 10.0.0.2", "match": True}),
        ("evaluate", {"event": {"proc.name": "a\u00ff"}, "encoding": "latin-1", "condition": 'proc.name = "a\\xff"', "match": True}),
        ("evaluate", {"event": {"evt.type": "open"}, "condition": "evt.type = open", "match": True}),
        ("evaluate", {"event": {}, "condition": "evt.type = open", "match": False}),
        ("evttypes", {"condition": "evt.type != open", "event_types": {"kind": "except", "names": ["open"]}}),
        ("evttypes", {"condition": "evt.type = open and evt.num = 0", "event_types": {"kind": "none", "names": []}}),
    ],
)  # fmt: skip
def test_cases_of_ones_own(kind: str, case: dict[str, Any], setting: Setting) -> None:
    assert problems(kind, case, setting) == []
