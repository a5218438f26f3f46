"""Shapes of operands: what kind of values a field or transformer gives, and which transformer takes what (rule language, section 11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, NamedTuple

from tiercel.fields import Argument, Field, FieldType, Quantifier
from tiercel.lang.ast import Call, FieldRef, ListValue, NumberValue, TextValue

__all__ = ["LITERAL", "VALUE_OF", "Lookup", "Shape", "ShapeError", "is_optional", "list_shape", "shape_of", "shape_of_call"]

VALUE_OF: Final = "val"
"""Name of the call that stands for a field on the right side of a check."""
GETOPT: Final = "getopt"

Part = FieldRef | Call | ListValue | TextValue | NumberValue
Lookup = Callable[[FieldRef], tuple[Field, FieldRef]]


@dataclass(frozen=True, slots=True)
class Shape:
    """Kind of the values of an operand.

    Attributes:
        type: type of the value or of its elements.
        quantifier: how several values are treated.
        is_list: the value is a tuple of elements.
    """

    type: FieldType
    quantifier: Quantifier = Quantifier.ONE
    is_list: bool = False

    @property
    def is_single(self) -> bool:
        """True if there is one value at most."""
        return self.quantifier is Quantifier.ONE and not self.is_list

    def __str__(self) -> str:
        """As people read it: "list of string"."""
        return f"list of {self.type.value}" if self.is_list else self.type.value


LITERAL: Final = Shape(FieldType.STRING)
"""A quoted text or a number among the arguments of a transformer: both are text."""


class ShapeError(ValueError):
    """A transformer that does not take its arguments.

    Args:
        message: what is wrong.
        number: number of the argument that does not fit, from 0; None if it is none of them.
    """

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(message)
        self.number = number


class _Parameter(NamedTuple):
    """What an argument must be."""

    words: str
    takes: Callable[[Shape], bool]


_TEXT: Final = _Parameter("text, or a list of texts", lambda shape: shape.type.is_text)
_ONE_TEXT: Final = _Parameter("one text", lambda shape: shape.type.is_text and not shape.is_list)
_DATA: Final = _Parameter("text or bytes", lambda shape: shape.type.is_text or shape.type is FieldType.BYTES)
_MEASURABLE: Final = _Parameter(
    "a list, text or bytes", lambda shape: shape.is_list or shape.type.is_text or shape.type is FieldType.BYTES
)  # fmt: skip
_LIST: Final = _Parameter("a list", lambda shape: shape.is_list)
_TEXTS: Final = _Parameter("a list of texts", lambda shape: shape.is_list and shape.type.is_text)


def _text(_call: Call, _first: Shape) -> Shape:
    return LITERAL


def _each_text(_call: Call, first: Shape) -> Shape:
    return replace(first, type=FieldType.STRING)


def _decoded(_call: Call, first: Shape) -> Shape:
    return first if first.type is FieldType.BYTES else replace(first, type=FieldType.STRING)


def _number(_call: Call, _first: Shape) -> Shape:
    return Shape(FieldType.UINT64)


def _options(call: Call, _first: Shape) -> Shape:
    return Shape(FieldType.STRING, is_list=call.argument is None)


class _Signature(NamedTuple):
    """What a transformer takes and gives; with `repeats`, the last parameter may come several times."""

    parameters: tuple[_Parameter, ...]
    result: Callable[[Call, Shape], Shape]
    repeats: bool = False


_SIGNATURES: Final[Mapping[str, _Signature]] = MappingProxyType(
    {
        "tolower": _Signature((_TEXT,), _each_text),
        "toupper": _Signature((_TEXT,), _each_text),
        "basename": _Signature((_TEXT,), _each_text),
        "b64": _Signature((_DATA,), _decoded),
        "len": _Signature((_MEASURABLE,), _number),
        "join": _Signature((_ONE_TEXT, _LIST), _text),
        "concat": _Signature((_ONE_TEXT, _ONE_TEXT), _text, repeats=True),
        GETOPT: _Signature((_TEXTS, _ONE_TEXT), _options),
    }
)


def shape_of_call(call: Call, arguments: Sequence[Shape]) -> Shape:
    """Shape of what a transformer gives.

    Args:
        call: the transformer.
        arguments: shapes of its arguments.

    Raises:
        ShapeError: it does not take them.
    """
    if call.name == VALUE_OF:
        return arguments[0]
    parameters, result, repeats = _SIGNATURES[call.name]
    least, count = len(parameters), len(arguments)
    if count < least or (count > least and not repeats):
        wanted = f"{least} or more" if repeats else str(least)
        raise ShapeError(f"{call.name}: wrong number of arguments (got {count}, expected {wanted})")
    for number, shape in enumerate(arguments):
        parameter = parameters[min(number, least - 1)]
        if not parameter.takes(shape):
            raise ShapeError(f"{call.name}: wrong type of argument {number + 1} (got {shape}, expected {parameter.words})", number)
    if call.argument is not None and call.name != GETOPT:
        raise ShapeError(f"transformer '{call.name}' does not support field arguments (got [{call.argument}])")
    if call.argument is not None and len(call.argument) != 1:
        raise ShapeError(f"{call.name}: bad option (got [{call.argument}], expected one character such as [c])")
    return result(call, arguments[0])


def list_shape(items: Sequence[Shape]) -> Shape:
    """Shape of a list that is written out: of text if all items are, else of the type of the first one that is not.

    Raises:
        ShapeError: an item is a list itself.
    """
    for number, item in enumerate(items):
        if item.is_list:
            raise ShapeError(f"a list in a list (got {item} as item {number + 1}, expected one value)", number)
    return Shape(next((item.type for item in items if not item.type.is_text), FieldType.STRING), is_list=True)


def is_optional(field: Field, ref: FieldRef) -> bool:
    """True if a field with an argument that it could do without is one value of several: ``proc.aname[1]`` is one ancestor."""
    return ref.argument is not None and field.argument in (Argument.OPTIONAL_INDEX, Argument.OPTIONAL_KEY)


def shape_of(part: Part, lookup: Lookup) -> Shape:
    """Shape of a field, transformer or literal.

    Raises:
        ValueError: it does not exist or does not fit; conditions are checked before they come to the engine.
    """
    if isinstance(part, FieldRef):
        field, ref = lookup(part)
        quantifier = Quantifier.ONE if is_optional(field, ref) else field.quantifier
        return Shape(field.type_of(ref.argument), quantifier, field.is_list)
    if isinstance(part, Call):
        return shape_of_call(part, [shape_of(each, lookup) for each in part.arguments])
    if isinstance(part, ListValue):
        return list_shape([shape_of(each, lookup) for each in part.items])
    return LITERAL
