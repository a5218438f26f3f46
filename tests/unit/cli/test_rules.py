"""`tiercel check` and `tiercel rules`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tiercel.cli import rules as rules_command

RULES = """\
- macro: below_opt
  condition: lab.exe startswith /opt/

- rule: First
  desc: The first.
  condition: evt.type = open and below_opt and lab.flags = 3 and lab.short contains x
  output: First (exe=%lab.exe)
  priority: WARNING
  tags: [b, a]

- rule: Second
  desc: The second.
  condition: evt.type = close and lab.exe = /bin/sh
  output: Second
  priority: DEBUG
  source: lab

- rule: Third
  desc: Not enabled.
  condition: evt.type = open
  output: Third
  priority: ERROR
  source: lab
  enabled: false
"""


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rules_command, "COUNTERS", tmp_path / "no-sensor.json")
    path = tmp_path / "rules.yaml"
    path.write_text(RULES.replace("tags: [b, a]", "tags: [b, a]\n  source: lab"))
    return path


@pytest.mark.parametrize("arguments", [("list",), ("explain", "First"), ("lint",), ("describe",)], ids=" ".join)
def test_options_of_the_command_line_count(run: Run, rules: Path, arguments: tuple[str, ...]) -> None:
    done = run("rules", *arguments, "-r", str(rules), "-o", "priority=notise")
    assert done.code == 2
    assert done.err.startswith("<command line>: -o priority: priority: expected one of")


class TestCheck:
    def test_everything_is_fine(self, run: Run, rules: Path, tmp_path: Path) -> None:
        done = run("check", "-r", str(rules))
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines() == [f"{tmp_path}/lab.yaml: Ok", f"{rules}: Ok", "2 of 3 rules would run"]
        found = json.loads(run("check", "-r", str(rules), "--json").out)
        result = {"name": str(rules), "successful": True, "errors": [], "warnings": [], "schema_valid": True}
        assert found == {"ok": True, "problems": [], "falco_load_results": [result], "left_out": []}

    def test_files_of_other_event_sources_are_left_out_and_their_fields_listed(self, run: Run, rules: Path, tmp_path: Path) -> None:
        other = tmp_path / "other.yaml"
        other.write_text(
            "- required_plugin_versions: [{name: cloud, version: 1.0.0}]\n- macro: bad\n  condition: a b\n"
            "- macro: writes\n  condition: cloud.verb in (put, post)\n- rule: Cloud\n  desc: d\n  source: cloud\n  priority: INFO\n"
            "  condition: writes and not tolower(cloud.user[1]) = val(cloud.owner)\n  output: '%12cloud.name %toupper(cloud.zone)'\n"
        )
        done = run("check", "-r", str(rules), "-r", str(other))
        assert done.code == 0
        assert done.err.splitlines()[0] == f'{other}:6:9: warning: rule "Cloud": Unknown source cloud, skipping [LOAD_UNKNOWN_SOURCE]'
        assert done.out.splitlines()[1:] == [
            f"{rules}: Ok", f"{other}: left out", "2 of 3 rules would run",
            "Left out: 1 of event source cloud, which does not exist yet. The fields that they read:",
            "  cloud.name, cloud.owner, cloud.user, cloud.verb, cloud.zone",
        ]  # fmt: skip
        found = json.loads(run("check", "-r", str(rules), "-r", str(other), "--json").out)
        fields = ["cloud.name", "cloud.owner", "cloud.user", "cloud.verb", "cloud.zone"]
        assert found["left_out"] == [{"source": "cloud", "rules": ["Cloud"], "fields": fields}]

    def test_required_plugins_must_be_there(self, run: Run, rules: Path) -> None:
        rules.write_text(rules.read_text() + "\n- required_plugin_versions:\n  - {name: cloud, version: 1.0.0}\n")
        done = run("check", "-r", str(rules))
        assert done.code == 2
        assert ":28:5: Plugin requirement not satisfied, must load one of: cloud 1.0.0 (got none of them)" in done.err

    def test_priority_counts(self, run: Run, rules: Path, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text("sources: {lab: }\npriority: notice\nrules_files: [rules.yaml]")
        assert run("check", "-c", "c.yaml").out.splitlines()[-1] == "1 of 3 rules would run"

    def test_mistakes_of_configuration_and_rules_are_reported_together(self, run: Run, rules: Path, tmp_path: Path) -> None:
        rules.write_text(rules.read_text().replace("lab.flags = 3", "lab.flag = 3").replace("DEBUG", "LOUD"))
        (tmp_path / "c.yaml").write_text("priority: x\noutputs: {sdtout: }\nrules_files: [rules.yaml, missing.yaml]")
        done = run("check", "-c", "c.yaml")
        assert done.code == 2
        assert done.out.splitlines() == ["c.yaml: Invalid", f"{rules}: Invalid", f"{tmp_path}/missing.yaml: Invalid"]
        places = [line.split(" ")[0] for line in done.err.splitlines() if not line.startswith(" ")]
        assert places[:3] == ["c.yaml:1:11:", "c.yaml:2:11:", f"{tmp_path}/missing.yaml:"]
        assert {":".join(place.split(":")[:2]) for place in places[3:]} == {f"{rules}:6", f"{rules}:16"}
        (tmp_path / "c.yaml").write_text("priority: x\nrules_files: [rules.yaml]")
        done = run("check", "-c", "c.yaml")
        lines = done.err.splitlines()
        assert lines[0].startswith("c.yaml:1:11: priority: expected one of")
        assert lines[0].endswith(" [CONFIG]")
        assert lines[1:3] == ["    priority: ...", "              ^"]
        condition = next(number for number, line in enumerate(lines) if line.startswith(f"{rules}:6:48: "))
        assert lines[condition].endswith(" [LOAD_ERR_COMPILE_CONDITION]")
        assert lines[condition + 1] == "      condition: evt.type = open and below_opt and lab.flag = 3 and lab.short contains x"
        assert lines[condition + 2] == " " * (4 + 47) + "^"

    def test_choices_and_additions_are_told_with_their_place(self, run: Run, rules: Path, tmp_path: Path) -> None:
        text = "sources: {lab: }\nrules_files: [rules.yaml]\nrules: [{disable: {rule: '*'}}, {enable: {rule: Gone}}]\n"
        (tmp_path / "c.yaml").write_text(text)
        assert run("check", "-c", "c.yaml").err.splitlines()[0] == (
            'c.yaml:3:33: warning: rules[1]: enable rule "Gone": there is no such rule [CONFIG]'
        )
        (tmp_path / "c.yaml").write_text(text + "append_output:\n- extra_output: '%lab.exx'")
        done = run("check", "-c", "c.yaml")
        assert done.err.splitlines()[0].startswith("c.yaml:5:3: append_output[0].extra_output: ")
        done = run("check", "-c", "c.yaml", "-o", "append_output[0].extra_output=%lab.ex")
        assert done.err.splitlines()[0].startswith("<command line>: -o append_output[0].extra_output: append_output[0].extra_output: ")

    def test_json_has_places_and_codes(self, run: Run, rules: Path) -> None:
        rules.write_text(rules.read_text().replace("lab.flags = 3", "lab.flag = 3"))
        done = run("check", "-r", str(rules), "--json")
        assert done.code == 2
        found = json.loads(done.out)
        assert found["ok"] is False
        [problem] = found["problems"]
        assert (problem["file"], problem["line"], problem["warning"]) == (str(rules), 6, False)
        assert "lab.flag" in problem["message"]
        [result] = found["falco_load_results"]
        assert (result["successful"], result["schema_valid"], result["warnings"]) == (False, True, [])
        [error] = result["errors"]
        assert (error["code"], error["message"]) == ("LOAD_ERR_COMPILE_CONDITION", problem["message"])
        assert error["codedesc"] != error["code"]
        assert error["context"]["snippet"] == problem["snippet"]
        around = [(each["item_type"], each["item_name"], each["position"]["line"]) for each in error["context"]["locations"]]
        assert around == [("rules content", "", 0), ("rule", "First", 3), ("rule condition", "", 5)]
        position = error["context"]["locations"][-1]["position"]
        assert position == {"name": str(rules), "line": 5, "column": 47, "offset": rules.read_text().index("lab.flag = 3")}

    def test_a_file_that_cannot_be_read_is_among_the_results(self, run: Run, rules: Path, tmp_path: Path) -> None:
        done = run("check", "-r", str(rules), "-r", "missing.yaml", "--json")
        first, second = json.loads(done.out)["falco_load_results"]
        assert (done.code, first["successful"], second["successful"]) == (2, True, False)
        assert second["name"] == f"{tmp_path}/missing.yaml"
        assert [each["code"] for each in second["errors"]] == ["LOAD_ERR_FILE_READ"]
        assert "schema_valid" not in second

    def test_what_is_wrong_with_a_condition_is_said_beside_wrong_exceptions(self, run: Run, rules: Path) -> None:
        text = (
            rules.read_text().replace("lab.flags = 3", "lab.flag = 3").replace("tags: [b, a]", "exceptions: [{name: e, fields: [lab.no]}]")
        )
        rules.write_text(text)
        found = json.loads(run("check", "-r", str(rules), "--json").out)["problems"]
        assert [each["code"] for each in found] == ["LOAD_ERR_COMPILE_CONDITION", "LOAD_ERR_VALIDATE"]

    def test_files_that_only_root_may_read_are_left_to_the_supervisor(self, run: Run, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.access", lambda *_arguments, **_options: False)
        assert run("check", "-r", str(rules)).code == 0

    def test_broken_yaml(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text("a: [")
        done = run("check", "-c", "c.yaml")
        assert done.code == 2
        assert done.err.startswith("c.yaml:2:1: bad YAML")

    def test_a_component_that_is_not_installed(self, run: Run, rules: Path, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text("rules_files: [rules.yaml]")
        done = run("check", "-c", "c.yaml")
        assert done.code == 2
        assert done.err == 'c.yaml: sources.ebpf: unknown source "ebpf"; known: lab [CONFIG]\n'

    def test_a_file_output_needs_its_grant(self, run: Run, rules: Path, tmp_path: Path) -> None:
        text = "sources: {lab: }\noutputs:\n  file: {grant: alerts}\nrules_files: [rules.yaml]\n"
        (tmp_path / "c.yaml").write_text(text)
        done = run("check", "-c", "c.yaml")
        first = 'c.yaml:3:17: outputs.file.grant: expected one of: nothing, because there is none (got "alerts") [CONFIG]'
        assert done.err.splitlines()[0] == first
        (tmp_path / "c.yaml").write_text(f"{text}grants:\n  alerts: {{path: /var/log/a, mode: append}}\n")
        assert run("check", "-c", "c.yaml").code == 0


class TestList:
    def test_table(self, run: Run, rules: Path) -> None:
        done = run("rules", "list", "-r", str(rules))
        assert (done.code, done.err) == (0, "")
        assert [line.split() for line in done.out.splitlines()] == [
            ["RULE", "PRIORITY", "SOURCE", "RUNS", "TAGS", "PLACE"],
            ["First", "Warning", "lab", "yes", "a,b", f"{rules}:4"],
            ["Second", "Debug", "lab", "yes", f"{rules}:12"],
            ["Third", "Error", "lab", "no", f"{rules}:19"],
        ]

    def test_json(self, run: Run, rules: Path) -> None:
        found = json.loads(run("rules", "list", "-r", str(rules), "--json").out)
        assert [each["rule"] for each in found] == ["First", "Second", "Third"]
        assert (found[0]["tags"], found[0]["event_types"], found[2]["runs"]) == (["a", "b"], ["open"], False)

    def test_mistakes(self, run: Run, rules: Path) -> None:
        rules.write_text(rules.read_text().replace("lab.flags = 3", "lab.flag = 3"))
        done = run("rules", "list", "-r", str(rules))
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"{rules}:6:")

    def test_warnings_go_to_stderr(self, run: Run, rules: Path) -> None:
        rules.write_text(rules.read_text().replace("source: lab\n  enabled: false", "source: elsewhere"))
        done = run("rules", "list", "-r", str(rules))
        assert done.code == 0
        assert "Third" not in done.out
        assert done.err.startswith(f"{rules}:19:")
        assert ": warning: " in done.err
        assert ": warning: " in run("check", "-r", str(rules)).err


class TestExplain:
    def test_where_a_rule_is_judged(self, run: Run, rules: Path) -> None:
        done = run("rules", "explain", "First", "-r", str(rules))
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert lines[0] == "First (lab)"
        assert any(line.startswith("for open: ") for line in lines)
        process = lines.index(next(line for line in lines if line.startswith("  once per process:")))
        kernel = lines.index(next(line for line in lines if line.startswith("  in the kernel, by scalars:")))
        assert "lab.exe startswith /opt/" in "".join(lines[process:kernel])
        assert "lab.short contains x" in "".join(lines[process:kernel])
        assert "lab.flags = 3" in lines[kernel]
        assert "reads: " in done.out

    def test_what_cannot_be_judged_ahead_has_a_reason(self, run: Run, rules: Path) -> None:
        [found] = json.loads(run("rules", "explain", "Second", "-r", str(rules), "--json").out)["types"]
        assert found["event_types"] == ["close"]
        assert found["scalars"] == []

    def test_long_lists_are_cut_for_people_only(self, run: Run, rules: Path) -> None:
        short, long = ", ".join(f"/s{n}" for n in range(6)), ", ".join(f"/l{n}" for n in range(7))
        rules.write_text(rules.read_text().replace("lab.exe = /bin/sh", f"(lab.exe in ({short}) or not lab.exe in ({long}))"))
        text = run("rules", "explain", "Second", "-r", str(rules)).out
        assert f"lab.exe in ({short})" in text
        assert "not lab.exe in (/l0, /l1, /l2, /l3, ... 3 more)" in text
        assert "/l4" not in text
        data = run("rules", "explain", "Second", "-r", str(rules), "--json").out
        assert f"not lab.exe in ({long})" in data
        assert "more" not in data

    def test_what_has_no_value_or_does_not_come(self, run: Run, rules: Path) -> None:
        conditions = {
            "A": "evt.type in (open, call_3) and (lab.gone = x or lab.exe = /bin/sh) and not lab.gone exists",
            "B": "evt.type = call_3",
            "C": "evt.type = open and lab.gone = x",
            "D": "not evt.type in (open, close)",
        }
        rule = "- rule: {}\n  desc: d\n  condition: {}\n  output: o\n  priority: INFO\n  source: lab\n"
        rules.write_text("".join(rule.format(*each) for each in conditions.items()))
        texts = {name: run("rules", "explain", name, "-r", str(rules)).out for name in conditions}
        assert "for open: lab.exe = /bin/sh\n" in texts["A"]
        assert "\nnot collected yet: call_3\n" in texts["A"]
        assert "\nwithout values so far, so false: lab.gone = x, lab.gone exists\n" in texts["A"]
        assert "\nnever matches\n" not in texts["A"]
        assert all("\nnever matches\n" in texts[name] for name in "BCD")
        assert "not collected yet" not in texts["C"]
        assert "\nnot collected yet: 25 event types\n" in texts["D"]
        data = json.loads(run("rules", "explain", "A", "-r", str(rules), "--json").out)
        assert (data["not_collected"], data["without_value"]) == (["call_3"], ["lab.gone = x", "lab.gone exists"])

    def test_counters(self, run: Run, rules: Path, tmp_path: Path) -> None:
        counters = {
            "time": 1_700_000_000,
            "rules": {"First": {"matches": 3, "pending": 0, "failures": 1}},
            "types": {"open": {"seen": 100, "dropped_process": 90}, "close": {"seen": 7}},
        }
        (tmp_path / "counters.json").write_text(json.dumps(counters))
        done = run("rules", "explain", "First", "-r", str(rules), "--counters", "counters.json")
        assert ": matches 3, failures 1\n  all open events: seen 100, dropped_process 90\n" in done.out
        as_json = json.loads(run("rules", "explain", "First", "-r", str(rules), "--counters", "counters.json", "--json").out)
        assert as_json["counters"]["rule"] == counters["rules"]["First"]  # type: ignore[index]
        assert "counters" not in json.loads(run("rules", "explain", "First", "-r", str(rules), "--json").out)

    def test_costs_are_shown_by_samples(self, run: Run, rules: Path, tmp_path: Path) -> None:
        counted = {"matches": 1, "by_process": 60, "by_scalars": 20, "by_places": 10, "by_condition": 10, "nanoseconds": 12_340}
        (tmp_path / "counters.json").write_text(json.dumps({"time": 5, "rules": {"First": counted}, "types": {}}))
        out = run("rules", "explain", "First", "-r", str(rules), "--counters", "counters.json").out
        assert "matches 1\n" in out
        assert "  decided in Python by: process 60.0 %, scalars 20.0 %, place 10.0 %, condition 10.0 % (of 100 events sampled)\n" in out
        assert "  its condition takes 1.23 us\n" in out

    def test_counters_of_a_running_sensor(self, run: Run, rules: Path, tmp_path: Path) -> None:
        (tmp_path / "no-sensor.json").write_text('{"time": 5, "rules": {}, "types": {}}')
        assert "counted until" in run("rules", "explain", "First", "-r", str(rules)).out
        (tmp_path / "no-sensor.json").write_text("")  # it has just begun
        done = run("rules", "explain", "First", "-r", str(rules))
        assert (done.code, "counted until" in done.out) == (0, False)

    @pytest.mark.parametrize(
        ("content", "message"), [(None, "cannot be read: No such file"), ("{}", "holds no counters"), ("x", "holds no")]
    )
    def test_no_counters(self, run: Run, rules: Path, tmp_path: Path, content: str | None, message: str) -> None:
        if content is not None:
            (tmp_path / "counters.json").write_text(content)
        done = run("rules", "explain", "First", "-r", str(rules), "--counters", "counters.json")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"tiercel: counters.json: {message}")

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("Frist", 'unknown rule "Frist" (did you mean "First"?); try `tiercel rules list`'),
            ("Third", 'rule "Third" does not run: it is disabled, or less urgent than the configuration\'s priority'),
        ],
    )
    def test_rules_that_do_not_run(self, run: Run, rules: Path, name: str, message: str) -> None:
        done = run("rules", "explain", name, "-r", str(rules))
        assert (done.code, done.err) == (2, f"tiercel: {message}\n")
