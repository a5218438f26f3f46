"""The stock rule files load as they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from tiercel.config.rules import known_event_types
from tiercel.plugins import PluginHost
from tiercel.ruleset.loader import load
from tiercel.ruleset.model import RuleSet
from tiercel.ruleset.schema import validate

FILES: Final = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml", "k8s_audit_rules.yaml")
FOREIGN: Final = re.compile(r"\b(?:ka|jevt)(?:\.[A-Za-z_]\w*)+")
"""Fields of the event source that there is not."""


@pytest.fixture(scope="module")
def texts(shared: Path) -> dict[str, str]:
    return {name: (shared / "falco-rules" / name).read_text(encoding="utf-8") for name in FILES}


@pytest.fixture(scope="module")
def rules(texts: dict[str, str]) -> RuleSet:
    host = PluginHost()
    host.load()
    sources = frozenset({source.event_source for source in host.sources()})
    return load(
        list(texts.items()), catalogue=host.fields(), sources=sources, event_types=known_event_types(host), plugins=host.stand_ins()
    )  # fmt: skip


def test_all_rules_of_system_calls_are_there(rules: RuleSet) -> None:
    assert len(rules.rules) == 93
    assert sum(rule.enabled for rule in rules.rules) == 81
    assert str(rules.required_engine_version) == "0.57.0"
    assert {choice.name for each in rules.required_plugins for choice in each.choices} == {"container"}


def test_those_of_other_sources_are_the_only_warnings(rules: RuleSet) -> None:
    assert [warning.code for warning in rules.warnings] == ["LOAD_UNKNOWN_SOURCE"] * len(rules.skipped)
    assert {rule.source for rule in rules.skipped} == {"k8s_audit"}


def test_the_fields_of_other_sources_are_exactly_those_that_the_rules_name(rules: RuleSet, texts: dict[str, str]) -> None:
    items = yaml.safe_load(texts["k8s_audit_rules.yaml"])
    macros = {item["macro"]: item["condition"] for item in items if "macro" in item}
    used, pending = set[str](), [item["condition"] for item in items if "rule" in item]
    written = [*pending, *(item["output"] for item in items if "rule" in item)]
    while pending:
        named = {name for name in re.findall(r"\w+", pending.pop()) if name in macros} - used
        used |= named
        pending += [macros[name] for name in named]
    written += [macros[name] for name in used]
    assert frozenset().union(*(rule.fields for rule in rules.skipped)) == set(FOREIGN.findall("\n".join(written)))


def test_what_the_schema_says_of_them(texts: dict[str, str]) -> None:
    """A version of the engine that is a whole number loads, and is no text as the schema wants it."""
    messages = {name: validate(text).messages for name, text in texts.items()}
    assert messages.pop("k8s_audit_rules.yaml") == ("[0].required_engine_version: expected string (got integer)",)
    assert set(messages.values()) == {()}
