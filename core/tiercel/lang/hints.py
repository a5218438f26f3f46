"""Hints on conditions that mean something, but hardly what was wanted (rule language, section 13: warnings)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from tiercel.lang.ast import And, Check, FieldRef, ListName, ListValue, MacroRef, Node, Not, Or, TextValue, reads
from tiercel.lang.parser import parse_operand
from tiercel.lang.patterns import is_simple
from tiercel.lang.view import FieldsView, lookup

__all__ = ["Hint", "checks", "hints", "is_deprecated"]

_UNSAFE_OPERATORS: Final = frozenset({"=", "==", "!=", "in", "intersects", "pmatch"})
_UNSAFE_PREFIXES: Final = ("ka.", "jevt.")
_DEPRECATED_PREFIX: Final = "evt.latency"
_DEPRECATED: Final = frozenset({"evt.dir", "evt.wait_latency"})
MISSING_TEXT: Final = "<NA>"


class Hint(NamedTuple):
    """A warning: its code, message and offset in the condition's text."""

    code: str
    message: str
    position: int


def checks(node: Node) -> Iterator[Check | MacroRef]:
    """The leaves of a tree, in the order of the text."""
    pending = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, And | Or):
            pending.extend(reversed(current.operands))
        elif isinstance(current, Not):
            pending.append(current.operand)
        else:
            yield current


def is_deprecated(field: str) -> bool:
    """True for fields that Falco is about to drop."""
    return field in _DEPRECATED or field.startswith(_DEPRECATED_PREFIX)


def hints(node: Node, catalogue: FieldsView, source: str) -> list[Hint]:
    """All hints on a condition as it was written, that is before `tiercel.lang.check.check_condition`."""
    found: list[Hint] = []
    for check in checks(node):
        if isinstance(check, Check):
            found.extend(_of_check(check, catalogue, source))
    return found


def _of_check(check: Check, catalogue: FieldsView, source: str) -> Iterator[Hint]:
    left = check.left.name if isinstance(check.left, FieldRef) else ""
    for ref in (*reads(check.left), *reads(check.right)):
        if is_deprecated(ref.name):
            yield Hint("LOAD_DEPRECATED_ITEM", f"usage of deprecated field '{ref.name}' has been detected in the condition", ref.position)
    right = check.right
    if isinstance(right, ListName):
        yield Hint("LOAD_COMPILE_CONDITION", f'no list has the name "{right.name}"; it is taken as the text "{right.name}"', right.position)
    values = [item for item in right.items if isinstance(item, TextValue)] if isinstance(right, ListValue) else []
    if isinstance(right, TextValue):
        values = [right]
    for value in values:
        if left.startswith(_UNSAFE_PREFIXES) and check.operator in _UNSAFE_OPERATORS and value.text == MISSING_TEXT:
            yield Hint("LOAD_UNSAFE_NA_CHECK", f"{left} is never <NA>: a missing value makes it false; use exists", value.position)
        elif check.operator == "regex" and is_simple(value.text):
            yield Hint(
                "LOAD_COMPILE_CONDITION",
                f'"{value.text}" is no more than text; use =, contains, startswith or endswith, which are faster', value.position,
            )  # fmt: skip
        else:
            yield from _misused(value, catalogue, source)


def _misused(value: TextValue, catalogue: FieldsView, source: str) -> Iterator[Hint]:
    """A hint if a text reads like a field that exists, or like a transformer."""
    text = value.text.strip()
    if "." not in text and "(" not in text:
        return
    try:
        operand, end = parse_operand(text, 0)
        if isinstance(operand, FieldRef):
            names = (operand.name, operand.name.rpartition(".")[0])
            if all(catalogue.get(name, source) is None for name in names):
                return  # as nearly always; what follows looks for near names
            lookup(operand, catalogue, source)
    except ValueError:
        return
    if end == len(text):
        what, advice = ("field", f"compare with val({text})") if isinstance(operand, FieldRef) else ("transformer", "leave the quotes out")
        message = f"'{value.text}' may be a valid {what} misused as a const string value; {advice}"
        yield Hint("LOAD_COMPILE_CONDITION", message, value.position)
