"""Outputs that print fields which never have a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tiercel.engine.tree import Leaf
from tiercel.errors import Diagnostic
from tiercel.lang.ast import Check, FieldRef
from tiercel.lint.context import Context, finding

__all__ = ["NO_VALUE", "NO_VALUE_YET", "no_value", "no_value_yet"]

NO_VALUE: Final = "LINT_OUTPUT_MISSING"
NO_VALUE_YET: Final = "LINT_OUTPUT_MISSING_YET"


def no_value(context: Context) -> Iterator[Diagnostic]:
    """Fields of outputs that are missing whenever the rule matches."""
    for rule in context.rules.rules:
        if context.never(rule) is not None:
            continue
        refuter = context.refuter(rule.source)
        for field in rule.output.fields:
            if isinstance(field.operand, FieldRef):
                reason = refuter.refute_with(context.form(rule), Leaf(Check(field.operand, "exists", None)))
                if reason is not None:
                    yield finding(rule, NO_VALUE, f"output: %{field.key} is missing whenever the rule matches: {reason}")


def no_value_yet(context: Context) -> Iterator[Diagnostic]:
    """Fields of outputs that nothing gives a value yet."""
    for rule in context.rules.rules:
        lookup = context.groups(rule.source).lookup
        absent = [
            f"%{field.key}" for field in rule.output.fields if isinstance(field.operand, FieldRef) and lookup(field.operand)[0].absent
        ]  # fmt: skip
        if absent:
            yield finding(rule, NO_VALUE_YET, f"output: {', '.join(absent)} always missing: nothing gives it a value yet")
