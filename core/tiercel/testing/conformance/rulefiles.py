"""Kind ``rulefiles``: do rule files load, with which errors and warnings, what comes out, and what matches a sequence of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from tiercel.alert import Priority
from tiercel.components.source import Abilities
from tiercel.engine.engine import Engine
from tiercel.engine.planner import build
from tiercel.errors import Diagnostic, RuleError
from tiercel.lang.canonical import canonical
from tiercel.ruleset.extra_output import ExtraOutput, with_extra_output
from tiercel.ruleset.loader import load
from tiercel.ruleset.model import Rule, RuleSet
from tiercel.ruleset.requirements import unmet
from tiercel.ruleset.schema import validate
from tiercel.ruleset.selection import Choice, select
from tiercel.testing.conformance.cases import Case, differ
from tiercel.testing.conformance.setting import SOURCE, SOURCES, Setting
from tiercel.testing.facts import FactCatalogue, FactEvent

__all__ = ["rule_files"]

MANY: Final = 20
"""More event types than a case names."""
SCENARIOS: Final = "scenarios.json"
"""Beside the vectors: the sequences of events, by the name of a recording."""


def rule_files(case: Case, setting: Setting) -> Iterator[str]:
    """Problems of one case."""
    expect = case["expect"]
    rules: RuleSet | None = None
    try:
        rules = _loaded(case, setting)
        diagnostics = list(rules.warnings)
    except RuleError as error:
        diagnostics = list(error.diagnostics)
    errors = [each for each in diagnostics if not each.warning]
    yield from _reports(expect, errors, [each for each in diagnostics if each.warning])
    if (rules is not None) is not case["loads"]:
        yield f"expected the files {'to load' if case['loads'] else 'to be refused'}, got {_texts(errors) or 'no error'}"
    if "schema_validation" in expect:
        yield from differ("the schema's status", expect["schema_validation"], validate(case["files"][-1]).status)
    if rules is not None and case["loads"]:
        yield from _rules(case, rules)
        yield from _scenario(expect, rules, setting)


def _loaded(case: Case, setting: Setting) -> RuleSet:
    entries = [
        ExtraOutput(source=each["source"], tags=tuple(each["tags"]), rule=each["rule"], output=each["format"])
        for each in case.get("append_output", ())
    ]
    if "extra_fields" in case["expect"]:
        entries.append(ExtraOutput(fields=tuple(case["expect"]["extra_fields"].items())))
    files = [(f"{number}.yaml", text) for number, text in enumerate(case["files"])]
    loaded = load(files, catalogue=setting.fields, sources=SOURCES, event_types=setting.event_types)
    rules, problems = with_extra_output(loaded.rules, entries, setting.fields)
    if problems:
        raise RuleError([Diagnostic("append_output", 0, 0, "LOAD_ERR_COMPILE_OUTPUT", problem.message) for problem in problems])
    return replace(loaded, rules=rules)


def _texts(diagnostics: list[Diagnostic]) -> str:
    return "\n".join(each.message for each in diagnostics)


def _reports(expect: dict[str, Any], errors: list[Diagnostic], warnings: list[Diagnostic]) -> Iterator[str]:
    """Errors and warnings: their codes, and what their messages hold."""
    failed, warned = _texts(errors), _texts(warnings)
    if errors and "error_code" in expect:
        yield from differ("the code", expect["error_code"], errors[0].code)
    for kind, key, text in (("error", "error_contains", failed), ("warning", "warning_contains", warned)):
        for part in expect.get(key, ()):
            if part not in text:
                yield f"expected the {kind} {part!r}, got {text!r}"
    for part in expect.get("warning_absent", ()):
        if part in warned:
            yield f"expected no warning {part!r}, got {warned!r}"
    if (expect.get("no_warnings") and warned) or (expect.get("has_warnings") and not warned):
        yield f"expected {'no warnings' if warned else 'warnings'}, got {warned!r}"


def _rules(case: Case, rules: RuleSet) -> Iterator[str]:
    """The loaded rules: what they say, and which of them run."""
    expect = case["expect"]
    by_name = {rule.name: rule for rule in rules.rules}
    for name, wanted in expect.get("rules", {}).items():
        rule = by_name.get(name)
        if rule is None:
            yield f"expected the rule {name!r}, got {sorted(by_name)}"
            continue
        got = _described(rule)
        for key, value in wanted.items():
            yield from differ(f"{key} of {name!r}:", value, got.get(key, "nothing of that name"))
    if expect.get("rules") == {}:
        yield from differ("the rules", [], sorted(by_name))
    running = [rule.name for rule in _chosen(expect, rules)]
    if "enabled_rules" in expect:
        yield from differ("the number of enabled rules", expect["enabled_rules"], len(running))
    if "enabled_rule_names" in expect:
        yield from differ("the enabled rules", expect["enabled_rule_names"], running)
    if "list_items" in expect:
        yield from differ("the list's items", [expect["list_items"]], [list(each.items) for each in rules.lists])
    if "extra_fields" in expect:
        extra = {each.name: each.format.text for rule in rules.rules for each in rule.extra_fields}
        yield from differ("the extra fields", expect["extra_fields"], extra)
    if "plugin_requirements_met" in expect:
        loaded = {each["name"]: each["version"] for each in case["plugins_loaded"]}
        yield from differ("plugin requirements met:", expect["plugin_requirements_met"], not unmet(rules.required_plugins, loaded))
    for name, wanted in expect.get("event_types_today", {}).items():
        types = by_name[name].event_types
        kind = "all" if types is None else "many" if len(types) > MANY else sorted(types)
        yield from differ(f"the event types of {name!r}:", wanted, kind)


def _described(rule: Rule) -> dict[str, Any]:
    return {
        "condition_compiled": canonical(rule.condition), "condition": rule.condition_text, "output": rule.output_text,
        "output_compiled": rule.output.text, "description": rule.description, "priority": rule.priority.label, "capture": rule.capture,
        "capture_duration": rule.capture_duration, "tags": list(rule.tags), "source": rule.source, "enabled": rule.enabled,
        "warn_evttypes": rule.warn_evttypes, "skip_if_unknown_filter": rule.skip_if_unknown_filter, "name": rule.name,
    }  # fmt: skip


def _chosen(expect: dict[str, Any], rules: RuleSet) -> tuple[Rule, ...]:
    """The rules that run.

    The cases of the engine's own calls are put as choices of the configuration. Those of the command line's old option ``-D`` name a part
    of the rules' names, which is a pattern with ``*`` on both sides.
    """
    selection, parts = expect.get("selection"), expect.get("legacy", {}).get("disabled_rules", ())
    if isinstance(selection, list):
        choices = []
        for each in selection:
            ((action, what),) = each.items()
            name = what.get("rule")
            pattern = f"*{name}*" if name in parts else name
            choices.append(Choice(enable=action == "enable", rule=pattern, tag=what.get("tag")))
    elif selection is None or selection["op"] is None:
        choices = []
    else:
        op, arg = selection["op"], selection["arg"]
        choices = [Choice(enable=False, rule="*")] if selection["start"] == "empty rule set" else []
        if "tag" in op:
            choices.append(Choice(enable="disable" not in op, tag=arg))
        else:
            choices.append(Choice(enable="disable" not in op, rule=f"*{arg}*" if "substring" in op else arg or "*"))
    return tuple(rule for rule in select(rules.rules, choices)[0] if rule.enabled)


def _scenario(expect: dict[str, Any], rules: RuleSet, setting: Setting) -> Iterator[str]:
    """What matches a sequence of events, the first rule for each."""
    if "scenario" not in expect:
        return
    recordings = setting.beside(SCENARIOS)
    name = next((each for each in recordings if each.rpartition("/")[2].partition(".")[0].replace("-", "_") == expect["scenario"]), None)
    if name is None:
        yield f"expected the scenario {expect['scenario']!r} in {SCENARIOS} beside the vectors, got {sorted(recordings)}"
        return
    facts = FactCatalogue(setting.fields)
    least = Priority.parse(expect.get("legacy", {}).get("priority", "debug"))
    running = [rule for rule in _chosen(expect, rules) if rule.priority <= least]
    plan = build(running, facts, {SOURCE: Abilities(event_types=setting.event_types[SOURCE])}, generation=1)
    engine = Engine(plan, matching="first", hostname="", origin="")
    counts: Counter[str] = Counter()
    for number, given in enumerate(recordings[name], 1):
        counts.update(alert.rule for alert in engine.evaluate(FactEvent(SOURCE, facts.facts(given, SOURCE), number=number)))
    yield from differ("the matches", expect.get("counts_on_scenario", dict(counts)), dict(counts))
    if "detect" in expect:
        yield from differ("a detection:", expect["detect"], bool(counts))
