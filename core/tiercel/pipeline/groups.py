"""Alerts that are counted instead of delivered: groups of them, for a window of time each, and the one alert that says how many.

Everything here depends on nothing but what was saved, the alerts in their order, and the times at which the spool took them. So a
sensor that was killed counts the same again, and what it sends twice has the same id *and the same content* (`tiercel.pipeline.rollup`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from tiercel.alert import Alert, Priority

__all__ = ["COUNT", "FIRST", "LAST", "OVERFLOW", "RULES", "Group", "Windows", "as_json", "dump_alert", "key_of", "load_alert"]

COUNT: Final = "rollup.count"
"""Field: alerts that this one stands for; those that came on their own are not among them."""
FIRST: Final = "rollup.first"
"""Field: when the earliest of them happened, nanoseconds since the epoch."""
LAST: Final = "rollup.last"
"""Field: when the latest of them happened, nanoseconds since the epoch."""
RULES: Final = "rollup.rules"
"""Field, if there are several: rule -> how many of them."""
OVERFLOW: Final = "overflow"
"""Key of the group for all that have no room of their own."""
MAX_RULES: Final = 64
OTHER_RULES: Final = "(others)"
"""Counts rules beyond `MAX_RULES` in a group."""
_TIME: Final = "evt.time"
_NOTHING: Final = object()


def key_of(names: tuple[str, ...], alert: Alert) -> str:
    """Key of the group that an alert belongs to.

    Args:
        names: ``rule``, ``source``, ``priority`` or names of fields; a missing field is a value like others.
        alert: the alert.

    Returns:
        32 hexadecimal digits, whatever the length of the values.
    """
    values = [_value(name, alert) for name in names]
    return hashlib.blake2b(as_json(values).encode(), digest_size=16).hexdigest()


def as_json(value: Any) -> str:
    """JSON without a line break, the same for the same value."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # bytes that are no UTF-8, as surrogates; numbers of more than 64 bits
        return json.dumps(value, default=str)


def _value(name: str, alert: Alert) -> Any:
    if name == "rule":
        return alert.rule
    if name == "source":
        return alert.source
    return int(alert.priority) if name == "priority" else alert.fields.get(name)


@dataclass(slots=True)
class Group:
    """One group in its window.

    Attributes:
        start: when its window began, nanoseconds of the spool's clock.
        urgency: the most urgent priority so far.
        count: alerts counted; the others are about them and mean nothing if it is 0.
        first: earliest time of an event.
        last: latest time of an event.
        model: the first alert counted; its fields are those that all alerts have in common, its priority is the most urgent.
        rules: rule -> alerts counted.
    """

    start: int
    urgency: Priority
    count: int = 0
    first: int = 0
    last: int = 0
    model: Alert | None = None
    rules: dict[str, int] = field(default_factory=dict)

    def add(self, alert: Alert) -> None:
        """Counts one alert."""
        model = self.model
        if model is None:
            fields = {name: value for name, value in alert.fields.items() if name != _TIME}
            self.model = Alert(
                alert.id, alert.rule, alert.source, alert.priority, alert.time, alert.message, fields, alert.tags, alert.hostname
            )  # fmt: skip
            self.first = self.last = alert.time
        else:
            fields, values = model.fields, alert.fields
            for name in [name for name, value in fields.items() if values.get(name, _NOTHING) != value]:
                del fields[name]
            model.priority = min(model.priority, alert.priority)
            self.first, self.last = min(self.first, alert.time), max(self.last, alert.time)
        self.count += 1
        rule = alert.rule if alert.rule in self.rules or len(self.rules) < MAX_RULES else OTHER_RULES
        self.rules[rule] = self.rules.get(rule, 0) + 1

    def summary(self, output: str, what: str) -> Alert:
        """The one alert that stands for those counted.

        Args:
            output: id of the output; another one counts other alerts, so the id differs.
            what: what happened to them, as in the message.
        """
        model = self.model
        assert model is not None, "nothing was counted"
        fields = {**model.fields, _TIME: self.last, COUNT: self.count, FIRST: self.first, LAST: self.last}
        rules = ""
        if len(self.rules) > 1:
            fields[RULES] = dict(sorted(self.rules.items()))
            rules = f" of {len(self.rules)} rules"
        many = f"{self.count} alert{'s' * (self.count > 1)}{rules}"
        digest = hashlib.blake2b(f"rollup\0{output}\0{model.id}".encode(errors="surrogateescape"), digest_size=16)
        return Alert(
            id=digest.hexdigest(),
            rule=model.rule,
            source=model.source,
            priority=model.priority,
            time=self.last,
            message=f"{many} {what}, {_iso(self.first)} to {_iso(self.last)}; the first: {model.message}",
            fields=fields,
            tags=model.tags,
            hostname=model.hostname,
        )

    def dump(self) -> str:
        """As text, for the spool."""
        model = None if self.model is None else dump_alert(self.model)
        return as_json([self.start, int(self.urgency), self.count, self.first, self.last, model, self.rules])

    @classmethod
    def load(cls, text: str) -> Group:
        """From `dump`. Raises ValueError, TypeError or KeyError for other texts."""
        start, urgency, count, first, last, model, rules = json.loads(text)
        return cls(start, Priority(urgency), count, first, last, None if model is None else load_alert(model), rules)


