"""Makes alerts: fills in a rule's output from the event that it matched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from tiercel.alert import Alert, alert_id
from tiercel.lang.render import json_value, text_value

if TYPE_CHECKING:
    from tiercel.engine.codegen import Generator
    from tiercel.event import Event
    from tiercel.lang.formats import Format
    from tiercel.ruleset.model import Rule

__all__ = ["AlertWriter"]

_TIME: Final = "evt.time"
_TIMES: Final = frozenset({_TIME, "evt.time.iso8601"})
"""Fields that are text in outputs, and nanoseconds among the fields of an alert."""


class AlertWriter:
    """Writes the alerts of one rule."""

    def __init__(self, rule: Rule, generator: Generator, *, hostname: str, origin: str) -> None:
        self._rule = rule
        self._hostname = hostname
        self._origin = origin
        printed = {field.key: field for field in rule.printed}
        self._readers = [(key, generator.value(field.operand)) for key, field in printed.items()]
        self._message = _Text(rule.output)
        self._times = [field.key for field in rule.output.fields if field.name in _TIMES]
        self._fields = [(field.key, field) for field in rule.output.fields if field.name not in _TIMES]
        self._raw = [(extra.name, extra.format.fields[0]) for extra in rule.extra_fields if extra.raw]
        self._texts = [(extra.name, _Text(extra.format)) for extra in rule.extra_fields if not extra.raw]

    def write(self, event: Event, view: int) -> Alert:
        """The alert for an event that shows the view under which the rule matched."""
        rule, time = self._rule, event.time
        values = {key: read(event) for key, read in self._readers}
        fields: dict[str, Any] = {}
        for key, field in self._fields:
            value = values[key]
            fields[key] = value if type(value) is str else json_value(field, value)
        for key in self._times:
            fields[key] = time
        for name, field in self._raw:
            fields[name] = json_value(field, values[field.key])
        for name, text in self._texts:
            fields[name] = text.of(values)
        fields.setdefault(_TIME, time)
        return Alert(
            id=alert_id(origin=self._origin, position=event.position, rule=rule.name, view=view),
            rule=rule.name,
            source=rule.source,
            priority=rule.priority,
            time=time,
            message=self._message.of(values),
            fields=fields,
            tags=rule.tags,
            hostname=self._hostname,
        )


class _Text:
    """An output, taken apart once: most values are text as they are, and go between the texts around them. The same as `render`."""

    def __init__(self, output: Format) -> None:
        self._pieces = [part if isinstance(part, str) else "" for part in output.parts]
        self._slots = [(at, part.key, part) for at, part in enumerate(output.parts) if not isinstance(part, str)]

    def of(self, values: Mapping[str, Any]) -> str:
        """The text with these values."""
        pieces = self._pieces.copy()
        for at, key, field in self._slots:
            value = values[key]
            text = value if type(value) is str else text_value(field, value)
            pieces[at] = text[: field.width].ljust(field.width) if field.width else text
        return "".join(pieces)
