"""Operands of conditions and outputs, resolved against the catalogue of fields and checked: fields, transformers and their arguments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from tiercel.fields import FieldType, Quantifier
from tiercel.lang.ast import Call, FieldRef, ListValue, NumberValue, Operand, TextValue
from tiercel.lang.canonical import operand_text
from tiercel.lang.literals import literal
from tiercel.lang.shapes import LITERAL, Shape, ShapeError, is_optional, list_shape, shape_of_call
from tiercel.lang.view import FieldsView, UnknownField, lookup

__all__ = ["EVENT_TYPE_FIELDS", "Operands", "Refused", "Side", "is_event_type"]

EVENT_TYPE_FIELDS: Final = frozenset({"evt.type", "syscall.type"})
"""Fields whose values are names of event types."""

Part = FieldRef | Call | ListValue | TextValue | NumberValue


class Refused(Exception):
    """An operand that does not exist or does not fit.

    Args:
        message: what is wrong.
        position: offset in the text that it comes from.
        unknown: it is a field that does not exist.
    """

    def __init__(self, message: str, position: int, *, unknown: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.unknown = unknown


@dataclass(frozen=True, slots=True)
class Side:
    """A side of a check, or an argument of a transformer.

    Attributes:
        operand: with the fields' own names: ``evt.arg[flags]`` for ``evt.arg.flags``.
        shape: kind of its values.
        compares: it may take part in a comparison of two fields.
        transforms: a transformer may take it.
        in_output: outputs may print it.
    """

    operand: Part
    shape: Shape
    compares: bool = True
    transforms: bool = True
    in_output: bool = True


class Operands:
    """The operands of one event source.

    Args:
        catalogue: the fields.
        source: the event source.
        plain_event_types: refuse ``evt.type`` in transformers, for conditions whose event types are worked out (section 10).
    """

    def __init__(self, catalogue: FieldsView, source: str, *, plain_event_types: bool) -> None:
        self._catalogue = catalogue
        self._source = source
        self._plain_event_types = plain_event_types

    def side(self, operand: Operand) -> Side:
        """A field or transformer, resolved.

        Raises:
            Refused: it does not exist or does not fit.
        """
        return self._call(operand) if isinstance(operand, Call) else self._field(operand)

    def _field(self, written: FieldRef) -> Side:
        try:
            field, ref = lookup(written, self._catalogue, self._source)
        except ValueError as error:
            raise Refused(str(error), written.position, unknown=isinstance(error, UnknownField)) from None
        quantifier = Quantifier.ONE if is_optional(field, ref) else field.quantifier
        shape = Shape(field.type_of(ref.argument), quantifier, field.is_list)
        single = quantifier is Quantifier.ONE and field.type is not FieldType.BY_PARAMETER
        compares = field.in_comparison and single and field.type is not FieldType.NET
        return Side(ref, shape, compares, field.in_transformer and single, field.in_output)

    def _call(self, call: Call) -> Side:
        sides = [self._argument(call, each) for each in call.arguments]
        try:
            shape = shape_of_call(call, [side.shape for side in sides])
        except ShapeError as error:
            where = call if error.number is None else call.arguments[error.number]
            raise Refused(f"{error}: {operand_text(call)}", where.position) from None
        arguments = tuple(side.operand for side in sides)
        return Side(replace(call, arguments=arguments), shape, in_output=all(side.in_output for side in sides))

    def _argument(self, call: Call, argument: Part) -> Side:
        if isinstance(argument, TextValue | NumberValue):
            return self._literal(argument)
        if isinstance(argument, ListValue):
            return self._list(call, argument)
        side = self.side(argument)
        name = operand_text(side.operand)
        if not side.transforms or (self._plain_event_types and is_event_type(side.operand)):
            raise Refused(f"{call.name}: {name} cannot be transformed", argument.position)
        return side

    def _literal(self, value: TextValue | NumberValue) -> Side:
        try:
            literal(value.text, LITERAL.type)
        except ValueError as error:
            raise Refused(str(error), value.position) from None
        return Side(value, LITERAL)

    def _list(self, call: Call, value: ListValue) -> Side:
        sides = [self._argument(call, each) for each in value.items]
        try:
            shape = list_shape([side.shape for side in sides])
        except ShapeError as error:
            where = value if error.number is None else value.items[error.number]
            raise Refused(f"{call.name}: {error}", where.position) from None
        items = tuple(side.operand for side in sides if not isinstance(side.operand, ListValue))
        return Side(replace(value, items=items), shape, in_output=all(side.in_output for side in sides))


def is_event_type(operand: object) -> bool:
    """True for a field whose values are names of event types."""
    return isinstance(operand, FieldRef) and operand.name in EVENT_TYPE_FIELDS
