"""What the language needs of the catalogue of fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from tiercel.fields import Argument, Field
from tiercel.lang.ast import FieldRef
from tiercel.registry import suggest

__all__ = ["FieldsView", "UnknownField", "lookup"]


class UnknownField(ValueError):
    """No field has that name."""


class FieldsView(Protocol):
    """The fields of each event source."""

    def get(self, name: str, source: str) -> Field | None:
        """The field of that name for an event source; None if the source has none."""

    def names(self, source: str) -> Iterable[str]:
        """Names of all fields of an event source."""


def lookup(ref: FieldRef, catalogue: FieldsView, source: str) -> tuple[Field, FieldRef]:
    """The field that a reference means, and the reference with the field's own name.

    A key may be written with a dot: ``evt.arg.flags`` is ``evt.arg[flags]`` unless there is a field of the whole name.

    Args:
        ref: the reference as written.
        catalogue: the fields.
        source: event source.

    Raises:
        UnknownField: no such field.
        ValueError: its argument is missing, not allowed or not of the right kind.
    """
    field = catalogue.get(ref.name, source)
    if field is None:
        stem, _, key = ref.name.rpartition(".")
        outer = catalogue.get(stem, source)
        if outer is not None and outer.argument in (Argument.KEY, Argument.OPTIONAL_KEY) and ref.argument is None:
            return outer, FieldRef(stem, key, ref.position)
        near = suggest(ref.name, catalogue.names(source))
        msg = f'unknown field "{ref.name}"{near} for event source "{source}" (filter_check called with nonexistent field {ref.name})'
        raise UnknownField(msg)
    problem = _argument_problem(field.argument, ref.argument)
    if problem:
        raise ValueError(f'field "{field.name}": {problem}')
    return field, ref


def _argument_problem(kind: Argument, argument: str | None) -> str:
    if argument is None:
        wanted = {Argument.INDEX: "an index such as [1]", Argument.KEY: "a key such as [name]"}.get(kind)
        return f"the argument is missing (expected {wanted})" if wanted else ""
    if kind is Argument.NONE:
        return f"takes no argument (got [{argument}])"
    if kind in (Argument.INDEX, Argument.OPTIONAL_INDEX) and not (argument.isascii() and argument.isdigit()):
        return f"bad argument (got [{argument}], expected an index such as [1])"
    return ""
