"""`tiercel rules test` and `tiercel rules mutate` as people call them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.unit.cli.conftest import Run

RULE = "- {rule: R, desc: d, condition: evt.type = open and lab.exe = /bin/x, output: '%lab.exe', priority: INFO, source: lab}\n"
TESTS = """\
source: lab
context: {evt.type: open, lab.exe: /bin/x}
tests:
- name: fires
  events: [{}]
  expect: [{rule: R, output: /bin/x}]
- name: silent
  events: [{evt.type: close}, {lab.exe: /bin/y}]
  expect_none: true
"""


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    directory = tmp_path / "rules"
    directory.mkdir()
    (directory / "r.yaml").write_text(RULE)
    (directory / "r.test.yaml").write_text(TESTS)
    return directory / "r.test.yaml"


def test_all_pass(run: Run, tests: Path) -> None:
    for arguments in ((), ("rules",), ("rules/r.test.yaml",)):
        done = run("rules", "test", *arguments)
        assert (done.code, done.err) == (0, "")
        assert done.out == "rules/r.test.yaml ..\n2 passed, 0 failed\n"


def test_a_failure(run: Run, tests: Path, tmp_path: Path) -> None:
    tests.write_text(TESTS.replace("output: /bin/x", "output: /bin/z"))
    done = run("rules", "test", "rules", "--junit", "out.xml")
    assert done.code == 1
    assert done.out.startswith(
        'rules/r.test.yaml F.\n\nFAIL rules/r.test.yaml:4: fires\n  alert of "R" (Informational) for event 1 differs:\n'
    )
    assert done.out.endswith("\n1 passed, 1 failed\n")
    root = ET.parse(tmp_path / "out.xml").getroot()
    assert (root.attrib["tests"], root.attrib["failures"]) == ("2", "1")


def test_junit_on_standard_output(run: Run, tests: Path) -> None:
    assert ET.fromstring(run("rules", "test", "--junit", "-").out).attrib["tests"] == "2"


def test_json(run: Run, tests: Path) -> None:
    data = json.loads(run("rules", "test", "rules", "--json").out)
    assert (data["passed"], data["failed"]) == (2, 0)
    assert [each["name"] for each in data["tests"]] == ["fires", "silent"]


def test_filter(run: Run, tests: Path) -> None:
    assert run("rules", "test", "-k", "FIR").out.endswith("\n1 passed, 0 failed\n")
    assert run("rules", "test", "-k", "r.test").out.endswith("\n2 passed, 0 failed\n")
    done = run("rules", "test", "-k", "nothing")
    assert (done.code, done.err) == (2, 'tiercel: no test has "nothing" in its name\n')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "tiercel: nowhere: cannot be read: No such file or directory"),
        (("empty",), "tiercel: no tests found in empty (expected files with names that end in .test.yaml)"),
        (("bad.test.yaml",), 'bad.test.yaml:1:1: tets: unknown option "tets" (did you mean "tests"?)'),
        (("rules", "--junit", "no/out.xml"), "tiercel: no/out.xml: cannot be written: No such file or directory"),
    ],
)
def test_mistakes_are_one_line_each(run: Run, tests: Path, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.test.yaml").write_text("tets: []\n")
    done = run("rules", "test", *arguments)
    assert done.code == 2
    assert any(line.startswith(message) for line in done.err.splitlines())
    assert "Traceback" not in done.err


class TestMutate:
    def test_nothing_lives(self, run: Run, tests: Path) -> None:
        done = run("rules", "mutate", "R")
        assert (done.code, done.out) == (0, "R: 4 of 4 mutants killed\n4 killed, 0 accepted, 0 alive\n")

    def test_what_lives_is_shown_with_its_place(self, run: Run, tests: Path) -> None:
        tests.write_text(TESTS.replace("{evt.type: close}, ", ""))
        done = run("rules", "mutate", "--tests", "rules")
        assert done.code == 1
        assert done.out.splitlines() == [
            "R: 3 of 4 mutants killed",
            "  ALIVE rules/r.yaml:1:33: drop evt.type = open",
            "3 killed, 0 accepted, 1 alive",
        ]
        [data] = json.loads(run("rules", "mutate", "--json").out)
        assert data["living"] == [{"mutant": "drop evt.type = open", "place": "rules/r.yaml:1:33"}]

    def test_accepted_in_vain(self, run: Run, tests: Path) -> None:
        tests.write_text(f"{TESTS}mutants_accepted:\n- {{rule: R, mutant: drop x, reason: y}}\n")
        done = run("rules", "mutate")
        assert done.code == 1
        assert "  STALE rules/r.test.yaml:11:3: accepted, but no such mutant lives: drop x" in done.out

    def test_unknown_rule(self, run: Run, tests: Path) -> None:
        done = run("rules", "mutate", "RR")
        assert (done.code, done.err) == (2, 'tiercel: no test runs a rule "RR" (did you mean "R"?)\n')
