"""Falco's own cases for rule files: those of rulefiles.jsonl that do without what is not supported yet."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from tests.conformance.vectors import FieldsOfTheReference, event_types, load_vectors
from tiercel.errors import Diagnostic, RuleError
from tiercel.lang.canonical import canonical
from tiercel.ruleset.loader import load
from tiercel.ruleset.model import RuleSet

WORDING: Final = {
    "legacy.falco_tests.invalid_yaml_parse_error": "mapping values are not allowed in this context",
    "legacy.falco_tests.skip_unknown_error": "unknown field",
    "rule_loader.rule_enabled_warning": "The standalone 'enabled' key usage is deprecated.",
}
"""Cases whose message says the same in other words: what ours contains."""
OTHER: Final = re.compile(r"enable_rule|extra_output|plugin_requirements")
"""Cases about the configuration or about plugins, not about files."""
MANY: Final = 20
"""More event types than a case names."""


def outcome(case: dict[str, Any], shared: Path) -> tuple[RuleSet | None, list[Diagnostic]]:
    files = [(f"{number}.yaml", text) for number, text in enumerate(case["files"])]
    known = event_types(shared) | {"close", "access", "read", "write", "mmap", "switch"}
    try:
        rules = load(
            files, catalogue=FieldsOfTheReference(shared), sources=frozenset({"syscall", "k8s_audit"}), event_types={"syscall": known}
        )
    except RuleError as error:
        return None, list(error.diagnostics)
    return rules, list(rules.warnings)


def problems(case: dict[str, Any], rules: RuleSet | None, diagnostics: list[Diagnostic]) -> list[str]:
    """What differs from what the case says."""
    expect = case["expect"]
    errors = [each for each in diagnostics if not each.warning]
    warned = "\n".join(each.message for each in diagnostics if each.warning)
    failed = "\n".join(each.message for each in errors)
    own = WORDING.get(case["id"])
    found = []
    if (rules is not None) is not case["loads"]:
        found.append(f"loads: {failed or 'yes'}")
    if errors and "error_code" in expect and errors[0].code != expect["error_code"]:
        found.append(f"code: {errors[0].code}")
    found += [f"error: {text}" for text in expect.get("error_contains", ()) if (own or text) not in failed]
    found += [f"warning: {text}" for text in expect.get("warning_contains", ()) if (own or text) not in warned]
    found += [f"no warning: {text}" for text in expect.get("warning_absent", ()) if text in warned]
    if rules is not None:
        if expect.get("no_warnings") and warned:
            found.append(f"warnings: {warned}")
        compiled = {rule.name: canonical(rule.condition) for rule in rules.rules}
        for name, rule in expect.get("rules", {}).items():
            wanted = rule.get("condition_compiled")
            if wanted is not None and compiled[name] != wanted:
                found.append(f"{name}: {compiled[name]}")
        if "enabled_rules" in expect and "selection" not in expect and sum(rule.enabled for rule in rules.rules) != expect["enabled_rules"]:
            found.append("enabled rules")
        types = {rule.name: rule.event_types for rule in rules.rules}
        for name, wanted in expect.get("event_types_today", {}).items():
            got = types[name]
            kind = "all" if got is None else "many" if len(got) > MANY else sorted(got)
            if kind != wanted:
                found.append(f"{name}: {kind}, expected {wanted}")
    return found


def test_rulefiles(shared: Path) -> None:
    wrong, tried = [], 0
    for case in load_vectors(shared, "rulefiles.jsonl"):
        rules, diagnostics = outcome(case, shared)
        if OTHER.match(case["id"]) or any(each.code == "LOAD_NOT_SUPPORTED" for each in diagnostics):
            continue
        tried += 1
        wrong += [(case["id"], problem) for problem in problems(case, rules, diagnostics)]
    assert wrong == []
    assert tried > 40
