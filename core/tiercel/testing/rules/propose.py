"""Proposes tests: for each alert that rules raise on decoded events, the event as plain fields with that alert expected.

Stated is what the rule's condition and output read, less what follows from the rest (`tiercel.testing.rules.derive`). The expected text
is what the test itself gives, so that a proposal passes as it is.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import yaml

from tiercel.engine.engine import Engine
from tiercel.engine.nnf import normal_form
from tiercel.event import RawBatch
from tiercel.fields import FieldType, Unknown
from tiercel.lang.ast import Check, FieldRef, reads
from tiercel.lang.canonical import operand_text
from tiercel.lang.hints import checks
from tiercel.testing.rules.clock import START, utc
from tiercel.testing.rules.decoder import StatedEvent, fact_decoder
from tiercel.testing.rules.derive import HOSTNAME, TABLE

if TYPE_CHECKING:
    from tiercel.alert import Alert
    from tiercel.engine.planner import Plan
    from tiercel.event import Event
    from tiercel.ruleset.model import Rule
    from tiercel.testing.facts import FactCatalogue

__all__ = ["MAX_PROPOSALS", "Proposal", "Proposer", "as_yaml"]

MAX_PROPOSALS: Final = 100
"""Of one run; further alerts are counted."""
TYPE: Final = FieldRef("evt.type")
_CLOCK: Final = ("evt.time", "evt.datetime", "evt.rawtime")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A test for one alert.

    Attributes:
        event: number of the event.
        at: when it was, nanoseconds since the epoch; None if the rule does not read the clock.
        facts: value by field, as a test states it.
        alert: the alert that the facts raise; None if they raise none, because a fact was not known.
        rule: name of the rule.
    """

    event: int
    at: int | None
    facts: Mapping[str, Any]
    alert: Alert | None
    rule: str


class Proposer:
    """Proposes tests for the alerts of one run.

    Args:
        rules: the rules of the source that run, in matching order.
        plan: these rules, planned for the events.
        stated: these rules, planned for plain fields.
        facts: the catalogue for plain fields.
        source: event source.
        matching: ``first`` or ``all``.
    """

    def __init__(
        self, rules: Sequence[Rule], *, plan: Plan, stated: Plan, facts: FactCatalogue, source: str, matching: str = "first"
    ) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._engine = Engine(plan, matching=cast("Literal['first', 'all']", matching), hostname="", origin="")
        self._live = plan.sources[source].generator
        self._stated_plan = stated
        self._stated = stated.sources[source].generator
        self._facts = facts
        self._source = source
        self._order = {row.name: number for number, row in reversed(list(enumerate(TABLE)))}
        self.more = 0
        """Alerts beyond `MAX_PROPOSALS`."""

    def propose(self, events: Iterable[Event], *, only: str | None = None) -> Iterator[Proposal]:
        """Proposals, each once: alerts of events that look alike to the rule make one.

        Args:
            events: decoded events.
            only: name of the rule that is wanted; None for all.
        """
        seen: set[tuple[str, str]] = set()
        for event in events:
            for alert in self._engine.evaluate(event):
                if only not in (None, alert.rule):
                    continue
                if len(seen) >= MAX_PROPOSALS:
                    self.more += 1
                    continue
                found = self._proposal(event, self._rules[alert.rule])
                key = (found.rule, repr(found.facts))
                if key not in seen:
                    seen.add(key)
                    yield found

    def _proposal(self, event: Event, rule: Rule) -> Proposal:
        refs = _refs(rule)
        holds = self._live.condition(normal_form(rule.condition), may=False)
        for view in range(event.views):  # paths as the rule saw them
            event.select(view)
            if holds(event):
                break
        values = {ref: self._live.value(ref)(event) for ref in refs}
        event.select(0)
        values = {ref: None if isinstance(value, Unknown) else value for ref, value in values.items()}
        names = {self._stated.groups.field(ref).name for ref in refs}
        timed = any(name.startswith(_CLOCK) for name in names) or any(self._stated.groups.field(r).type is FieldType.TIME for r in refs)
        at = event.time if timed else None
        facts = self._reduced(values, START if at is None else at)
        [again] = self._decoded(facts, START if at is None else at)
        alerts = Engine(self._stated_plan, matching="all", hostname=HOSTNAME, origin="").evaluate(again)
        return Proposal(event.number, at, facts, next((each for each in alerts if each.rule == rule.name), None), rule.name)

    def _reduced(self, values: Mapping[FieldRef, Any], time: int) -> dict[str, Any]:
        """The facts less what is missing or follows from the others."""
        facts = {operand_text(ref): _as_stated(value, self._stated.groups.field(ref).type) for ref, value in values.items()}
        wanted = {ref: self._seen(facts, time, ref) for ref in values}
        for name in sorted(facts, key=lambda name: (facts[name] is not None, self._order.get(name, -1))):
            if name == operand_text(TYPE):
                continue
            rest = {key: value for key, value in facts.items() if key != name}
            if all(self._seen(rest, time, ref) == value for ref, value in wanted.items()):
                facts = rest
        return facts

    def _seen(self, facts: Mapping[str, Any], time: int, ref: FieldRef) -> Any:
        [event] = self._decoded(facts, time)
        return self._stated.value(ref)(event)

    def _decoded(self, facts: Mapping[str, Any], time: int) -> Iterator[Event]:
        return fact_decoder(self._source, self._facts).decode(RawBatch(self._source, [StatedEvent(time, facts)]))


def _refs(rule: Rule) -> list[FieldRef]:
    """All fields that a rule reads or prints, and the event's type."""
    printed = [ref for field in rule.output.fields for ref in reads(field.operand)]
    conditions = [each for each in checks(rule.condition) if isinstance(each, Check)]  # macros are filled in
    read = [ref for check in conditions for side in (check.left, check.right) for ref in reads(side)]
    return list(dict.fromkeys([TYPE, *read, *printed]))


def _as_stated(value: Any, kind: FieldType) -> Any:
    """A value as test files write it."""
    if isinstance(value, tuple | list):
        return ["" if each is None else _as_stated(each, kind) for each in value]
    if isinstance(value, bytes):
        if kind in (FieldType.IP, FieldType.NET):
            return socket.inet_ntop(socket.AF_INET if len(value) == 4 else socket.AF_INET6, value)
        return value.decode("utf-8", "replace")
    # What is no UTF-8 cannot stand in YAML.
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if isinstance(value, str) else value


def as_yaml(proposals: Iterable[Proposal], *, rules: Sequence[str], source: str) -> str:
    """The proposals as a test file.

    Args:
        proposals: the tests.
        rules: what the file says of its rules.
        source: event source.
        matching: ``first`` or ``all``.
    """
    tests: list[dict[str, Any]] = []
    for number, each in enumerate(proposals, 1):
        event = {**each.facts, **({} if each.at is None else {"at": _iso(each.at)})}
        test: dict[str, Any] = {"name": f"{each.rule} ({number})", "events": [event]}
        if each.alert is None:
            test |= {"name": f"{each.rule} ({number}, not all facts were known)", "expect_none": True}
        else:
            test["expect"] = [{"rule": each.rule, "priority": each.alert.priority.label, "output": each.alert.message}]
        tests.append(test)
    document = {"rules": list(rules), **({} if source == "syscall" else {"source": source}), "tests": tests}
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return text


def _iso(time: int) -> str:
    return f"{utc(time, '%Y-%m-%dT%H:%M:%S')}.{time % 10**9 // 1_000:06d}Z"
