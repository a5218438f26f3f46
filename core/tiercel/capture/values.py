"""Values of the fields of decoded events, by the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tiercel.engine.codegen import Generator
from tiercel.engine.groups import Groups
from tiercel.fields import Argument, Field
from tiercel.lang.formats import parse_format
from tiercel.lang.render import is_missing, json_value

if TYPE_CHECKING:
    from tiercel.event import Event
    from tiercel.lang.view import FieldsView
    from tiercel.registry import FieldCatalogue

__all__ = ["Values", "printable"]


def printable(catalogue: FieldCatalogue, source: str) -> list[str]:
    """Names of the fields of an event source that have a value without an argument and may be printed."""
    return [field.name for field in catalogue.fields(source) if _is_printable(field)]


def _is_printable(field: Field) -> bool:
    return field.in_output and not field.absent and field.argument not in (Argument.INDEX, Argument.KEY)


class Values:
    """Reads fields from events.

    Args:
        catalogue: the fields.
        source: event source of the events.
        names: fields with their arguments, as outputs of rules write them: ``proc.name``, ``proc.aname[2]``.

    Raises:
        tiercel.lang.formats.FormatError: there is no such field.
    """

    def __init__(self, catalogue: FieldsView, source: str, names: Iterable[str]) -> None:
        generator = Generator(Groups(catalogue, source))
        fields = [parse_format(f"%{name}", catalogue, source).fields[0] for name in names]
        self._readers = [(field, generator.value(field.operand)) for field in fields]

    def of(self, event: Event) -> dict[str, Any]:
        """Field -> value (see `tiercel.FieldType` for the types). What is missing or unknown is left out."""
        return {field.key: value for field, read in self._readers if not is_missing(value := read(event))}

    def as_json(self, event: Event) -> dict[str, Any]:
        """The same as the fields of alerts have it in JSON."""
        return {field.key: json_value(field, value) for field, read in self._readers if not is_missing(value := read(event))}
