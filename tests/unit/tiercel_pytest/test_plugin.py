"""pytest runs tests of rules, and nobody else's run notices the plugin."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.testing.rules.conftest import RULES

pytest_plugins = "pytester"

TESTS = """\
context: {evt.type: open, fd.num: 3, fd.name: /etc/shadow, proc.name: vi}
tests:
- {name: fires, events: [{}], expect: [{rule: Shadow read}]}
- name: silent
  events: [{proc.name: cat}]
  expect_none: [Shadow read]
"""


@pytest.fixture
def run(pytester: pytest.Pytester, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Runs pytest with this checkout's plugin, in a process of its own."""
    roots = ("core", "plugins/sources", "plugins/outputs", "plugins/enrichers", "rules")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(str(repository / root) for root in roots))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (pytester.path / "r.yaml").write_text(RULES)

    def call(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess("-p", "tiercel_pytest", *arguments)

    return call


def test_tests_of_rules_are_collected(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    (pytester.path / "r.test.yaml").write_text(TESTS)
    pytester.makepyfile(test_other="def test_it(): pass")
    result = run("-v")
    result.assert_outcomes(passed=2 + 1)
    result.stdout.fnmatch_lines(["r.test.yaml::fires PASSED*", "r.test.yaml::silent PASSED*"])


def test_a_failure_shows_what_differs_and_no_traceback(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    (pytester.path / "r.test.yaml").write_text(TESTS.replace("{}", "{fd.num: -13}"))
    result = run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["expected an alert of *", "*fd.num >= 0 (*r.yaml:4:45)", "*fd.num is -13"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_broken_file_is_an_error_with_its_place(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    (pytester.path / "r.test.yaml").write_text(TESTS.replace("proc.name: cat", "proc.nam: cat"))
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['*r.test.yaml:5:13: tests*: unknown field "proc.nam" (did you mean "proc.name"?)*'])


@pytest.mark.parametrize("text", ["suite: helm\ntests:\n- it: works\n", "- a\n", "{{ template }}", "expect: 1\n", "tests: [\xff"])
def test_files_of_others_are_left_alone(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester, text: str) -> None:
    (pytester.path / "r.test.yaml").write_text(text, encoding="latin-1")
    pytester.makepyfile(test_other="def test_it(): pass")
    run().assert_outcomes(passed=1)


def test_it_imports_nothing_until_it_is_needed(repository: Path) -> None:
    program = "import sys, tiercel_pytest; sys.exit('tiercel' in sys.modules or 'yaml' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(repository / "core")}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


def test_the_entry_point_names_it(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"tiercel": "tiercel_pytest"}
