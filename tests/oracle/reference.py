"""A slow evaluator of conditions, written for obviousness: it walks the parsed tree and a dictionary of values.

It shares no code with the engine. Text is compared as bytes, sets are loops, unknown values are handled in one place.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.oracle.transformers import transformed
from tiercel.fields import FAILED, PENDING, Argument, Field, FieldType, Quantifier
from tiercel.lang.ast import And, Call, Check, FieldRef, ListValue, Node, Not, NumberValue, Or, TextValue

__all__ = ["holds", "may"]

Part = FieldRef | Call | ListValue | TextValue | NumberValue
Values = Callable[[FieldRef], Any]


def holds(node: Node, values: Values, fields: Mapping[str, Field]) -> bool:
    """Whether the condition holds; unknown values count as missing."""
    match node:
        case And(operands=operands):
            return all(holds(each, values, fields) for each in operands)
        case Or(operands=operands):
            return any(holds(each, values, fields) for each in operands)
        case Not(operand=operand):
            return not holds(operand, values, fields)
        case Check():
            return _check(node, values, fields)
    raise AssertionError(node)


def may(node: Node, values: Values, fields: Mapping[str, Field]) -> frozenset[bool]:
    """The outcomes that the condition may have; a check on an unknown value may have both."""
    match node:
        case And(operands=operands) | Or(operands=operands):
            decisive = isinstance(node, Or)
            outcomes = [may(each, values, fields) for each in operands]
            result = set()
            if any(decisive in each for each in outcomes):
                result.add(decisive)
            if all((not decisive) in each for each in outcomes):
                result.add(not decisive)
            return frozenset(result)
        case Not(operand=operand):
            return frozenset(not each for each in may(operand, values, fields))
        case Check():
            sides = [node.left] if not isinstance(node.right, Call) else [node.left, node.right]
            if any(_unknown(_value(each, values, fields)) for each in sides):
                return frozenset({True, False})
            return frozenset({_check(node, values, fields)})
    raise AssertionError(node)


def _unknown(value: Any) -> bool:
    return any(each in (PENDING, FAILED) for each in (value if isinstance(value, tuple) else (value,)))


def _value(operand: Part, values: Values, fields: Mapping[str, Field]) -> Any:
    if isinstance(operand, TextValue | NumberValue):
        return operand.text
    if isinstance(operand, ListValue):
        return tuple(_value(each, values, fields) for each in operand.items)
    if isinstance(operand, FieldRef):
        return values(operand)
    arguments = [_argument(each, values, fields) for each in operand.arguments]
    if operand.name == "val":
        return _value(operand.arguments[0], values, fields)
    return transformed(operand.name, operand.argument, arguments)


def _argument(operand: Part, values: Values, fields: Mapping[str, Field]) -> Any:
    """An empty list of a field is a missing value."""
    value = _value(operand, values, fields)
    return None if value == () and isinstance(operand, FieldRef) and fields[operand.name].is_list else value


def _type(operand: FieldRef | Call, fields: Mapping[str, Field]) -> tuple[FieldType, Quantifier, bool]:
    if isinstance(operand, FieldRef):
        field = fields[operand.name]
        optional = field.argument in (Argument.OPTIONAL_INDEX, Argument.OPTIONAL_KEY) and operand.argument is not None
        kind = field.type if operand.argument is None else field.argument_types.get(operand.argument, field.type)
        return kind, Quantifier.ONE if optional else field.quantifier, field.is_list
    if operand.name == "len":
        return FieldType.UINT64, Quantifier.ONE, False
    inner = operand.arguments[0]
    if operand.name in ("join", "concat", "getopt"):
        return FieldType.STRING, Quantifier.ONE, operand.name == "getopt" and operand.argument is None
    if isinstance(inner, FieldRef | Call):
        kind, quantifier, is_list = _type(inner, fields)
        return kind if operand.name in ("val", "b64") else FieldType.STRING, quantifier, is_list
    return FieldType.STRING, Quantifier.ONE, isinstance(inner, ListValue)


def _bytes(value: Any) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def _check(check: Check, values: Values, fields: Mapping[str, Field]) -> bool:
    left = _value(check.left, values, fields)
    if left is None or left is PENDING or left is FAILED or left == ():
        return False
    if check.operator == "exists":
        return True
    kind, quantifier, is_list = _type(check.left, fields)
    elements = left if isinstance(left, tuple) else (left,)
    if kind is FieldType.UINT32 and isinstance(left, str):
        return False  # the parameter of this event has another type
    if isinstance(check.right, Call):
        right = _value(check.right, values, fields)
        if right is None or right is PENDING or right is FAILED or right == ():
            return False
        others = right if isinstance(right, tuple) else (right,)

        def one(element: Any) -> bool:
            return any(_compare(kind, check.operator, element, other) for other in others)
    elif kind is FieldType.BY_PARAMETER:
        texts, modifier = _texts(check.right), check.modifier

        def one(element: Any) -> bool:
            actual = _PYTHON[type(element)]
            if check.operator not in _FITTING[actual]:
                return False
            fitting = [text for text in texts if _fits(actual, check.operator, text)]
            if len(fitting) < len(texts) and (check.operator == "!=" or modifier == "allof"):
                return False
            outcomes = [_compare(actual, check.operator, element, _literal(actual, check.operator, text)) for text in fitting]
            if modifier == "oneof":
                return sum(outcomes) == 1
            return bool(outcomes) and (all(outcomes) if modifier == "allof" else any(outcomes))
    else:
        texts = _texts(check.right)

        def one(element: Any) -> bool:
            if check.operator in ("in", "intersects", "pmatch"):
                return any(_compare(kind, check.operator, element, _literal(kind, check.operator, text)) for text in texts)
            outcomes = [_compare(kind, check.operator, element, _literal(kind, check.operator, text)) for text in texts]
            if check.modifier == "oneof":
                return sum(outcomes) == 1
            if check.modifier == "allof":
                return bool(outcomes) and all(outcomes)
            return any(outcomes)

    if quantifier is Quantifier.EITHER and check.operator == "!=":
        return all(one(element) for element in elements)
    if quantifier is Quantifier.ONE and is_list and check.operator == "in":
        return all(one(element) for element in elements)
    return any(one(element) for element in elements)


_PYTHON: Final = {
    int: FieldType.INT64, bool: FieldType.BOOL, float: FieldType.DOUBLE, str: FieldType.STRING, bytes: FieldType.BYTES,
}  # fmt: skip
_EQUAL: Final = ("=", "==", "!=", "in", "intersects")
_PARTS: Final = (*_EQUAL, "contains", "startswith", "endswith")
_NUMBERS: Final = (*_EQUAL, "<", "<=", ">", ">=")
_FITTING: Final = {
    FieldType.INT64: _NUMBERS, FieldType.DOUBLE: _NUMBERS, FieldType.BOOL: _EQUAL, FieldType.BYTES: (*_PARTS, "bcontains", "bstartswith"),
    FieldType.STRING: (*_PARTS, *_NUMBERS, "icontains", "glob", "iglob", "regex", "pmatch"),
}  # fmt: skip
"""Operators that fit a value whose type comes with the event."""


def _fits(kind: FieldType, operator: str, text: str) -> bool:
    try:
        _literal(kind, operator, text)
    except ValueError:
        return False
    return kind is not FieldType.BOOL or text in ("true", "false")


def _texts(right: Any) -> list[str]:
    if isinstance(right, ListValue):
        return [each.text for each in right.items if isinstance(each, TextValue | NumberValue)]
    assert isinstance(right, TextValue | NumberValue)
    return [right.text]


def _literal(kind: FieldType, operator: str, text: str) -> Any:
    if operator in ("bcontains", "bstartswith"):
        return bytes.fromhex(text)
    if kind in (FieldType.STRING, FieldType.PATH, FieldType.BYTES):
        return _bytes(text)
    if kind is FieldType.BOOL:
        return text == "true"
    if kind is FieldType.IP:
        return ipaddress.ip_address(text)
    if kind is FieldType.NET:
        return ipaddress.ip_network(text, strict=False)
    return int(text, 0)


def _compare(kind: FieldType, operator: str, left: Any, right: Any) -> bool:
    """One value against one other; text as bytes, addresses as objects."""
    if kind in (FieldType.IP, FieldType.NET):
        left = ipaddress.ip_address(left)
        right = ipaddress.ip_address(right) if isinstance(right, bytes) else right
        same = left in right if kind is FieldType.NET else left == right
        return not same if operator == "!=" else same
    left, right = (_bytes(left), _bytes(right)) if isinstance(left, str | bytes) else (left, right)
    match operator:
        case "=" | "==" | "in" | "intersects":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "contains" | "bcontains":
            return right in left
        case "icontains":
            return right.lower() in left.lower()
        case "startswith" | "bstartswith":
            return left[: len(right)] == right
        case "endswith":
            return not right or left[-len(right) :] == right
        case "glob":
            return _glob(right, left)
        case "iglob":
            return _glob(right.lower(), left.lower())
        case "regex":
            return re.fullmatch(right.decode("utf-8", "replace"), left.decode("utf-8", "replace")) is not None
        case "pmatch":
            wanted = [part for part in right.split(b"/") if part]
            parts = [part for part in left.split(b"/") if part]
            return len(wanted) <= len(parts) and all(_component(one, other) for one, other in zip(wanted, parts, strict=False))
    raise AssertionError(operator)


def _component(wanted: bytes, part: bytes) -> bool:
    return _glob(wanted, part) if any(each in wanted for each in b"*?[") else wanted == part


def _glob(pattern: bytes, text: bytes) -> bool:
    """Matching with ``*``, ``?``, backslash and simple brackets, by trying everything."""
    if not pattern:
        return not text
    if pattern[:1] == b"*":
        return _glob(pattern[1:], text) or (bool(text) and _glob(pattern, text[1:]))
    if not text:
        return False
    if pattern[:1] == b"?":
        return _glob(pattern[1:], text[1:])
    if pattern[:1] == b"\\" and len(pattern) > 1:
        return pattern[1] == text[0] and _glob(pattern[2:], text[1:])
    if pattern[:1] == b"[" and (end := pattern.find(b"]", 3 if pattern[1:2] == b"!" else 2)) > 0:
        inside = pattern[1:end]
        negated = inside[:1] == b"!"
        found = _inside(inside[negated:], text[0])
        return found is not negated and _glob(pattern[end + 1 :], text[1:])
    return pattern[0] == text[0] and _glob(pattern[1:], text[1:])


def _inside(inside: bytes, byte: int) -> bool:
    at = 0
    while at < len(inside):
        if at + 2 < len(inside) and inside[at + 1 : at + 2] == b"-":
            if inside[at] <= byte <= inside[at + 2]:
                return True
            at += 3
        else:
            if inside[at] == byte:
                return True
            at += 1
    return False
