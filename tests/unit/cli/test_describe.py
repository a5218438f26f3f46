"""`tiercel rules describe` and `tiercel events`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run

RULES = """\
- required_engine_version: 0.31.0
- required_engine_version: 0.30.0

- list: inner
  items: [/bin/a]

- list: programs
  items: [inner, "/bin/b c"]

- macro: below_opt
  condition: lab.exe startswith /opt/

- macro: opened
  condition: evt.type in (open) and below_opt

- macro: spare
  condition: lab.flags = 1

- rule: First
  desc: The first.
  condition: opened and lab.exe in (programs)
  output: First (exe=%lab.exe)
  priority: WARNING
  tags: [b, a]
  source: lab
  exceptions:
    - name: known
      fields: [lab.flags, tolower(lab.short)]
      comps: [">", "="]
      values: [[5, x]]

- rule: Second
  desc: The second.
  condition: lab.flags = 7
  output: Second
  priority: DEBUG
  source: lab
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def test_all_as_data(run: Run, rules: Path) -> None:
    found = json.loads(run("rules", "describe", "-r", str(rules), "--json").out)
    assert (found["required_engine_version"], found["required_plugin_versions"]) == ("0.31.0", [])
    first, second = found["rules"]
    assert first["info"] == {
        "name": "First",
        "desc": "The first.",
        "condition": "opened and lab.exe in (programs)",
        "output": "First (exe=%lab.exe)",
        "priority": "Warning",
        "source": "lab",
        "enabled": True,
        "tags": ["a", "b"],
    }
    details = first["details"]
    assert details.pop("plugins")[-1].startswith("tiercel-lab")
    assert details == {
        "condition_compiled": '(((evt.type in (open) and lab.exe startswith /opt/) and lab.exe in (/bin/a, "/bin/b c")) '
        "and not (lab.flags > 5 and tolower(lab.short) = x))",
        "condition_fields": ["evt.type", "lab.exe", "lab.flags", "lab.short"],
        "condition_operators": ["=", ">", "in", "startswith"],
        "exception_names": ["known"],
        "exception_fields": ["lab.flags", "lab.short"],
        "exception_operators": ["=", ">"],
        "output_compiled": "First (exe=%lab.exe)",
        "output_fields": ["lab.exe"],
        "events": ["open"],
        "lists": ["programs"],
        "macros": ["opened"],
    }
    assert second["details"]["events"] is None
    macros = {each["info"]["name"]: each["details"] for each in found["macros"]}
    assert macros["opened"]["condition_compiled"] == "(evt.type in (open) and lab.exe startswith /opt/)"
    assert (macros["opened"]["events"], macros["opened"]["macros"]) == (["open"], ["below_opt"])
    assert [name for name, details in macros.items() if not details["used"]] == ["spare"]
    lists = {each["info"]["name"]: each["details"] for each in found["lists"]}
    assert lists["programs"] == {"used": True, "items_compiled": ["/bin/a", "/bin/b c"], "lists": ["inner"]}


def test_all_as_text(run: Run, rules: Path) -> None:
    lines = run("rules", "describe", "-r", str(rules)).out.splitlines()
    assert [line.split()[0] for line in lines if line] == [
        "RULE", "First", "Second", "MACRO", "below_opt", "opened", "spare", "LIST", "inner", "programs",
    ]  # fmt: skip


def test_one(run: Run, rules: Path) -> None:
    lines = dict(line.split(None, 1) for line in run("rules", "describe", "-r", str(rules), "First").out.splitlines())
    assert (lines["priority"], lines["events"], lines["lists"]) == ("Warning", "open", "programs")
    [only] = json.loads(run("rules", "describe", "-r", str(rules), "First", "--json").out)["rules"]
    assert only["info"]["name"] == "First"
    done = run("rules", "describe", "-r", str(rules), "Frist")
    assert (done.code, done.out) == (2, "")
    assert 'did you mean "First"' in done.err


class TestEvents:
    def test_table_names_and_json(self, run: Run) -> None:
        lines = [line.split() for line in run("events").out.splitlines()]
        assert lines[0] == ["EVENT", "SOURCE", "COLLECTED"]
        assert [line for line in lines if line[2] == "yes"] == [["close", "lab", "yes"], ["open", "lab", "yes"]]
        assert ["call_1", "lab", "no"] in lines
        assert {"close", "open", "call_1"} <= set(run("events", "-N", "-s", "lab").out.split())
        found = json.loads(run("events", "--json").out)
        assert {"name": "close", "source": "lab", "collected": True} in found
        assert json.loads(run("events", "--json", "--not-collected").out) == [each for each in found if not each["collected"]]

    def test_unknown_source(self, run: Run) -> None:
        done = run("events", "-s", "lba")
        assert (done.code, done.out) == (2, "")
        assert 'did you mean "lab"' in done.err
