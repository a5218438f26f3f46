"""Conditions that can never be true, or always are, and rules that look at events of all types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tiercel.engine.nnf import normal_form
from tiercel.engine.tree import Leaf, Tree, every
from tiercel.errors import Diagnostic
from tiercel.lang.ast import Check, Operand
from tiercel.lang.canonical import operand_text
from tiercel.lint.context import Context, finding
from tiercel.lint.refute import somes, text_of
from tiercel.ruleset.model import Rule

__all__ = ["ALL_TYPES", "ALWAYS", "ANY_VALUE", "NEVER", "NEVER_YET", "all_types", "always", "any_value", "never", "never_yet"]

NEVER: Final = "LINT_NEVER"
NEVER_YET: Final = "LINT_NEVER_YET"
ALWAYS: Final = "LINT_ALWAYS"
ANY_VALUE: Final = "LINT_ANY_VALUE"
ALL_TYPES: Final = "LINT_ALL_EVENT_TYPES"
SHOWN: Final = 4
"""Checks that a message shows."""
MANY_TYPES: Final = 50
"""As many event types are as good as all, as for LOAD_NO_EVTTYPE."""


def never(context: Context) -> Iterator[Diagnostic]:
    """Rules that no event satisfies. ``evt.num = 0``, which means "never", is no contradiction: it is written on purpose."""
    for rule in context.rules.rules:
        reason = context.never(rule)
        if reason is not None:
            yield finding(rule, NEVER, f"no event can match: {reason}")


def never_yet(context: Context) -> Iterator[Diagnostic]:
    """Rules that no event satisfies while some fields have no values."""
    for rule in context.rules.rules:
        if context.never(rule) is None:
            reason = context.refuter(rule.source).refute(context.form(rule), use_absent=True)
            if reason is not None:
                yield finding(rule, NEVER_YET, f"no event can match yet: {reason}")


def always(context: Context) -> Iterator[Diagnostic]:
    """Rules that every event satisfies."""
    for rule in context.rules.rules:
        reason = _why_always(context, rule)
        if reason is not None:
            yield finding(rule, ALWAYS, f"every event matches: of its opposite, {reason}")


def _why_always(context: Context, rule: Rule) -> str | None:
    return context.refuter(rule.source).refute(normal_form(rule.condition, negated=True))


def any_value(context: Context) -> Iterator[Diagnostic]:
    """Alternatives of which one holds whatever value a field has, as in ``proc.name != a or proc.name != b``."""
    for rule in context.rules.rules:
        if _why_always(context, rule) is not None:
            continue
        refuter = context.refuter(rule.source)
        seen: set[tuple[Leaf[Check], ...]] = set()
        for choice in somes(context.form(rule)):
            for operand, leaves in _by_operand(choice.parts):
                if len(leaves) < 2 or leaves in seen:
                    continue
                seen.add(leaves)
                present: Tree[Check] = Leaf(Check(operand, "exists", None))
                if refuter.refute(every([present, *(Leaf(each.check, not each.negated) for each in leaves)])) is not None:
                    texts = " or ".join(map(text_of, leaves[:SHOWN])) + (" or ..." if len(leaves) > SHOWN else "")
                    message = f"{texts} holds whatever value {operand_text(operand)} has; is `and` meant?"
                    yield finding(rule, ANY_VALUE, message)


def _by_operand(parts: tuple[Tree[Check], ...]) -> Iterator[tuple[Operand, tuple[Leaf[Check], ...]]]:
    """The checks among the parts, by what they read; those that ask only whether there is a value are left out."""
    found: dict[Operand, list[Leaf[Check]]] = {}
    for part in parts:
        if isinstance(part, Leaf) and part.check.operator != "exists":
            found.setdefault(part.check.left, []).append(part)
    for operand, leaves in found.items():
        yield operand, tuple(leaves)


def all_types(context: Context) -> Iterator[Diagnostic]:
    """Rules that are judged for events of all types, or nearly all, and do not say that this is meant (``warn_evttypes: false``)."""
    for rule in context.rules.rules:
        known = context.event_types.get(rule.source)
        if known is None or len(known) <= MANY_TYPES or not rule.warn_evttypes:
            continue
        if rule.event_types is None or len(rule.event_types) > MANY_TYPES:
            count = "all" if rule.event_types is None else str(len(rule.event_types))
            message = f"no check on evt.type limits it: it is judged for events of {count} types; add one, such as evt.type = execve"
            yield finding(rule, ALL_TYPES, message)
