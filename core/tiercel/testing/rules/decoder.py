"""The dictionary decoder: events of any event source from their plain fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from tiercel.components.base import API_VERSION, Stability
from tiercel.components.source import Decoder
from tiercel.fields import FieldType
from tiercel.testing.facts import FactEvent
from tiercel.testing.rules.clock import nanoseconds
from tiercel.testing.rules.derive import derive

if TYPE_CHECKING:
    from tiercel.event import Event, RawBatch
    from tiercel.plan import SourcePlan
    from tiercel.testing.facts import FactCatalogue

__all__ = ["FactDecoder", "StatedEvent", "fact_decoder"]

UNTYPED: Final = "pluginevent"
"""Type of events that state none, as those of Falco's plugins."""


@dataclass(frozen=True, slots=True)
class StatedEvent:
    """An event as a test states it: the raw record of a `FactDecoder`.

    Attributes:
        time: nanoseconds since the epoch.
        facts: value by field, as rules write it.
    """

    time: int
    facts: Mapping[str, Any] = field(default_factory=dict)


class FactDecoder(Decoder):
    """Turns stated events into events. Its state is the running number and the time.

    Args:
        catalogue: the fields.
    """

    name = "facts"
    summary = "Events from plain fields, for tests of rules."
    api_version = API_VERSION
    stability = Stability.BETA

    def __init__(self, catalogue: FactCatalogue) -> None:
        self._catalogue = catalogue
        self._number = 0
        self._first: int | None = None
        self._last: int | None = None

    def open(self, plan: SourcePlan, refresh: Callable[[], RawBatch | None]) -> None:
        """Nothing to prepare: facts are looked up when they are asked for."""

    def decode(self, batch: RawBatch) -> Iterator[FactEvent]:
        """The events of `StatedEvent` records.

        Raises:
            ValueError: an unknown field, or a value that does not fit its type; names the field.
        """
        for record in batch.records:
            self._number += 1
            facts = derive(self.facts(record.facts), self.event_source, time=record.time)
            self._first = record.time if self._first is None else self._first
            facts.setdefault("evt.reltime", record.time - self._first)
            facts.setdefault("evt.deltatime", record.time - (record.time if self._last is None else self._last))
            self._last = record.time
            event = FactEvent(self.event_source, facts, number=self._number, time=record.time)
            event.type = event.type or UNTYPED
            yield event

    def facts(self, stated: Mapping[str, Any]) -> dict[str, Any]:
        """Stated values as the engine has them. Times may be written as spans and dates, see `nanoseconds`.

        Raises:
            ValueError: as `decode`.
        """
        return self._catalogue.facts({name: self._time(name, value) for name, value in stated.items()}, self.event_source)

    def _time(self, name: str, value: Any) -> Any:
        entry = self._catalogue.get(name, self.event_source)
        if entry is not None and entry.type is FieldType.TIME and isinstance(value, str):
            found = nanoseconds(value)
            return value if found is None else found
        return value

    def describe(self, event: Event) -> Mapping[str, Any]:
        """The facts, those that follow from others included."""
        return cast("FactEvent", event).facts


def fact_decoder(source: str, catalogue: FactCatalogue) -> FactDecoder:
    """A decoder for an event source."""

    class OfSource(FactDecoder):
        event_source = source

    return OfSource(catalogue)
