"""Makes alerts: fills in a rule's output from the event that it matched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tiercel.alert import Alert, alert_id
from tiercel.lang.render import json_value, render

if TYPE_CHECKING:
    from tiercel.engine.codegen import Generator
    from tiercel.event import Event
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

    def write(self, event: Event, view: int) -> Alert:
        """The alert for an event that shows the view under which the rule matched."""
        rule = self._rule
        values = {key: read(event) for key, read in self._readers}
        fields: dict[str, Any] = {
            field.key: event.time if field.name in _TIMES else json_value(field, values[field.key]) for field in rule.output.fields
        }
        for extra in rule.extra_fields:
            if extra.raw:
                (field,) = extra.format.fields
                fields[extra.name] = json_value(field, values[field.key])
            else:
                fields[extra.name] = render(extra.format, values)
        fields.setdefault(_TIME, event.time)
        return Alert(
            id=alert_id(origin=self._origin, position=event.position, rule=rule.name, view=view),
            rule=rule.name,
            source=rule.source,
            priority=rule.priority,
            time=event.time,
            message=render(rule.output, values),
            fields=fields,
            tags=rule.tags,
            hostname=self._hostname,
        )
