"""The schema for editors takes every good file, and finds what is wrong in bad ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.unit.ruleset.made import errors, loaded
from tiercel.ruleset.editor_schema import EDITOR_SCHEMA

FULL = "- {rule: R, desc: d, condition: evt.type = open, output: o, priority: INFO"
ENTRY = f"{FULL}}}\n"


def problems(text: str) -> list[str]:
    found = Draft7Validator(EDITOR_SCHEMA).iter_errors(yaml.safe_load(text))
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.validator}" for error in found]


def test_it_is_a_schema_and_describes_every_key() -> None:
    Draft7Validator.check_schema(EDITOR_SCHEMA)

    def properties(schema: Any) -> list[tuple[str, Any]]:
        if isinstance(schema, list):
            return [pair for each in schema for pair in properties(each)]
        if not isinstance(schema, dict):
            return []
        own = list(schema.get("properties", {}).items()) if schema.get("type") == "object" else []
        return [*own, *(pair for each in schema.values() for pair in properties(each))]

    found = properties(EDITOR_SCHEMA)
    assert {"rule", "skip-if-unknown-filter", "comps", "alternatives", "override", "items"} <= {name for name, _ in found}
    assert [name for name, schema in found if not schema.get("description")] == []


@pytest.mark.parametrize("name", ["falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml", "k8s_audit_rules.yaml"])
def test_stock_files(shared: Path, name: str) -> None:
    assert problems((shared / "falco-rules" / name).read_text()) == []


def test_our_own_files(repository: Path) -> None:
    assert problems((repository / "rules/tiercel_rules/tiercel.yaml").read_text()) == []


GOOD = (
    "",
    "- ",
    "- required_engine_version: 17",
    "- required_engine_version: 0.31.0",
    "- required_plugin_versions: [{name: json, version: 0.1.0, alternatives: [{name: k8s, version: 1.0.0}]}]",
    "- {list: a, items: [b, 1, true]}",
    "- {list: a, items: [b]}\n- {list: a, items: [c], append: true}\n- {list: a, items: [c], override: {items: append}}",
    "- {macro: m, condition: proc.name = a}\n- {macro: m, condition: or proc.name = b, override: {condition: append}}",
    f"{FULL}, source: syscall, enabled: 'yes', tags: [a], warn_evttypes: false, capture: true, capture_duration: 5}}",
    f"{FULL}, exceptions: [{{name: e, fields: proc.name, comps: in, values: [a, b]}}]}}",
    f"{FULL}, exceptions: [{{name: e, fields: [proc.name, proc.exe], comps: [in, '='], values: [[[a, b], c], [a, 5]]}}]}}",
    f"{ENTRY}- {{rule: R, enabled: false}}",
    f"{ENTRY}- {{rule: R, append: true, condition: and proc.name = a}}",
    f"{ENTRY}- {{rule: R, condition: and proc.name = a, override: {{condition: append}}}}",
    f"{ENTRY}- {{rule: R, priority: error, tags: [x], enabled: true, override: {{priority: replace, tags: append, enabled: replace}}}}",
    f"{FULL}, exceptions: [{{name: e, fields: proc.name}}]}}\n"
    "- {rule: R, exceptions: [{name: e, values: [x]}], override: {exceptions: append}}",
)
BAD = (
    "- {rule: R}",
    f"{ENTRY.replace('INFO', 'LOUD')}",
    f"{ENTRY.replace('output: o, ', '')}",
    f"{FULL}, capture_duration: x}}",
    f"{FULL}, enabled: maybe}}",
    f"{FULL}, tags: a}}",
    f"{FULL}, exceptions: [{{fields: proc.name, values: [a]}}]}}",
    f"{FULL}, exceptions: [{{name: e, values: [a]}}]}}",
    f"{FULL}, exceptions: {{name: e, fields: proc.name}}}}",
    f"{ENTRY}- {{rule: R, condition: and proc.name = a, override: {{output: append}}}}",
    f"{ENTRY}- {{rule: R, priority: ERROR, override: {{priority: append}}}}",
    f"{ENTRY}- {{rule: R, desc: x, output: y, override: {{desc: append}}}}",
    f"{ENTRY}- {{rule: R, source: syscall, override: {{source: replace}}}}",
    "- {list: a}",
    "- {list: a, items: b}",
    "- {list: a, items: [b], override: {items: add}}",
    "- {macro: m}",
    "- required_engine_version: new",
    "- required_plugin_versions: [{name: json}]",
    "- required_plugin_versions: [{name: json, version: new}]",
    "rule: R",
    "- just text",
)  # fmt: skip
STRICTER = ("- {list: a b, items: []}", f"{FULL}, colour: red}}", "- {other: 1}", "- {macro: 1m, condition: proc.name = a}")
"""What the loader only warns of."""


@pytest.mark.parametrize("text", GOOD)
def test_good(text: str) -> None:
    if "required_plugin" not in text:
        loaded(text)
    assert problems(text) == []


@pytest.mark.parametrize("text", BAD)
def test_bad(text: str) -> None:
    assert errors(text) != []
    assert problems(text) != []


@pytest.mark.parametrize("text", STRICTER)
def test_stricter_than_the_loader(text: str) -> None:
    assert loaded(text).warnings
    assert problems(text) != []
