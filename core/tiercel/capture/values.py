"""Fields of events from captures: the catalogue as the recorded host has it, and values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from tiercel.engine.codegen import Generator
from tiercel.engine.groups import Groups
from tiercel.fields import ANY_SOURCE, Argument, Field
from tiercel.lang.formats import parse_format
from tiercel.lang.render import is_missing, json_value

if TYPE_CHECKING:
    from tiercel.capture.metadata import Metadata
    from tiercel.event import Event
    from tiercel.lang.view import FieldsView
    from tiercel.registry import FieldCatalogue

__all__ = ["RecordedFields", "Values", "printable", "unrecorded"]

HOSTNAME: Final = "evt.hostname"
"""The only field whose value is neither in the records nor made of them."""


class RecordedFields:
    """The fields (`tiercel.lang.view.FieldsView`) as the recorded host has them.

    Args:
        catalogue: the fields as this host has them.
        hostname: name of the recorded host.
    """

    def __init__(self, catalogue: FieldsView, hostname: str) -> None:
        self._catalogue = catalogue
        self._hostname = hostname

    def get(self, name: str, source: str) -> Field | None:
        """See `FieldsView`."""
        field = self._catalogue.get(name, source)
        if field is None or name != HOSTNAME:
            return field
        return dataclasses.replace(field, path=None, function=None, inputs=(), getter=lambda _: self._hostname)

    def names(self, source: str) -> Iterable[str]:
        """See `FieldsView`."""
        return self._catalogue.names(source)


def unrecorded(catalogue: FieldCatalogue, metadata: Metadata, names: Iterable[str]) -> frozenset[str]:
    """What stands behind the named fields and was not collected when a capture was recorded: their values would be wrong or missing."""
    source = metadata.event_source
    behind = [field for name in catalogue.closure(names, source) if (field := catalogue.get(name, source)) is not None]
    own = {field.name for field in behind if field.function is None and not field.absent and ANY_SOURCE not in field.sources}
    return frozenset(own - metadata.fields)


def printable(catalogue: FieldCatalogue, metadata: Metadata) -> list[str]:
    """Names of the fields that events of a capture have without an argument, and that may be printed."""
    names = [field.name for field in catalogue.fields(metadata.event_source) if _is_printable(field)]
    return [name for name in names if not unrecorded(catalogue, metadata, [name])]


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
