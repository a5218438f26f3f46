"""Type check of conditions against the catalogue of fields (rule language, section 9).

What comes out holds literal values, fields and transformers that fit each other; the planner and the engine need not look again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tiercel.lang.ast import And, Call, Check, FieldRef, ListName, ListValue, MacroRef, Node, Not, NumberValue, Or, TextValue
from tiercel.lang.canonical import operand_text
from tiercel.lang.literals import literal, parse_hex
from tiercel.lang.operands import Operands, Refused, Side, is_event_type
from tiercel.lang.operators import EQUALITY, HEX_OPERATORS, operators_of
from tiercel.lang.patterns import check_regex
from tiercel.lang.shapes import VALUE_OF
from tiercel.lang.view import FieldsView
from tiercel.registry import suggest

__all__ = ["ConditionError", "check_condition"]

MAX_PROBLEMS: Final = 50
"""After so many the rest of a condition is not looked at."""
_NOT_BETWEEN_FIELDS: Final = frozenset({"pmatch", "regex"})

Problem = tuple[str, int]
"""Message and offset in the text of the condition."""


class ConditionError(ValueError):
    """Everything that is wrong with a condition.

    Args:
        problems: (message, offset in the condition's text) of each, in the order of the text.
        unknown: it names a field or event type that does not exist.
    """

    def __init__(self, problems: tuple[Problem, ...], *, unknown: bool = False) -> None:
        super().__init__("; ".join(message for message, _ in problems))
        self.problems = problems
        self.unknown = unknown


def check_condition(
    node: Node, catalogue: FieldsView, source: str, *, event_types: frozenset[str] | None, plain_event_types: bool = True
) -> Node:  # fmt: skip
    """Checks every check of a condition.

    Args:
        node: the tree. References to macros are left alone: macros are checked on their own.
        catalogue: the fields.
        source: event source that the condition is for.
        event_types: names that ``evt.type`` can be compared with; None if they are not known.
        plain_event_types: refuse ``evt.type`` in transformers and in comparisons with fields, as for rules: they are indexed by event
            type (section 10).

    Returns:
        The same tree, with keys written with a dot as arguments (``evt.arg.flags`` as ``evt.arg[flags]`` unless there is a
        field of the whole name), and list names that nothing replaced as the one value that Falco takes them for.

    Raises:
        ConditionError: carries all problems.
    """
    operands = Operands(catalogue, source, plain_event_types=plain_event_types)
    checker = _Checker(operands, event_types, plain_event_types=plain_event_types)
    checked = checker.node(node)
    if checker.problems:
        raise ConditionError(tuple(sorted(checker.problems, key=lambda problem: problem[1])), unknown=checker.unknown)
    return checked


class _Checker:
    """One condition under check; problems pile up."""

    def __init__(self, operands: Operands, event_types: frozenset[str] | None, *, plain_event_types: bool) -> None:
        self.operands = operands
        self.event_types = event_types
        self.plain_event_types = plain_event_types
        self.problems: list[Problem] = []
        self.unknown = False

    def node(self, node: Node) -> Node:
        if isinstance(node, And | Or):
            return type(node)(tuple(map(self.node, node.operands)), node.position)
        if isinstance(node, Not):
            return Not(self.node(node.operand), node.position)
        if isinstance(node, MacroRef) or len(self.problems) >= MAX_PROBLEMS:
            return node
        try:
            return self.check(node)
        except Refused as refused:
            self.problems.append((refused.message, refused.position))
            self.unknown = self.unknown or refused.unknown
            return node

    def check(self, check: Check) -> Check:
        side = self.operands.side(check.left)
        left, right = side.operand, check.right
        assert isinstance(left, FieldRef | Call)  # the grammar has nothing else here
        if right is None:
            return replace(check, left=left)
        shape = side.shape
        usable = operators_of(shape.type, is_list=shape.is_list)
        if check.operator not in usable:
            raise Refused(
                f"'{check.operator}' operator not supported for {operand_text(left)} of type {shape} "
                f"(expected one of {', '.join(usable)}, exists)", check.position,
            )  # fmt: skip
        if isinstance(right, Call):
            return replace(check, left=left, right=self.between(check, side, right))
        if isinstance(right, ListName):
            right = ListValue((TextValue(right.name, right.position),), right.position)
        for item in right.items if isinstance(right, ListValue) else (right,):
            if len(self.problems) >= MAX_PROBLEMS:
                break
            assert isinstance(item, TextValue | NumberValue)  # the grammar has nothing else here
            self.value(item, check.operator, side)
        return replace(check, left=left, right=right)

    def value(self, item: TextValue | NumberValue, operator: str, left: Side) -> None:
        """Checks one literal; problems of several literals of a list are all noted."""
        try:
            if operator in HEX_OPERATORS:
                parse_hex(item.text)
                return
            literal(item.text, left.shape.type)
            if operator == "regex":
                check_regex(item.text)
        except ValueError as error:
            self.problems.append((f"{operand_text(left.operand)}: {error}", item.position))
            return
        known = self.event_types
        if known is not None and operator in EQUALITY and is_event_type(left.operand) and item.text not in known:
            self.unknown = True
            self.problems.append((f"unknown event type {item.text}{suggest(item.text, known)}", item.position))

    def between(self, check: Check, left: Side, right: Call) -> Call:
        """Checks a comparison of two fields or transformers; returns the right side, resolved."""
        if right.name == VALUE_OF:
            inner = right.arguments[0]
            assert isinstance(inner, FieldRef)  # the grammar has nothing else here
            side = self.operands.side(inner)
            resolved = replace(right, arguments=(side.operand,))
        else:
            side = self.operands.side(right)
            assert isinstance(side.operand, Call)
            resolved = side.operand
        if check.operator in _NOT_BETWEEN_FIELDS:
            raise Refused(f"'{check.operator}' cannot compare two fields (expected a literal value)", right.position)
        for each in (left, side):
            name = operand_text(each.operand)
            if self.plain_event_types and is_event_type(each.operand):
                raise Refused(f"{name} cannot be compared with a field (expected names of event types)", right.position)
            if not each.compares:
                raise Refused(f"{name} cannot take part in a comparison of two fields", right.position)
        one, other = left.shape, side.shape
        same_type = one.type is other.type or (one.type.is_text and other.type.is_text)
        if not same_type or one.is_list != other.is_list:
            raise Refused(f"cannot compare fields of different types (got {one} and {other})", right.position)
        return resolved
