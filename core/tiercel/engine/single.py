"""Expressions for checks of one value against literals: true if the value has the right type and satisfies the operator.

Values that are missing, unknown or of another type make every check false and never raise.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, Final

from tiercel.engine.matchers import glob, in_networks, path_prefix, regex
from tiercel.engine.nodes import Namespace, Value, all_true, any_true, call, compare, constant, is_type, load, method, negation
from tiercel.engine.text import encoded, has_fragments, lower
from tiercel.fields import FieldType
from tiercel.lang.literals import literal
from tiercel.lang.operators import operators_of

__all__ = ["EQUAL", "MEMBER", "ORDER", "predicate", "single", "types_of"]

EQUAL: Final = frozenset({"=", "=="})
MEMBER: Final = frozenset({"in", "intersects"})
ORDER: Final[dict[str, type[ast.cmpop]]] = {"<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE}

_MATCHERS: Final[dict[str, Callable[[str], Callable[[str], bool]]]] = {
    "glob": glob,
    "iglob": lambda pattern: glob(pattern, ignore_case=True),
    "regex": regex,
}


def types_of(kind: FieldType) -> tuple[str, ...]:
    """Names of the Python types of a value."""
    if kind.is_text:
        return ("str",)
    if kind in (FieldType.BYTES, FieldType.IP, FieldType.NET):
        return ("bytes",)
    if kind is FieldType.BOOL:
        return ("bool",)
    if kind is FieldType.BY_PARAMETER:
        return ("int", "bool", "float", "str", "bytes")
    return ("float", "int") if kind is FieldType.DOUBLE else ("int",)


def single(kind: FieldType, operator: str, literals: Sequence[Any], *, modifier: str, value: Value, names: Namespace) -> ast.expr:
    """The check as an expression.

    Args:
        kind: type of the value.
        operator: operator of the condition language, but ``exists``.
        literals: the right side, by type of the value.
        modifier: "", "oneof", "anyof" or "allof".
        value: gives the value's expression; asked in the order of evaluation.
        names: where matchers go.
    """
    if not literals:
        return constant(False)
    if kind is FieldType.BY_PARAMETER:
        key = ("by_value", operator, tuple(literals), modifier)
        return call(names.name(key, lambda: _ByValue(operator, literals, modifier, names)), value())
    if not modifier and operator not in MEMBER and operator != "pmatch":
        return _guarded(kind, operator, literals[0], value=value, names=names)
    if operator in MEMBER or (modifier == "anyof" and operator in EQUAL):
        return _member(kind, literals, value=value, names=names)
    if operator == "pmatch":
        matcher = names.name(("paths", tuple(literals)), lambda: path_prefix(literals))
        return all_true([is_type(value(), "str"), call(matcher, value())])
    if modifier == "anyof" and operator in ("startswith", "endswith") and kind.is_text and not any(map(has_fragments, literals)):
        return all_true([is_type(value(), "str"), method(value(), operator, constant(tuple(literals)))])
    guard = is_type(value(), *types_of(kind))
    tests = [_test(kind, operator, literal, value=value, names=names) for literal in literals]
    if modifier == "oneof":
        return all_true([guard, compare(method(ast.Tuple(tests, ast.Load()), "count", constant(True)), ast.Eq(), constant(1))])
    return all_true([guard, any_true(tests) if modifier == "anyof" else all_true(tests)])


def _guarded(kind: FieldType, operator: str, literal: Any, *, value: Value, names: Namespace) -> ast.expr:
    """One literal, no modifier. Equality needs no look at the type: nothing of another type is equal."""
    if operator in EQUAL and kind not in (FieldType.NET, FieldType.BOOL):
        return compare(value(), ast.Eq(), constant(literal))
    if operator in EQUAL and kind is FieldType.BOOL:
        return compare(value(), ast.Is(), constant(literal))
    guard = is_type(value(), *types_of(kind))
    return all_true([guard, _test(kind, operator, literal, value=value, names=names)])


def _member(kind: FieldType, literals: Sequence[Any], *, value: Value, names: Namespace) -> ast.expr:
    """Whether the value is one of the literals."""
    if kind is FieldType.NET:
        matcher = names.name(("networks", tuple(literals)), lambda: in_networks(literals))
        return all_true([is_type(value(), "bytes"), call(matcher, value())])
    if kind is FieldType.BOOL:
        if len(set(literals)) > 1:
            return is_type(value(), "bool")
        return compare(value(), ast.Is(), constant(literals[0]))
    if len(set(literals)) == 1:
        return compare(value(), ast.Eq(), constant(literals[0]))
    return compare(value(), ast.In(), constant(frozenset(literals)))


def _test(kind: FieldType, operator: str, literal: Any, *, value: Value, names: Namespace) -> ast.expr:
    """One literal against a value whose type is right; always a bool."""
    if kind is FieldType.NET:
        found = call(names.name(("networks", (literal,)), lambda: in_networks([literal])), value())
        return negation(found) if operator == "!=" else found
    if operator in EQUAL:
        return compare(value(), ast.Eq(), constant(literal))
    if operator == "!=":
        return compare(value(), ast.NotEq(), constant(literal))
    if operator in ORDER:
        if kind.is_text:
            return compare(call("encoded", value()), ORDER[operator](), constant(encoded(literal)))
        return compare(value(), ORDER[operator](), constant(literal))
    if operator in ("contains", "startswith", "endswith"):
        # A literal that is no UTF-8 can begin or end inside a character of the value: compare bytes.
        if kind.is_text and has_fragments(literal):
            return _part(operator, encoded(literal), call("encoded", value()))
        return _part(operator, literal, value())
    if operator in ("bcontains", "bstartswith"):
        return _part(operator[1:], literal, value())
    if operator == "icontains":
        if has_fragments(literal):
            return _part("contains", encoded(literal).lower(), method(call("encoded", value()), "lower"))
        return _part("contains", lower(literal), call("lower", value()))
    if operator in _MATCHERS:
        return call(names.name((operator, literal), lambda: _MATCHERS[operator](literal)), value())
    msg = f"operator {operator!r} is not known"
    raise ValueError(msg)


def _part(operator: str, literal: str | bytes, value: ast.expr) -> ast.expr:
    if operator == "contains":
        return compare(constant(literal), ast.In(), value)
    return method(value, operator, constant(literal))


def predicate(kind: FieldType, operator: str, literals: Sequence[Any], *, modifier: str, names: Namespace) -> str:
    """Name of a compiled function that checks one element of a field with several values."""

    def make() -> Callable[[Any], bool]:
        body = single(kind, operator, literals, modifier=modifier, value=lambda: load("element"), names=names)
        return names.expression("element_check", "element", body)

    return names.name(("predicate", kind, operator, tuple(literals), modifier), make)


class _ByValue:
    """A check on a value whose type is known when it comes; false for one that the operator or the literals do not fit."""

    def __init__(self, operator: str, texts: Sequence[str | bytes], modifier: str, names: Namespace) -> None:
        self._check = operator, texts, modifier
        self._names = names
        self._tests: dict[type, Callable[[Any], bool]] = {}

    def __call__(self, value: Any) -> bool:
        test = self._tests.get(type(value))
        if test is None:
            test = self._tests[type(value)] = self._made(type(value))
        return test(value)

    def _made(self, kind: type) -> Callable[[Any], bool]:
        """The check for values of one Python type."""
        operator, texts, modifier = self._check
        field_type = _BY_PYTHON.get(kind)
        if field_type is None or operator not in operators_of(field_type, is_list=False):
            return _never
        values: list[Any] = []
        for text in texts:  # bytes where the operator takes hexadecimal digits
            try:
                values.append(literal(text, _type_of_number(text, field_type)) if isinstance(text, str) else text)
            except ValueError:
                if modifier == "allof" or operator == "!=":
                    return _never
        body = single(field_type, operator, values, modifier=modifier, value=lambda: load("element"), names=self._names)
        return self._names.expression("element_check", "element", body)


_BY_PYTHON: Final = {
    int: FieldType.INT64, bool: FieldType.BOOL, float: FieldType.DOUBLE, str: FieldType.STRING, bytes: FieldType.BYTES,
}  # fmt: skip


def _type_of_number(text: str, kind: FieldType) -> FieldType:
    """Numbers of an event may be as large as an unsigned type allows."""
    return FieldType.UINT64 if kind is FieldType.INT64 and not text.startswith("-") else kind


def _never(_value: Any) -> bool:
    return False
