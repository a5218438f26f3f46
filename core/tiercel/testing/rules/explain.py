"""Why a rule did not speak: the checks of its condition that were false for the event that came closest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tiercel.engine.nnf import normal_form
from tiercel.engine.tree import Constant, Every, Leaf, Tree
from tiercel.fields import FieldType, Unknown
from tiercel.lang.ast import reads
from tiercel.lang.canonical import operand_text
from tiercel.lang.hints import checks
from tiercel.testing.rules.compare import shown
from tiercel.testing.rules.stage import stage

if TYPE_CHECKING:
    from tiercel.engine.codegen import Generator
    from tiercel.engine.planner import Plan
    from tiercel.event import Event
    from tiercel.lang.ast import Check, FieldRef
    from tiercel.ruleset.model import Rule
    from tiercel.testing.rules.bench import Suite
    from tiercel.testing.rules.model import RuleTest

__all__ = ["Explainer"]

MAX_TEXT = 100
"""Characters of a check or value that are shown."""


class Explainer:
    """Explains the silence of rules.

    Args:
        suite: the rules.
        test: has the events.
    """

    def __init__(self, suite: Suite, test: RuleTest) -> None:
        self._suite = suite
        self._test = test

    def silence(self, name: str) -> list[str]:
        """Lines that say why a rule did not speak."""
        rule = next(rule for rule in self._suite.rules if rule.name == name)
        tree = normal_form(rule.condition)
        best, lines = -1, ["there was no event"]
        with stage(self._suite, self._test) as on:
            for event in on.events:  # valid until the next one
                false = _false(tree, event, on.plan.sources[rule.source].generator)
                if best < 0 or len(false) < best:
                    best = len(false)
                    lines = list(_closest(rule, event, false, on.plan) if false else self._hidden(rule, event, on.plan))
        return lines

    def _hidden(self, rule: Rule, event: Event, plan: Plan) -> Iterator[str]:
        """The condition holds, and still there was no alert."""
        for other in self._suite.rules:
            if other is rule:
                break
            holds = plan.sources[other.source].generator.condition(normal_form(other.condition), may=False)
            if self._suite.file.matching == "first" and holds(event):
                yield f'its condition holds for event {event.number} ({event.type}), but "{other.name}" comes before it (matching: first)'
                return
        yield f"its condition holds for event {event.number} ({event.type}): it spoke, but more often or in another order was expected"


def _closest(rule: Rule, event: Event, false: list[Leaf[Check]], plan: Plan) -> Iterator[str]:
    """The checks that were false, with what they read."""
    generator = plan.sources[rule.source].generator
    yield f"event {event.number} ({event.type}) came closest; false of the condition {'is' if len(false) == 1 else 'are'}"
    origins = {check: origin for check, origin in zip(checks(rule.condition), rule.origins, strict=True)}  # noqa: C416  a name each
    for leaf in dict.fromkeys(false):
        origin = origins[leaf.check]
        yield f"  {'not ' if leaf.negated else ''}{_cut(origin.text)} ({origin.file}:{origin.line}:{origin.column})"
        for ref in dict.fromkeys((*reads(leaf.check.left), *reads(leaf.check.right))):
            yield f"    {operand_text(ref)} is {_value(ref, event, generator)}"


def _false(tree: Tree[Check], event: Event, generator: Generator) -> list[Leaf[Check]]:
    """The fewest checks that would have to hold as well."""
    if isinstance(tree, Leaf):
        return [] if generator.condition(tree, may=False)(event) else [tree]
    if isinstance(tree, Constant):
        return []
    parts = [_false(part, event, generator) for part in tree.parts]
    if isinstance(tree, Every):
        return [leaf for part in parts for leaf in part]
    return min(parts, key=len)


def _value(ref: FieldRef, event: Event, generator: Generator) -> str:
    """The value of a field as a test states it."""
    value = generator.value(ref)(event)
    if value is None:
        return "missing"
    if isinstance(value, Unknown):
        return value.value
    return _cut(_text(value, generator.groups.field(ref).type))


def _text(value: Any, kind: FieldType) -> str:
    if isinstance(value, tuple):
        return shown([_text(each, kind) for each in value])
    if isinstance(value, bytes) and kind in (FieldType.IP, FieldType.NET):
        import socket

        return socket.inet_ntop(socket.AF_INET if len(value) == 4 else socket.AF_INET6, value)
    return f'"{value}"' if isinstance(value, str) else shown(value)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."
