"""Rules of event sources that do not exist: which fields they would read. Nothing is known of those fields, so nothing is checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from tiercel.lang.ast import Check, Node, reads
from tiercel.lang.hints import checks
from tiercel.lang.lexer import CALL, FIELD, TRANSFORMERS, ParseError
from tiercel.lang.parser import parse_operand
from tiercel.ruleset.conditions import Condition, read_condition
from tiercel.ruleset.exceptions import is_sound
from tiercel.ruleset.items import RuleItem
from tiercel.ruleset.lists import Lists
from tiercel.ruleset.model import SkippedRule
from tiercel.ruleset.outputs import output_pieces
from tiercel.ruleset.places import Reports

__all__ = ["fields_of", "left_out"]


def left_out(rules: Iterable[RuleItem], lists: Lists, macros: Mapping[str, Condition]) -> Iterator[SkippedRule]:
    """The rules of unknown event sources.

    Args:
        rules: all rules.
        lists: all lists.
        macros: conditions of macros by name.
    """
    of_macros = {name: frozenset(fields_of(condition.tree)) for name, condition in macros.items()}
    for rule in sorted((rule for rule in rules if rule.unknown_source), key=lambda rule: rule.index):
        found: set[str] = set()
        sound = [exception for exception in rule.exceptions if is_sound(exception)]
        condition = read_condition(dataclasses.replace(rule, exceptions=sound), lists, Reports())
        if condition is not None:
            found.update(fields_of(condition.tree))
            for name in _closure(condition, macros):
                found |= of_macros[name]
        found.update(_of_output(output_pieces(rule).text))
        yield SkippedRule(
            name=rule.name, source=rule.source, fields=frozenset(found), file=rule.file.name, line=rule.node.place.line + 1
        )  # fmt: skip


def _closure(condition: Condition, macros: Mapping[str, Condition]) -> set[str]:
    found: set[str] = set()
    pending = [ref.name for ref in condition.macros]
    while pending:
        name = pending.pop()
        if name in macros and name not in found:
            found.add(name)
            pending.extend(ref.name for ref in macros[name].macros)
    return found


def fields_of(tree: Node) -> Iterator[str]:
    """Names of the fields in a tree, macros aside, in the order of the text; some more than once."""
    for leaf in checks(tree):
        if isinstance(leaf, Check):
            yield from (ref.name for side in (leaf.left, leaf.right) for ref in reads(side))


def _of_output(text: str) -> Iterator[str]:
    """Names of fields in an output: the longest text behind each per cent sign that looks like one."""
    at = 0
    while (at := text.find("%", at)) >= 0:
        at += 1
        while text[at : at + 1].isdigit():
            at += 1
        call = CALL.match(text, at)
        if call is not None and call[1] in TRANSFORMERS:
            try:
                operand, at = parse_operand(text, at)
                yield from (ref.name for ref in reads(operand))
            except ParseError:
                continue
        elif (name := FIELD.match(text, at)) is not None:
            yield name[0]
            at = name.end()
