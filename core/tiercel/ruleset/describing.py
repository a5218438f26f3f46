"""Rules, macros and lists described as data: what the files say, and what comes of it (rule language, section 16)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tiercel.lang.ast import Check, FieldRef, Node, reads
from tiercel.lang.canonical import canonical, operand_text
from tiercel.lang.evttypes import event_types
from tiercel.lang.hints import checks
from tiercel.lang.parser import ParseError, parse_operand
from tiercel.lang.view import FieldsView
from tiercel.ruleset.model import ListDefinition, MacroDefinition, Rule, RuleSet
from tiercel.ruleset.trees import expand

__all__ = ["describe", "describe_rule"]


def describe(rules: RuleSet, catalogue: FieldsView, known: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    """Everything that the files define.

    Args:
        rules: what was loaded.
        catalogue: the fields.
        known: names of event types by event source.
    """
    trees = _expanded(rules.macros)
    return {
        "required_engine_version": str(rules.required_engine_version) if rules.required_engine_version else None,
        "required_plugin_versions": [
            {
                "name": each.choices[0].name,
                "version": str(each.choices[0].version),
                "alternatives": [{"name": choice.name, "version": str(choice.version)} for choice in each.choices[1:]],
            }
            for each in rules.required_plugins
        ],
        "rules": [describe_rule(rule, catalogue) for rule in rules.rules],
        "macros": [_macro(macro, trees.get(macro.name), catalogue, known.get("syscall")) for macro in rules.macros],
        "lists": [_list(each) for each in rules.lists],
    }


def describe_rule(rule: Rule, catalogue: FieldsView) -> dict[str, Any]:
    """One rule. Its events are None if it can match all."""
    leaves = _checks(rule.condition)
    excluded = [field for each in rule.exceptions for field in each.fields]
    fields = _fields(leaves)
    printed = [field.key for field in rule.printed]
    names = {*fields, *(ref for field in rule.printed for ref in _names(reads(field.operand)))}
    return {
        "info": {
            "name": rule.name,
            "desc": rule.description,
            "condition": rule.condition_text,
            "output": rule.output_text,
            "priority": rule.priority.label,
            "source": rule.source,
            "enabled": rule.enabled,
            "tags": list(rule.tags),
        },
        "details": {
            "condition_compiled": canonical(rule.condition),
            "condition_fields": fields,
            "condition_operators": _operators(leaves),
            "exception_names": list(dict.fromkeys(each.name for each in rule.exceptions)),
            "exception_fields": sorted({name for field in excluded for name in _named(field)}),
            "exception_operators": sorted({operator for each in rule.exceptions for operator in each.operators}),
            "output_compiled": rule.output.text,
            "output_fields": printed,
            "events": None if rule.event_types is None else sorted(rule.event_types),
            "lists": list(rule.lists),
            "macros": list(rule.macros),
            "plugins": _owners(names, catalogue, rule.source),
        },
    }


def _macro(macro: MacroDefinition, tree: Node | None, catalogue: FieldsView, known: frozenset[str] | None) -> dict[str, Any]:
    """One macro. Its events are None if it can match all; event sources are not told apart."""
    leaves = _checks(macro.condition if tree is None else tree)
    events = event_types(macro.condition if tree is None else tree, known=known)
    fields = _fields(leaves)
    return {
        "info": {"name": macro.name, "condition": macro.condition_text},
        "details": {
            "used": macro.used,
            "condition_compiled": canonical(macro.condition if tree is None else tree),
            "condition_fields": fields,
            "condition_operators": _operators(leaves),
            "events": None if events is None else sorted(events),
            "lists": list(macro.lists),
            "macros": list(macro.macros),
            "plugins": _owners(fields, catalogue, "syscall"),
        },
    }


def _list(each: ListDefinition) -> dict[str, Any]:
    return {
        "info": {"name": each.name, "items": list(each.items)},
        "details": {"used": each.used, "items_compiled": list(each.expanded), "lists": list(each.lists)},
    }


def _expanded(macros: Iterable[MacroDefinition]) -> dict[str, Node]:
    """Trees of macros with those that they use filled in; macros that use what does not exist are left out."""
    pending = {macro.name: macro for macro in macros}
    found: dict[str, Node] = {}
    while ready := [macro for macro in pending.values() if all(name in found for name in macro.macros)]:
        for macro in ready:
            found[macro.name] = expand(macro.condition, found)
            del pending[macro.name]
    return found


def _checks(tree: Node) -> list[Check]:
    return [leaf for leaf in checks(tree) if isinstance(leaf, Check)]


def _fields(leaves: Iterable[Check]) -> list[str]:
    """Names of the fields that checks read, with their arguments."""
    return sorted({operand_text(ref) for leaf in leaves for side in (leaf.left, leaf.right) for ref in reads(side)})


def _operators(leaves: Iterable[Check]) -> list[str]:
    return sorted({f"{leaf.operator} {leaf.modifier}".strip() for leaf in leaves})


def _named(text: str) -> Iterable[str]:
    """Names of the fields in a field of an exception, which may be a transformer."""
    try:
        operand, _ = parse_operand(text, 0)
    except ParseError:
        return ()
    return _names(reads(operand))


def _names(refs: Iterable[FieldRef]) -> list[str]:
    return [operand_text(ref) for ref in refs]


def _owners(fields: Iterable[str], catalogue: FieldsView, source: str) -> list[str]:
    """The distributions that have the fields."""
    found = (catalogue.get(name.partition("[")[0], source) for name in fields)
    return sorted({field.owner for field in found if field is not None and field.owner})
