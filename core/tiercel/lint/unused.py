"""Lists and macros that no rule uses, not even through others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tiercel.errors import Diagnostic
from tiercel.lint.context import Context
from tiercel.ruleset.model import ListDefinition, MacroDefinition

__all__ = ["UNUSED_LIST", "UNUSED_MACRO", "unused_list", "unused_macro"]

UNUSED_LIST: Final = "LINT_UNUSED_LIST"
UNUSED_MACRO: Final = "LINT_UNUSED_MACRO"


def unused_macro(context: Context) -> Iterator[Diagnostic]:
    """Macros that no rule reaches."""
    reached = _macros(context)
    for each in context.rules.macros:
        if each.name not in reached and not _may_be_of_skipped(context, each):
            yield _finding(each, UNUSED_MACRO, "macro", used=each.used)


def unused_list(context: Context) -> Iterator[Diagnostic]:
    """Lists that no rule reaches."""
    macros = {each.name: each for each in context.rules.macros}
    lists = {each.name: each.lists for each in context.rules.lists}
    named = {name for rule in context.rules.rules for name in rule.lists}
    named |= {name for macro in _macros(context) if macro in macros for name in macros[macro].lists}
    reached = _closure(named, lists)
    for each in context.rules.lists:
        if each.name not in reached and not _may_be_of_skipped(context, each):
            yield _finding(each, UNUSED_LIST, "list", used=each.used)


def _macros(context: Context) -> set[str]:
    return _closure(
        {name for rule in context.rules.rules for name in rule.macros}, {each.name: each.macros for each in context.rules.macros}
    )


def _closure(names: set[str], inner: Mapping[str, tuple[str, ...]]) -> set[str]:
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(inner.get(name, ()))
    return found


def _may_be_of_skipped(context: Context, each: ListDefinition | MacroDefinition) -> bool:
    """True if rules that were left out, as their event source does not exist, may use it: nothing is known of what they use."""
    return bool(context.rules.skipped) and (each.used or each.file in {rule.file for rule in context.rules.skipped})


def _finding(each: ListDefinition | MacroDefinition, code: str, kind: str, *, used: bool) -> Diagnostic:
    how = "only what is unused itself uses it" if used else "nothing uses it"
    return Diagnostic(each.file, each.line, 1, code, f'{kind} "{each.name}": {how}; remove it', warning=True)
