"""What the sensor says about itself, as alerts: events that were lost, parts that are left out, a reload that failed.

These alerts have the source ``internal`` and go to the outputs like all others; no rule selection can silence them. What goes wrong
often is held back, and counted: one rule reports `BURST` times at once, then every `REFILL` seconds, with the number of those between.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tiercel.alert import Alert, Priority, alert_id
from tiercel.tokens import TokenBucket

__all__ = ["RULES", "SOURCE", "InternalAlerts", "InternalCounters", "InternalRule"]

SOURCE: Final = "internal"
"""Event source of these alerts."""
PREFIX: Final = "Tiercel internal: "
BURST: Final = 5
"""Alerts of one rule that may follow each other at once."""
REFILL: Final = 30.0
"""Seconds after which one more alert of a rule may go; Falco's rate for lost events."""


@dataclass(frozen=True, slots=True)
class InternalRule:
    """One kind of internal alert.

    Attributes:
        name: name that alerts show, with `PREFIX`.
        priority: urgency, where the report does not say another.
        description: when it is reported, for people.
    """

    name: str
    priority: Priority
    description: str


_TABLE: Final = (
    (
        "events lost",
        Priority.CRITICAL,
        "The source could not keep up: events of some types are missing, and the rules for them were blind.",
    ),
    ("sensor restarted", Priority.ERROR, "The sensor's process died, and the supervisor started another."),
    ("output down", Priority.ERROR, "An output has accepted nothing for some time; its alerts wait."),
    ("output recovered", Priority.NOTICE, "An output that was down accepts alerts again."),
    ("alerts refused", Priority.ERROR, "An output will never accept some alerts; they are kept as dead letters."),
    ("plugin quarantined", Priority.ERROR, "A part of a plugin failed again and again: an output, a field. It is left out for a while."),
    ("plugin restored", Priority.NOTICE, "A part of a plugin that was quarantined works again."),
    ("spool pressure", Priority.WARNING, "The spool is near its budget."),
    ("spool eviction", Priority.CRITICAL, "The spool was over its budget: alerts were removed before every output had them."),
    ("spool failure", Priority.CRITICAL, "The spool cannot be written or read: alerts are not safe on disk."),
    ("reload failed", Priority.ERROR, "A new configuration or new rules are not valid; the old ones stay in force."),
    ("reloaded", Priority.NOTICE, "New configuration and rules are in force."),
    ("metrics snapshot", Priority.INFORMATIONAL, "The counters of the sensor, at the interval that the configuration says."),
)
RULES: Final[Mapping[str, InternalRule]] = {PREFIX + name: InternalRule(PREFIX + name, priority, text) for name, priority, text in _TABLE}
"""All rules by the name that alerts show. The documentation lists these."""


@dataclass(slots=True)
class InternalCounters:
    """Counters of one rule.

    Attributes:
        reported: alerts that went to the outputs.
        held_back: reports that the rate limit turned into a number in a later alert.
    """

    reported: int = 0
    held_back: int = 0


@dataclass(slots=True)
class _State:
    """One rule: its token bucket, and what that held back."""

    bucket: TokenBucket
    waiting: int = 0
    last: tuple[str, Priority, Mapping[str, Any]] | None = None
    counters: InternalCounters = field(default_factory=InternalCounters)


class InternalAlerts:
    """Takes reports from all threads."""

    def __init__(
        self, *, hostname: str, clean: Callable[[str], str] = lambda text: text, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keeps reports until `connect`.

        Args:
            hostname: name of this host, for the alerts.
            clean: takes secrets out of texts, which may quote plugins and servers.
            clock: seconds, for the rate limit.
        """
        self._hostname, self._clean, self._clock = hostname, clean, clock
        self._lock = threading.Lock()
        self._submit: Callable[[list[Alert]], None] | None = None
        self._early: list[Alert] = []
        self._states: dict[str, _State] = {}
        self._origin = f"{SOURCE}:{os.urandom(16).hex()}"
        self._position = 0

    def connect(self, submit: Callable[[list[Alert]], None]) -> None:
        """Hands over what was reported so far, and from now on every alert as it comes.

        Args:
            submit: takes alerts for delivery, from any thread, without waiting.
        """
        with self._lock:
            early, self._early, self._submit = self._early, [], submit
        if early:
            submit(early)

    def report(self, rule: str, message: str, *, priority: Priority | None = None, fields: Mapping[str, Any]) -> None:
        """Makes an alert, or counts it for the next one of this rule. Callable from any thread; never raises for what it is told.

        Args:
            rule: a name of `RULES`; any other is taken as it is, with the priority Error.
            message: one line.
            priority: urgency; None for the rule's own.
            fields: name -> value for the alert's fields, in JSON's types.
        """
        if priority is None:
            priority = RULES[rule].priority if rule in RULES else Priority.ERROR
        with self._lock:
            now = self._clock()
            state = self._states.setdefault(rule, _State(TokenBucket(BURST, REFILL, now)))
            if not state.bucket.take(now):
                state.waiting += 1
                state.last = (message, priority, dict(fields))
                state.counters.held_back += 1
                return
            alert = self._make(rule, state, message, priority, fields)
        self._send([alert])

    def flush(self, *, final: bool = False) -> None:
        """Reports the last one of those that were held back, with their number, for rules that may report again.

        Args:
            final: do not wait until they may.
        """
        alerts = []
        with self._lock:
            now = self._clock()
            for rule, state in self._states.items():
                last = state.last
                if last is None or not (final or state.bucket.take(now)):
                    continue
                state.waiting -= 1  # this one is told itself
                state.counters.held_back -= 1
                message, priority, fields = last
                alerts.append(self._make(rule, state, message, priority, fields))
        self._send(alerts)

    def counters(self) -> Mapping[str, InternalCounters]:
        """Rule -> its counters, for those that were reported."""
        with self._lock:
            return {rule: state.counters for rule, state in self._states.items()}

    def _make(self, rule: str, state: _State, message: str, priority: Priority, fields: Mapping[str, Any]) -> Alert:
        held_back, state.waiting, state.last = state.waiting, 0, None
        found = {name: self._cleaned(value) for name, value in fields.items()}
        message = self._clean(message)
        if held_back:
            message = f"{message} (and {held_back} more like it that were held back)"
            found["internal.held_back"] = held_back
        found["evt.time"] = stamp = time.time_ns()
        self._position += 1
        state.counters.reported += 1
        return Alert(
            id=alert_id(origin=self._origin, position=self._position, rule=rule, view=0),
            rule=rule,
            source=SOURCE,
            priority=priority,
            time=stamp,
            message=f"{rule.removeprefix(PREFIX)}: {message}",
            fields=found,
            tags=(SOURCE,),
            hostname=self._hostname,
        )

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._clean(value)
        return [self._cleaned(each) for each in value] if isinstance(value, list | tuple) else value

    def _send(self, alerts: list[Alert]) -> None:
        """Not under the lock: who takes alerts may have something to report itself."""
        with self._lock:
            if self._submit is None:
                self._early += alerts
                return
            submit = self._submit
        if alerts:
            submit(alerts)
