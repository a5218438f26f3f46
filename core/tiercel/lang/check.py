"""Type check of conditions against the catalogue of fields (rule language, section 9).

What comes out holds literal values, fields and transformers that fit each other; the planner and the engine need not look again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from tiercel.fields import FieldType, Quantifier
from tiercel.lang.ast import And, Call, Check, FieldRef, ListName, ListValue, MacroRef, Node, Not, NumberValue, Operand, Or, TextValue
from tiercel.lang.canonical import operand_text
from tiercel.lang.literals import literal, parse_hex
from tiercel.lang.operators import EQUALITY, HEX_OPERATORS, operators_of
from tiercel.lang.patterns import check_regex
from tiercel.lang.view import FieldsView, lookup
from tiercel.registry import suggest

__all__ = ["EVENT_TYPE_FIELDS", "ConditionError", "check_condition"]

EVENT_TYPE_FIELDS: Final = frozenset({"evt.type", "syscall.type"})
"""Fields whose values are names of event types."""
_LATER: Final = frozenset({"b64", "join", "concat", "getopt"})
_NOT_BETWEEN_FIELDS: Final = frozenset({"pmatch", "regex"})

Problem = tuple[str, int]
"""Message and offset in the text of the condition."""


class ConditionError(ValueError):
    """Everything that is wrong with a condition.

    Args:
        problems: (message, offset in the condition's text) of each, in the order of the text.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(message for message, _ in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class _Side:
    """What a side of a check is: the operand with resolved names, its type, and what of its field restricts its use."""

    operand: Operand
    type: FieldType
    is_list: bool
    quantifier: Quantifier = Quantifier.ONE


def check_condition(node: Node, catalogue: FieldsView, source: str, *, event_types: frozenset[str] | None) -> Node:
    """Checks every check of a condition.

    Args:
        node: the tree. References to macros are left alone: macros are checked on their own.
        catalogue: the fields.
        source: event source that the condition is for.
        event_types: names that ``evt.type`` can be compared with; None if they are not known.

    Returns:
        The same tree, with keys written with a dot as arguments (``evt.arg.flags`` as ``evt.arg[flags]`` unless there is a
        field of the whole name), and list names that nothing replaced as the one value that Falco takes them for.

    Raises:
        ConditionError: carries all problems.
    """
    checker = _Checker(catalogue, source, event_types)
    checked = checker.node(node)
    if checker.problems:
        raise ConditionError(tuple(sorted(checker.problems, key=lambda problem: problem[1])))
    return checked


class _Checker:
    """One condition under check; problems pile up."""

    def __init__(self, catalogue: FieldsView, source: str, event_types: frozenset[str] | None) -> None:
        self.catalogue = catalogue
        self.source = source
        self.event_types = event_types
        self.problems: list[Problem] = []

    def node(self, node: Node) -> Node:
        if isinstance(node, And | Or):
            return type(node)(tuple(map(self.node, node.operands)), node.position)
        if isinstance(node, Not):
            return Not(self.node(node.operand), node.position)
        if isinstance(node, MacroRef):
            return node
        try:
            return self.check(node)
        except _Refused as refused:
            self.problems.append((refused.message, refused.position))
            return node

    def check(self, check: Check) -> Check:
        left = self.side(check.left)
        right = check.right
        if right is None:
            return replace(check, left=left.operand)
        usable = operators_of(left.type, is_list=left.is_list)
        if check.operator not in usable:
            raise _Refused(
                f"'{check.operator}' operator not supported for {operand_text(left.operand)} of type {_kind(left)} "
                f"(expected one of {', '.join(usable)}, exists)", check.position,
            )  # fmt: skip
        if isinstance(right, Call):
            return replace(check, left=left.operand, right=self.between(check, left, right))
        if isinstance(right, ListName):
            right = ListValue((TextValue(right.name, right.position),), right.position)
        for item in right.items if isinstance(right, ListValue) else (right,):
            assert isinstance(item, TextValue | NumberValue)  # the grammar has nothing else here
            self.value(item, check.operator, left)
        return replace(check, left=left.operand, right=right)

    def value(self, item: TextValue | NumberValue, operator: str, left: _Side) -> None:
        """Checks one literal; problems of several literals of a list are all noted."""
        try:
            if operator in HEX_OPERATORS:
                parse_hex(item.text)
                return
            literal(item.text, left.type)
            if operator == "regex":
                check_regex(item.text)
        except ValueError as error:
            self.problems.append((f"{operand_text(left.operand)}: {error}", item.position))
            return
        known = self.event_types
        if known is not None and operator in EQUALITY and _is_event_type(left.operand) and item.text not in known:
            self.problems.append((f"unknown event type {item.text}{suggest(item.text, known)}", item.position))

    def between(self, check: Check, left: _Side, right: Call) -> Call:
        """Checks a comparison of two fields or transformers; returns the right side, resolved."""
        inner = right.arguments[0]
        if right.name == "val":
            assert isinstance(inner, FieldRef)  # the grammar has nothing else here
            side = self.side(inner)
            resolved = replace(right, arguments=(side.operand,))
        else:
            side = self.side(right)
            assert isinstance(side.operand, Call)
            resolved = side.operand
        if check.operator in _NOT_BETWEEN_FIELDS:
            raise _Refused(f"'{check.operator}' cannot compare two fields (expected a literal value)", right.position)
        for each in (left, side):
            name = operand_text(each.operand)
            if _is_event_type(each.operand):
                raise _Refused(f"{name} cannot be compared with a field (expected names of event types)", right.position)
            if each.quantifier is not Quantifier.ONE or each.type is FieldType.NET:
                raise _Refused(f"{name} cannot take part in a comparison of two fields", right.position)
        same_type = left.type is side.type or (left.type.is_text and side.type.is_text)
        if not same_type or left.is_list != side.is_list:
            raise _Refused(f"cannot compare fields of different types (got {_kind(left)} and {_kind(side)})", right.position)
        return resolved

    def side(self, operand: Operand) -> _Side:
        """Resolves a field or transformer."""
        if isinstance(operand, Call):
            return self.call(operand)
        try:
            field, ref = lookup(operand, self.catalogue, self.source)
        except ValueError as error:
            raise _Refused(str(error), operand.position) from None
        quantifier = Quantifier.ONE if ref.argument is not None else field.quantifier
        return _Side(ref, field.type, field.is_list, quantifier)

    def call(self, call: Call) -> _Side:
        if call.name in _LATER:
            raise _Refused(f"transformer {call.name} is not supported yet", call.position)
        if call.argument is not None:
            raise _Refused(f"transformer '{call.name}' does not support field arguments (got [{call.argument}])", call.position)
        if len(call.arguments) != 1 or not isinstance(call.arguments[0], FieldRef | Call):
            raise _Refused(f"{call.name}: wrong arguments (got {operand_text(call)}, expected one field or transformer)", call.position)
        inner = self.side(call.arguments[0])
        name = operand_text(inner.operand)
        if _is_event_type(inner.operand):
            raise _Refused(f"{call.name}: {name} cannot be transformed", call.position)
        if inner.quantifier is not Quantifier.ONE:
            raise _Refused(f"{call.name}: {name} cannot be transformed, it has several values at once", call.position)
        measurable = inner.is_list or inner.type.is_text or inner.type is FieldType.BYTES
        if not (measurable if call.name == "len" else inner.type.is_text):
            wanted = "a list, text or bytes" if call.name == "len" else "text"
            raise _Refused(f"{call.name}: wrong type of {name} (got {_kind(inner)}, expected {wanted})", call.position)
        resolved = replace(call, arguments=(inner.operand,))
        if call.name == "len":
            return _Side(resolved, FieldType.UINT64, is_list=False)
        return _Side(resolved, FieldType.STRING, inner.is_list)


def _is_event_type(operand: Operand) -> bool:
    return isinstance(operand, FieldRef) and operand.name in EVENT_TYPE_FIELDS


def _kind(side: _Side) -> str:
    return f"list of {side.type.value}" if side.is_list else side.type.value


class _Refused(Exception):
    """Ends the check of one check."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
