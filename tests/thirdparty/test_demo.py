"""The first plugin of most authors: built, installed, found, used in a rule."""

from __future__ import annotations

import json
from pathlib import Path

from tests.thirdparty.conftest import Installation, call

RULE = """\
- rule: Deep executable
  desc: A program far down in the tree.
  condition: evt.type = execve and demo.exe_depth > 6
  output: Deep executable (path=%proc.exepath depth=%demo.exe_depth)
  priority: NOTICE
"""


def test_it_is_found_with_its_provenance(installation: Installation, demo: Path) -> None:
    assert "demo" not in installation.tiercel("plugins").stdout
    installation.install(demo)
    found = installation.listed("demo")
    assert (found["distribution"], found["version"], found["state"], found["reason"]) == ("tiercel-demo", "1.2", "loaded", "")
    assert found["path"] == str(installation.plugins / "tiercel_demo/__init__.py")
    assert (found["hooks"], found["provides"]) == (["tiercel_register_fields"], ["field demo.exe_depth"])


def test_its_field_is_judged_where_its_input_is(installation: Installation, demo: Path) -> None:
    installation.install(demo)
    done = installation.tiercel("fields", "--json", "exe")
    fields = {each["name"]: each for each in json.loads(done.stdout)}
    depth, path = fields["demo.exe_depth"], fields["proc.exepath"]
    assert (depth["owner"], depth["inputs"], depth["type"]) == ("tiercel-demo 1.2", ["proc.exepath"], "uint64")
    assert (depth["group"], depth["changes"], depth["sources"]) == (path["group"], path["changes"], path["sources"])


def test_rules_can_use_it(installation: Installation, demo: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULE)
    without = installation.tiercel("check", "-r", rules)
    assert without.returncode == 2
    assert f"{rules}:3:" in without.stderr
    assert "demo.exe_depth" in without.stderr
    installation.install(demo)
    done = installation.tiercel("check", "-r", rules)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{rules}: Ok" in done.stdout
    assert "demo.exe_depth" in installation.tiercel("rules", "explain", "Deep executable", "-r", rules).stdout


def test_a_wrong_use_of_it_is_reported_with_its_place(installation: Installation, demo: Path, tmp_path: Path) -> None:
    installation.install(demo)
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULE.replace("> 6", "startswith /x"))
    done = installation.tiercel("check", "-r", rules)
    assert done.returncode == 2
    assert f"{rules}:3:" in done.stderr


def test_its_own_tests_pass_against_the_public_api(installation: Installation, demo: Path) -> None:
    installation.install(demo)
    tests = Path(__file__).with_name("tiercel_demo") / "tests"
    options: list[str | Path] = ["-q", "-p", "no:cacheprovider", "--rootdir", tests, "-c", "/dev/null"]
    assert "2 passed" in call(installation.python, "-m", "pytest", *options, tests, env=installation.environment)