def _iso(nanoseconds: int) -> str:
    """UTC with milliseconds: ``2026-11-25T10:00:00.123Z``."""
    return datetime.fromtimestamp(nanoseconds // 1_000_000 / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dump_alert(alert: Alert) -> list[Any]:
    """An alert as JSON values."""
    return [
        alert.id, alert.rule, alert.source, int(alert.priority), alert.time, alert.message, alert.fields, list(alert.tags), alert.hostname
    ]  # fmt: skip


def load_alert(values: list[Any]) -> Alert:
    """From `dump_alert`."""
    *head, tags, hostname = values
    ident, rule, source, priority, time, message, fields = head
    return Alert(ident, rule, source, Priority(priority), time, message, fields, tuple(tags), hostname)


class Windows:
    """The open groups of one kind. All windows have the same length, so the first that was opened is the first that is over.

    Args:
        output: id of the output.
        what: what happens to the alerts, as in the message of a summary.
        length: of a window, nanoseconds.
        max_groups: that are told apart; one more takes the rest.
    """

    def __init__(self, output: str, what: str, *, length: int, max_groups: int) -> None:
        self._output, self._what, self._length, self._max = output, what, length, max_groups
        self._open: dict[str, Group] = {}
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._open)

    def find(self, key: str) -> tuple[str, Group | None]:
        """The open group for a key, if there is one, and the key to `begin` or `count` under: there may be no room for a group more."""
        group = self._open.get(key)
        if group is None and len(self._open) - (OVERFLOW in self._open) >= self._max:
            return OVERFLOW, self._open.get(OVERFLOW)
        return key, group

    def begin(self, key: str, received: int, urgency: Priority) -> Group:
        """Opens a window."""
        group = self._open[key] = Group(received, urgency)
        self._changed.add(key)
        return group

    def urge(self, key: str, priority: Priority) -> None:
        """Notes that something more urgent has come."""
        self._open[key].urgency = priority
        self._changed.add(key)

    def count(self, key: str, alert: Alert) -> None:
        """Counts an alert in an open group."""
        self._open[key].add(alert)
        self._changed.add(key)

    def expire(self, received: int) -> list[Alert]:
        """Closes the windows that are over for an alert of that time, also those that began later, because the clock was set back."""
        out: list[Alert] = []
        opened = self._open
        while opened and next(iter(opened.values())).start + self._length <= received:
            out += self._close(next(iter(opened)))
        while opened and opened[key := next(reversed(opened))].start > received:
            out += self._close(key)
        return out

    def close(self, now: int | None) -> list[Alert]:
        """Closes the windows that are over, or all, if something was counted in them; the others are left to `expire`."""
        over = [key for key, group in self._open.items() if group.count and (now is None or group.start + self._length <= now)]
        return [each for key in over for each in self._close(key)]

    def _close(self, key: str) -> list[Alert]:
        group = self._open.pop(key)
        self._changed.add(key)
        return [group.summary(self._output, self._what)] if group.count else []

    @property
    def deadline(self) -> int | None:
        """When the first window is over in which something was counted; None if nothing was."""
        return next((group.start + self._length for group in self._open.values() if group.count), None)

    def changes(self) -> Iterator[tuple[str, str | None]]:
        """What is to be saved since the last call: key -> the group as text, None if it is gone."""
        changed, self._changed = self._changed, set()
        for key in changed:
            group = self._open.get(key)
            yield key, None if group is None else group.dump()

    def restore(self, saved: Mapping[str, Group]) -> None:
        """Takes over groups that were saved."""
        self._open = dict(sorted(saved.items(), key=lambda item: item[1].start))
