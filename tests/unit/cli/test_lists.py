"""`tiercel fields` and `tiercel plugins`."""

from __future__ import annotations

import json
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from tests.unit import distributions
from tests.unit.cli.conftest import Run


def test_fields_say_all_that_an_author_needs(run: Run) -> None:
    done = run("fields", "-s", "lab", "lab.")
    assert (done.code, done.err) == (0, "")
    heading, *rows = [line.split() for line in done.out.splitlines()]
    assert heading == ["FIELD", "ARGUMENT", "TYPE", "GROUP", "CHANGES", "SOURCES", "INPUTS", "OWNER", "DESCRIPTION"]
    assert [row[:9] for row in rows] == [
        ["lab.exe", "-", "string", "process", "exec", "lab", "-", "tiercel-lab", "3.1"],
        ["lab.flags", "-", "uint32", "scalar", "event", "lab", "-", "tiercel-lab", "3.1"],
        ["lab.gone", "-", "string", "rest", "event", "lab", "-", "tiercel-lab", "3.1"],
        ["lab.short", "-", "string", "process", "exec", "lab", "lab.exe", "tiercel-lab", "3.1"],
    ]
    assert {row[0] for row in rows if " ".join(row[9:]).startswith("No value yet.")} == {"lab.gone"}


def test_fields_of_every_source_are_listed_once(run: Run) -> None:
    names = [line.split()[0] for line in run("fields").out.splitlines()[1:]]
    assert names == sorted(set(names))
    assert {"evt.num", "evt.hostname", "lab.exe", "evt.type"} <= set(names)
    everywhere = {each["name"]: each["sources"] for each in json.loads(run("fields", "--json").out)}
    assert (everywhere["evt.num"], everywhere["lab.short"]) == (["*"], ["lab"])


def test_fields_as_json(run: Run) -> None:
    [found] = json.loads(run("fields", "--json", "last", "EXECUTABLE").out)
    assert found == {
        "name": "lab.short",
        "type": "string",
        "is_list": False,
        "argument": "none",
        "group": "process",
        "changes": ["exec"],
        "sources": ["lab"],
        "inputs": ["lab.exe"],
        "in_output": True,
        "in_comparison": True,
        "in_transformer": True,
        "suggested": False,
        "absent": False,
        "owner": "tiercel-lab 3.1",
        "description": "Last part of the executable.",
    }


def test_fields_of_an_unknown_source(run: Run) -> None:
    done = run("fields", "-s", "labb")
    assert (done.code, done.out) == (2, "")
    assert done.err == 'tiercel: unknown event source "labb" (did you mean "lab"?); known: lab\n'


def test_plugins(run: Run, installed: list[Distribution], tmp_path: Path) -> None:
    installed.append(distributions.distribution(tmp_path, "tiercel-bad", entry_points={"bad": "no_such_module_here"}))
    installed.append(distributions.distribution(tmp_path, "tiercel-old", requires=["tiercel>=99"], entry_points={"old": "x"}))
    (tmp_path / "deny.yaml").write_text("plugins: {deny: [file]}\npriority: a mistake that does not matter here\n")
    done = run("plugins", "-c", "deny.yaml")
    assert done.code == 0
    rows = {line.split()[0]: line.split(maxsplit=4) for line in done.out.splitlines()}
    assert rows["stdout"][1:] == ["tiercel", "0.1.0", "loaded", "output stdout"]
    assert rows["lab"][1:] == ["tiercel-lab", "3.1", "loaded", "source lab, 5 fields"]
    assert rows["file"][3:] == ["denied", "denied by plugins.deny"]
    assert rows["old"][3:] == ["refused", "requires tiercel>=99, this is 0.1.0"]
    assert rows["bad"][3] == "failed"
    assert rows["bad"][4].startswith("cannot be imported: ModuleNotFoundError: No module named 'no_such_module_here'")


def test_plugins_with_everything(run: Run) -> None:
    done = run("plugins", "-v")
    assert "\n  hook      tiercel_register_outputs\n  provides  output stdout\n" in done.out
    assert "tiercel_stdout/__init__.py" in done.out
    found = {each["name"]: each for each in json.loads(run("plugins", "--json").out)}
    assert found["lab"]["provides"] == [
        "field evt.type",
        "field lab.exe",
        "field lab.flags",
        "field lab.gone",
        "field lab.short",
        "source lab",
    ]
    assert found["lab"]["state"] == "loaded"
    assert set(found["evt"]) == {"name", "distribution", "version", "target", "state", "reason", "path", "requires", "hooks", "provides"}


def test_plugins_list_is_the_same(run: Run) -> None:
    for options in ((), ("-v",), ("--json",)):
        assert run("plugins", "list", *options).out == run("plugins", *options).out


def test_one_plugin(run: Run) -> None:
    found = json.loads(run("plugins", "info", "file", "--json").out)
    assert (found["distribution"], found["state"], found["hooks"]) == ("tiercel", "loaded", ["tiercel_register_outputs"])
    [component] = found["components"]
    assert (component["kind"], component["name"], component["api_version"]) == ("output", "file", "1.0")
    assert component["options"]["properties"]["format"]["default"] == "json"
    assert found["fields"] == found["rules"] == []
    text = run("plugins", "info", "file").out
    assert "\noutput file (stable, API 1.0)\n" in text
    lab = json.loads(run("plugins", "info", "lab", "--json").out)
    assert [each["name"] for each in lab["fields"]] == ["evt.type", "lab.exe", "lab.flags", "lab.gone", "lab.short"]
    [source] = lab["components"]
    assert source["event_source"] == "lab"


def test_an_unknown_plugin(run: Run) -> None:
    done = run("plugins", "info", "fiel")
    assert done.code == 2
    assert done.err.startswith('tiercel: plugin "fiel": not found (did you mean "file"?)')


def test_left_out_plugins_are_warned_of(run: Run, installed: list[Distribution], tmp_path: Path) -> None:
    installed.append(distributions.distribution(tmp_path, "tiercel-old", requires=["tiercel>=99"], entry_points={"old": "x"}))
    done = run("fields")
    assert done.code == 0
    assert done.err == "tiercel: warning: plugin old of tiercel-old 1.0 was left out: requires tiercel>=99, this is 0.1.0\n"


def test_people_at_a_terminal_get_a_table(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    assert "output stdout" in run("plugins").out
