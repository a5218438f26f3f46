"""What the vectors are run against: the fields and event types of the installed plugins, and stand-ins for what only tests have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tiercel.config.rules import known_event_types
from tiercel.errors import UserError
from tiercel.fields import Argument, Field, FieldType
from tiercel.lang.view import FieldsView
from tiercel.plugins import PluginHost
from tiercel.testing.conformance.foreign import foreign_fields, mock

__all__ = ["SOURCE", "SOURCES", "Fields", "Setting"]

SOURCE: Final = "syscall"
"""Event source that a condition without one is for."""
SOURCES: Final = frozenset({SOURCE, "k8s_audit"})
_MOCKS: Final = (
    mock("test.charbuf"), mock("test.bytebuf", FieldType.BYTES), mock("test.list", is_list=True), mock("test.base64"),
    mock("test.str", argument=Argument.OPTIONAL_KEY), mock("c.true"), mock("c.false"), mock("c.buffer", FieldType.BYTES),
    mock("c.doublequote"), mock("c.singlequote"),
)  # fmt: skip
"""Fields that only the test suites have from which the vectors come."""


class Fields:
    """A catalogue with additions, each for every event source; an addition comes before a field of the same name.

    Args:
        fields: the catalogue.
        more: the additions.
    """

    def __init__(self, fields: FieldsView, more: Iterable[Field]) -> None:
        self._fields = fields
        self._more = {field.name: field for field in more}

    def get(self, name: str, source: str) -> Field | None:
        """The field of that name."""
        return self._more.get(name) or self._fields.get(name, source)

    def names(self, source: str) -> Iterable[str]:
        """All names."""
        return (*self._more, *self._fields.names(source))


class Setting:
    """Loads the plugins once.

    Attributes:
        directory: where the vector file lies that is run.
    """

    directory = Path()

    def beside(self, name: str) -> dict[str, Any]:
        """A JSON object in a file beside the vectors; empty if there is no such file.

        Raises:
            tiercel.UserError: it holds something else.
        """
        path = self.directory / name
        if not path.is_file():
            return {}
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"{path}: cannot be read: {error}") from error
        if not isinstance(found, dict):
            raise UserError(f"{path}: no JSON object (got {type(found).__name__})")
        return found

    @cached_property
    def host(self) -> PluginHost:
        """The installed plugins."""
        host = PluginHost()
        host.load()
        return host

    @cached_property
    def fields(self) -> Fields:
        """All fields that a case may name."""
        return Fields(self.host.fields(), (*foreign_fields(), *_MOCKS))

    @cached_property
    def event_types(self) -> Mapping[str, frozenset[str]]:
        """Names that ``evt.type`` can have, by event source."""
        return known_event_types(self.host)
