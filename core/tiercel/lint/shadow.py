"""Rules that an earlier rule hides: with ``rule_matching: first`` an event is reported by the first rule that matches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tiercel.engine.simplify import decide_constant, specialise
from tiercel.engine.tree import Every, Leaf, Tree, leaves
from tiercel.errors import Diagnostic
from tiercel.lang.ast import Check, Operand
from tiercel.lint.context import Context, finding
from tiercel.ruleset.model import Rule

__all__ = ["SHADOWED", "shadowed"]

SHADOWED: Final = "LINT_SHADOWED"


def shadowed(context: Context) -> Iterator[Diagnostic]:
    """Enabled rules all of whose events an earlier enabled rule of the same source matches, too."""
    earlier: dict[str, list[tuple[Rule, frozenset[Operand]]]] = {}
    rules = context.rules.rules
    for number, rule in enumerate(rules):
        context.progress((number / len(rules)) ** 2)  # each with all before it: the other checks take next to no time
        if not rule.enabled or context.never(rule) is not None:
            continue
        tree = context.form(rule)
        reads = frozenset(leaf.check.left for leaf in leaves(tree))
        others = earlier.setdefault(rule.source, [])
        for other, needs in others:
            if not needs <= reads or not _has_types(rule, other):
                continue
            if context.refuter(rule.source).implies(tree, context.form(other)):
                where = f'"{other.name}" ({other.file}:{other.line})'
                message = f"never reported under rule_matching: first: {where} comes before it and matches every event that it matches"
                yield finding(rule, SHADOWED, message)
                break
        others.append((rule, frozenset(_needed(tree))))


def _has_types(rule: Rule, other: Rule) -> bool:
    """Whether the other rule sees all event types of a rule."""
    return other.event_types is None or (rule.event_types is not None and rule.event_types <= other.event_types)


def _needed(tree: Tree[Check]) -> Iterator[Operand]:
    """What a rule must read so that this condition can follow from its own: whatever a check of the outer conjunction reads."""
    tree = specialise(tree, decide_constant)
    for part in tree.parts if isinstance(tree, Every) else (tree,):
        if isinstance(part, Leaf):
            yield part.check.left
