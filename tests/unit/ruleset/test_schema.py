from __future__ import annotations

import subprocess
import sys

import pytest

from tiercel.ruleset.schema import MAX_MESSAGES, validate

RULE = "- rule: r\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: INFO\n"


@pytest.mark.parametrize(
    "text",
    [
        RULE,
        RULE + "---\n" + RULE,
        "- list: l\n  items: [a, 1, 'x']\n  priority: INFO",
        RULE + "  enabled: yes\n  exceptions: [{name: e, fields: [a], comps: x, values: 3}]",
        "- required_plugin_versions: [{name: a, version: 1.0.0, alternatives: [{name: b, version: 1.0.0}]}]",
        "- macro: m\n  condition: x\n  override: {condition: replace}",
        "- desc: nothing is required",
    ],
)
def test_what_the_schema_lets_pass(text: str) -> None:
    assert validate(text).status == "ok"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RULE + "  capture: 'yes'", "[0].capture: expected boolean (got string)"),
        (RULE.replace("INFO", "Info"), "[0].priority: expected one of EMERGENCY"),
        (RULE + "  typo: 1", "[0]: unknown key 'typo'"),
        (RULE + "  capture_duration: soon", "[0].capture_duration: expected integer (got string)"),
        (RULE + "  exceptions: [{fields: [a]}]", "[0].exceptions[0]: missing key 'name'"),
        (RULE + "  exceptions: [{name: e, value: x}]", "[0].exceptions[0]: unknown key 'value'"),
        (RULE + "  override: {}", "[0].override: expected at least 1 key"),
        (RULE + "  override: {source: append}", "[0].override: unknown key 'source'"),
        ("- list: l\n  items: [1.5]", "[0].items[0]: expected string or integer (got number)"),
        ("- required_engine_version: 12", "[0].required_engine_version: expected string (got integer)"),
        ("- required_plugin_versions: [{name: a}]", "missing key 'version'"),
        ("rule: x", "the file: expected array (got object)"),
        ("text", "the file: expected array (got string)"),
    ],
)
def test_what_the_schema_refuses(text: str, message: str) -> None:
    result = validate(text)
    assert result.status == "failed"
    assert message in "\n".join(result.messages)


@pytest.mark.parametrize("text", ["", "---\n---\n", "a: b: c", "# comment"])
def test_nothing_to_hold_against_it(text: str) -> None:
    assert validate(text).status == "none"


def test_the_number_of_messages_is_bounded() -> None:
    assert len(validate("- typo: 1\n" * 1000).messages) == MAX_MESSAGES


def test_jsonschema_is_not_imported_with_the_module() -> None:
    code = "import sys, tiercel.ruleset.schema as s; sys.exit('jsonschema' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, check=False).returncode == 0
