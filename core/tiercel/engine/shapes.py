"""Types of operands: what kind of values a field or transformer gives, and how a check treats several of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from tiercel.engine.text import encoded, lower, upper
from tiercel.fields import Argument, Field, FieldType, Quantifier, Unknown
from tiercel.lang.ast import Call, FieldRef, Operand

__all__ = ["VALUE_OF", "Shape", "shape_of", "transformer"]

VALUE_OF: Final = "val"
"""Name of the call that stands for a field on the right side of a check."""


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


def shape_of(operand: Operand, lookup: Callable[[FieldRef], tuple[Field, FieldRef]]) -> Shape:
    """Shape of a field or transformer.

    Raises:
        ValueError: a transformer that is not known; conditions are checked before they come here.
    """
    if isinstance(operand, FieldRef):
        entry, ref = lookup(operand)
        # With an index, `name[1]`, an ancestor is one value.
        one = ref.argument is not None and entry.argument in (Argument.OPTIONAL_INDEX, Argument.OPTIONAL_KEY)
        return Shape(entry.type, Quantifier.ONE if one else entry.quantifier, entry.is_list)
    inner = operand.arguments[0]
    if not isinstance(inner, FieldRef | Call):
        msg = f"{operand.name}(): its argument must be a field or a transformer (got {type(inner).__name__})"
        raise ValueError(msg)  # noqa: TRY004  a bug of the caller, whatever its kind
    shape = shape_of(inner, lookup)
    if operand.name == "len":
        return Shape(FieldType.UINT64)
    if operand.name != VALUE_OF and operand.name not in _FUNCTIONS:
        msg = f"transformer {operand.name!r} is not known (known: {', '.join(sorted(_FUNCTIONS))})"
        raise ValueError(msg)
    return replace(shape, type=FieldType.STRING) if operand.name == "basename" else shape


def _of_text(function: Callable[[str], str]) -> Callable[[Any], Any]:
    """The function on a text or on each text of a tuple; unknown and missing values stay what they are."""

    def call(value: Any) -> Any:
        if type(value) is str:
            return function(value)
        if type(value) is tuple:
            return tuple(function(element) if type(element) is str else element for element in value)
        return value if type(value) is Unknown else None

    return call


def _length(value: Any) -> Any:
    """Elements of a list, bytes of a text or buffer; an empty list counts as missing."""
    if type(value) is str:
        return len(value) if value.isascii() else len(encoded(value))
    if type(value) is tuple:
        return len(value) or None
    if type(value) is bytes:
        return len(value)
    return value if type(value) is Unknown else None


_FUNCTIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "tolower": _of_text(lower),
    "toupper": _of_text(upper),
    "basename": _of_text(lambda text: text.rpartition("/")[2]),
    "len": _length,
}


def transformer(name: str) -> Callable[[Any], Any]:
    """The function behind a transformer: it passes unknown values on and never raises."""
    return _FUNCTIONS[name]
