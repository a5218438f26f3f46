"""Falco's own cases for rule files, all of them but what needs events: scenarios are run by `tiercel.testing.conformance`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tests.conformance.vectors import FieldsOfTheReference, event_types, load_vectors
from tiercel.errors import Diagnostic, RuleError
from tiercel.lang.canonical import canonical
from tiercel.ruleset.extra_output import ExtraOutput, with_extra_output
from tiercel.ruleset.loader import load
from tiercel.ruleset.model import Rule, RuleSet
from tiercel.ruleset.requirements import unmet
from tiercel.ruleset.schema import validate
from tiercel.ruleset.selection import Choice, select

WORDING: Final = {
    "legacy.falco_tests.invalid_yaml_parse_error": "mapping values are not allowed in this context",
}
"""Cases whose message says the same in other words, those of libyaml: what ours contains."""
MANY: Final = 20
"""More event types than a case names."""
LEAST: Final = 130
"""Cases in the file."""


def outcome(case: dict[str, Any], shared: Path) -> tuple[RuleSet | None, list[Diagnostic]]:
    files = [(f"{number}.yaml", text) for number, text in enumerate(case["files"])]
    known = event_types(shared) | {"close", "access", "read", "write", "mmap", "switch"}
    entries = [
        ExtraOutput(source=each["source"], tags=tuple(each["tags"]), rule=each["rule"], output=each["format"])
        for each in case.get("append_output", ())
    ]
    if "extra_fields" in case["expect"]:
        entries.append(ExtraOutput(fields=tuple(case["expect"]["extra_fields"].items())))
    catalogue = FieldsOfTheReference(shared)
    try:
        rules = load(
            files,
            catalogue=catalogue,
            sources=frozenset({"syscall", "k8s_audit"}),
            event_types={"syscall": known},
        )
    except RuleError as error:
        return None, list(error.diagnostics)
    made, wrong = with_extra_output(rules.rules, entries, catalogue)
    assert wrong == []
    return replace(rules, rules=made), list(rules.warnings)


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
    found += [f"error: {text}, got {failed}" for text in expect.get("error_contains", ()) if (own or text) not in failed]
    found += [f"warning: {text}, got {warned}" for text in expect.get("warning_contains", ()) if text not in warned]
    found += [f"no warning: {text}" for text in expect.get("warning_absent", ()) if text in warned]
    if expect.get("no_warnings") and warned:
        found.append(f"warnings: {warned}")
    if expect.get("has_warnings") and not warned:
        found.append("no warnings")
    if "schema_validation" in expect and validate(case["files"][-1]).status != expect["schema_validation"]:
        found.append(f"schema: {validate(case['files'][-1])}")
    return found + (loaded_problems(case, rules) if rules is not None else [])


def loaded_problems(case: dict[str, Any], rules: RuleSet) -> list[str]:
    """What differs from what the case says of the loaded rules."""
    expect = case["expect"]
    by_name = {rule.name: rule for rule in rules.rules}
    found = []
    for name, wanted in expect.get("rules", {}).items():
        rule = by_name[name]
        got = {
            "condition_compiled": canonical(rule.condition),
            "condition": rule.condition_text,
            "output": rule.output_text,
            "output_compiled": rule.output.text,
            "description": rule.description,
            "priority": rule.priority.label,
            "capture": rule.capture,
            "capture_duration": rule.capture_duration,
        }
        found += [f"{name}: {key}: {got[key]}, expected {value}" for key, value in wanted.items() if got[key] != value]
    if expect.get("rules") == {} and rules.rules:
        found.append("rules")
    names = [rule.name for rule in chosen(expect.get("selection"), rules)]
    if "enabled_rules" in expect and len(names) != expect["enabled_rules"]:
        found.append(f"enabled rules: {names}")
    if "enabled_rule_names" in expect and names != expect["enabled_rule_names"]:
        found.append(f"enabled rules: {names}")
    if "list_items" in expect and [list(each.items) for each in rules.lists] != [expect["list_items"]]:
        found.append(f"items: {rules.lists}")
    if "extra_fields" in expect:
        extra = {each.name: each.format.text for rule in rules.rules for each in rule.extra_fields}
        found += [] if extra == expect["extra_fields"] else [f"extra fields: {extra}"]
    if "plugin_requirements_met" in expect:
        loaded = {each["name"]: each["version"] for each in case["plugins_loaded"]}
        missing = unmet(rules.required_plugins, loaded)
        found += [] if expect["plugin_requirements_met"] is not bool(missing) else [f"plugins: {missing}"]
    for name, wanted in expect.get("event_types_today", {}).items():
        types = by_name[name].event_types
        kind = "all" if types is None else "many" if len(types) > MANY else sorted(types)
        if kind != wanted:
            found.append(f"{name}: {kind}, expected {wanted}")
    return found


def chosen(selection: Any, rules: RuleSet) -> tuple[Rule, ...]:
    """The rules that run. The cases of the engine's own calls are put as choices of the configuration."""
    if isinstance(selection, list):
        choices = [Choice(enable="enable" in each, **next(iter(each.values()))) for each in selection]
    elif selection is None or selection["op"] is None:
        choices = []
    else:
        op, arg = selection["op"], selection["arg"]
        choices = [Choice(enable=False, rule="*")] if selection["start"] == "empty rule set" else []
        if "tag" in op:
            choices.append(Choice(enable=True, tag=arg))
        else:
            choices.append(Choice(enable=True, rule=f"*{arg}*" if "substring" in op else arg or "*"))
    return tuple(rule for rule in select(rules.rules, choices)[0] if rule.enabled)


def test_rulefiles(shared: Path) -> None:
    cases = load_vectors(shared, "rulefiles.jsonl")
    wrong = {case["id"]: found for case in cases if (found := problems(case, *outcome(case, shared)))}
    assert wrong == {}
    assert len(cases) >= LEAST
