"""Exceptions of rules: their meaning checked, and the text that they add to the condition (rule language, section 5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tiercel.lang.ast import Check
from tiercel.lang.check import ConditionError, check_condition
from tiercel.lang.operators import LIST_OPERATORS, MODIFIABLE, OPERATORS
from tiercel.lang.parser import ParseError, parse
from tiercel.lang.view import FieldsView
from tiercel.ruleset import yamltree
from tiercel.ruleset.items import ExceptionItem, Located, RuleItem
from tiercel.ruleset.lists import quoted
from tiercel.ruleset.model import RuleException
from tiercel.ruleset.pieces import Pieces
from tiercel.ruleset.yamltree import Scalar, YamlNode

__all__ = ["ExceptionProblem", "add_exception", "describe", "is_sound", "problems"]

MODIFIERS: Final = frozenset({"oneof", "anyof", "allof"})
_PLAIN: Final = re.compile(r"""[^"'(),]*[ \t\n\r][^"'(),]*""")
"""A text with a blank that is no list."""
_SINGLE: Final = (
    "When fields is a single value, comps must be one of (in, pmatch, intersects) or a modifier operator (e.g. startswith oneof)"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExceptionProblem:
    """What is wrong with an exception.

    Attributes:
        where: where it stands.
        message: what it is.
        unknown: a field does not exist.
    """

    where: Located
    message: str
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class _Shape:
    """Fields and operators of an exception; a single field has one of each."""

    fields: tuple[str, ...]
    operators: tuple[str, ...]
    is_single: bool


def _shape(exception: ExceptionItem) -> _Shape:
    fields, comps = exception.fields, exception.comps
    single = isinstance(fields, Scalar)
    names = tuple(text.strip() for text in _texts(fields))
    operators = tuple(" ".join(text.split()) for text in _texts(comps))
    if comps is None:
        operators = ("in",) if single else ("=",) * len(names)
    return _Shape(names, operators, single)


def _texts(node: YamlNode | None) -> Iterator[str]:
    """The texts of a scalar or a sequence of scalars."""
    for each in node.items if isinstance(node, yamltree.Sequence) else (node,):
        if isinstance(each, Scalar):
            yield each.value


def problems(rule: RuleItem, exception: ExceptionItem, catalogue: FieldsView) -> Iterator[ExceptionProblem]:
    """What is wrong with an exception of a rule; values are looked at only if fields and operators are right."""
    shape = _shape(exception)
    found = [*_shape_problems(exception, shape)]
    for field, where in _nodes(exception.fields, shape.fields, exception.where):
        problem = _field_problem(field, catalogue, rule.source)
        if problem:
            found.append(ExceptionProblem(where, f"'{field}' is not a supported filter field ({problem})", unknown=True))
    yield from found or _value_problems(exception, shape)


def is_sound(exception: ExceptionItem) -> bool:
    """Whether an exception can be added to a condition, whatever its fields are."""
    shape = _shape(exception)
    return next(_shape_problems(exception, shape), None) is None and next(_value_problems(exception, shape), None) is None


def _shape_problems(exception: ExceptionItem, shape: _Shape) -> Iterator[ExceptionProblem]:
    comps = Located(exception.where.file, exception.comps) if exception.comps is not None else exception.where
    if shape.is_single and isinstance(exception.comps, yamltree.Sequence):
        yield ExceptionProblem(comps, "Fields and comps must both be strings")
    elif shape.is_single and not _takes_list(shape.operators[0]):
        (operator,) = shape.operators
        hint = "" if _is_operator(operator) else f"; '{operator}' is not a supported comparison operator"
        yield ExceptionProblem(comps, f"{_SINGLE}{hint}")
    elif not shape.is_single and (isinstance(exception.comps, Scalar) or len(shape.operators) != len(shape.fields)):
        yield ExceptionProblem(comps, "Fields and comps lists must have equal length")
    elif not shape.is_single:
        for operator, where in _nodes(exception.comps, shape.operators, comps):
            if not _is_operator(operator):
                yield ExceptionProblem(where, f"'{operator}' is not a supported comparison operator")


def _nodes(node: YamlNode | None, texts: Sequence[str], otherwise: Located) -> Iterator[tuple[str, Located]]:
    """Each text with the node that it comes from."""
    nodes = node.items if isinstance(node, yamltree.Sequence) else [node] * len(texts)
    for text, each in zip(texts, nodes, strict=True):
        yield text, Located(otherwise.file, each) if each is not None else otherwise


def _is_operator(operator: str) -> bool:
    word, _, modifier = operator.partition(" ")
    if not modifier:
        return word in OPERATORS
    return modifier in MODIFIERS and word in MODIFIABLE


def _takes_list(operator: str) -> bool:
    """Whether the right side of an operator, with its modifier, is a list."""
    return operator in LIST_OPERATORS or (" " in operator and _is_operator(operator))


def _field_problem(field: str, catalogue: FieldsView, source: str) -> str:
    """Why a text is no field or transformer; "" if it is one."""
    try:
        tree = parse(f"{field} exists")
        if not isinstance(tree, Check) or tree.operator != "exists":
            return "expected a field or a transformer"
        check_condition(tree, catalogue, source, event_types=None)
    except (ParseError, ConditionError) as error:
        return str(error)
    return ""


def _value_problems(exception: ExceptionItem, shape: _Shape) -> Iterator[ExceptionProblem]:
    for value in exception.values:
        node = value.node
        if shape.is_single:
            if not isinstance(node, Scalar):
                yield ExceptionProblem(value, "Expected values array to contain a list of strings")
        elif not isinstance(node, yamltree.Sequence) or len(node.items) != len(shape.fields):
            yield ExceptionProblem(value, "Fields and values lists must have equal length")
        else:
            for item in node.items:
                if isinstance(item, yamltree.Sequence) and not all(isinstance(each, Scalar) for each in item.items):
                    yield ExceptionProblem(Located(value.file, item), "Expected values array to contain a list of strings")


# -------------------------------------------------------------------------------------------------------------------------- text


def add_exception(exception: ExceptionItem, pieces: Pieces) -> None:
    """Adds what an exception without problems means to a condition: `` and not (...)``; nothing if it has no values."""
    if not exception.values:
        return
    shape, where = _shape(exception), exception.where
    pieces.put(" and not ", where)
    if shape.is_single:
        pieces.put(f"({shape.fields[0]} {shape.operators[0]} (", where)
        for number, value in enumerate(exception.values):
            pieces.put(", " if number else "", value)
            pieces.put(_item(value.node), value)
        pieces.put("))", where)
        return
    pieces.put("(", where)
    for number, value in enumerate(exception.values):
        pieces.put(" or (" if number else "(", value)
        assert isinstance(value.node, yamltree.Sequence)  # checked by `problems`
        for place, (field, operator, node) in enumerate(zip(shape.fields, shape.operators, value.node.items, strict=True)):
            pieces.put(f"{' and ' if place else ''}{field} {operator} {_value(node, operator)}", Located(value.file, node))
        pieces.put(")", value)
    pieces.put(")", where)


def _item(node: YamlNode) -> str:
    assert isinstance(node, Scalar)  # checked by `problems`
    return quoted(node.value)


def _value(node: YamlNode, operator: str) -> str:
    """The right side of a check. Where a list is wanted, a text stands for a list with or without its brackets."""
    if isinstance(node, yamltree.Sequence):
        return f"({', '.join(map(_item, node.items))})"
    if not _takes_list(operator):
        return _item(node)
    assert isinstance(node, Scalar)  # checked by `problems`
    text = node.value
    if text.lstrip().startswith("("):
        return text
    return f"({quoted(text) if _PLAIN.fullmatch(text) else text})"


def describe(exception: ExceptionItem) -> RuleException:
    """The exception as data."""
    shape, pieces = _shape(exception), Pieces()
    add_exception(exception, pieces)
    values: list[tuple[str, ...]] = []
    for value in exception.values:
        if shape.is_single:
            values.append((_item(value.node),))
        elif isinstance(value.node, yamltree.Sequence):
            values.append(tuple(_value(node, operator) for node, operator in zip(value.node.items, shape.operators, strict=True)))
    return RuleException(
        name=exception.name,
        fields=shape.fields,
        operators=shape.operators,
        values=tuple(values),
        condition=pieces.text.removeprefix(" and not "),
        file=exception.where.file.name,
        line=exception.where.node.place.line + 1,
    )
