"""Evaluates events: masks first, then the full conditions of the rules that survive, in rule order."""

from __future__ import annotations

import dataclasses
import operator
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from tiercel.engine.alerts import AlertWriter
from tiercel.engine.cost import EVERY, Decided, sample
from tiercel.engine.program import Program

if TYPE_CHECKING:
    from tiercel.alert import Alert
    from tiercel.engine.planner import Plan
    from tiercel.engine.program import Step
    from tiercel.event import Event

__all__ = ["Engine", "FieldFailures", "RuleCounters"]

_NOTHING: Final[tuple[Alert, ...]] = ()
_NO_RULES: Final = Program(lambda _event: 0, ())
_MAX_TYPES: Final = 4096


@dataclass(frozen=True, slots=True)
class RuleCounters:
    """Counters of one rule since the plan was made. The last five are of samples, see `tiercel.engine.cost.Decided`.

    Attributes:
        matches: events that it matched.
        pending: events with unknown facts that it did not match, but might have.
        failures: failures of computed fields that its condition or output reads.
    """

    matches: int
    pending: int
    failures: int
    by_process: int = 0
    by_scalars: int = 0
    by_places: int = 0
    by_condition: int = 0
    nanoseconds: int = 0

    def __add__(self, other: RuleCounters) -> RuleCounters:
        """Those of both together."""
        return RuleCounters(*map(operator.add, _values(self), _values(other)))


# By name: `dataclasses.astuple` takes ten times as long, and there may be thousands of rules.
_values: Final[Callable[[RuleCounters], tuple[int, ...]]] = operator.attrgetter(*(each.name for each in dataclasses.fields(RuleCounters)))
_sampled: Final[Callable[[Decided], tuple[int, ...]]] = operator.attrgetter(*(each.name for each in dataclasses.fields(Decided)))


def _timed(step: Step, event: Any) -> bool:
    """Evaluates a condition, and notes how long it took."""
    started = time.perf_counter_ns()
    matches = step.matches(event)
    decided = step.state.decided
    decided.nanoseconds += time.perf_counter_ns() - started
    decided.by_condition += 1
    return matches


@dataclass(frozen=True, slots=True)
class FieldFailures:
    """Failures of one computed field.

    Attributes:
        owner: distribution that has the field.
        failures: how often it failed.
        quarantined: true while it is not called.
        error: the last error.
        rules: names of the rules that read or print it.
    """

    owner: str
    failures: int
    quarantined: bool
    error: str
    rules: tuple[str, ...]


class Engine:
    """Judges events by one plan. Not thread-safe: one detect thread owns it."""

    def __init__(self, plan: Plan, *, matching: Literal["first", "all"], hostname: str, origin: str) -> None:
        """Prepares to evaluate.

        Args:
            plan: the plan.
            matching: report the first rule that matches an event, or all of them.
            hostname: name of this host, for alerts.
            origin: `Source.origin` of the source that delivers the events.
        """
        self._plan = plan
        self._all = matching == "all"
        self._programs: dict[str, dict[str, Program]] = {name: {} for name in plan.sources}
        self._writers = {
            state: AlertWriter(state.rule, rules.generator, hostname=hostname, origin=origin)
            for rules in plan.sources.values() for state in rules.states
        }  # fmt: skip

    def evaluate(self, event: Event) -> list[Alert] | tuple[Alert, ...]:
        """The alerts for an event, in rule order; usually none. Path fields show view 0 afterwards."""
        try:
            program = self._programs[event.source][event.type]
        except KeyError:
            program = self._program(event.source, event.type)
        sampled = not event.number % EVERY
        if sampled:
            sample(program, event)
        if event.views > 1:
            return self._evaluate_views(event, program)
        mask = program.masks(event)
        if not mask:
            return _NOTHING
        narrow = program.narrow_pending if event.pending else program.narrow
        if narrow is not None:
            mask = narrow(event, mask)
        steps = program.steps
        alerts: list[Alert] = []
        while mask:
            lowest = mask & -mask
            mask ^= lowest
            step = steps[lowest.bit_length() - 1]
            if _timed(step, event) if sampled else step.matches(event):
                alerts.append(self._alert(step, event, 0))
                if not self._all:
                    break
            elif event.pending and step.may_match(event):
                step.state.undecided += 1
        return alerts

    def _program(self, source: str, event_type: str) -> Program:
        """The program of a type that is seen for the first time."""
        programs = self._programs.get(source)
        if programs is None or not event_type:  # an event without a type only asks for a verdict
            return _NO_RULES
        if len(programs) >= _MAX_TYPES:
            programs.clear()
        program = programs[event_type] = self._plan.sources[source].program(event_type)
        return program

    def _evaluate_views(self, event: Event, program: Program) -> list[Alert] | tuple[Alert, ...]:
        """Like `evaluate` for an event that can be seen in several ways: a rule matches if it does in any view, the first one counts."""
        masks, left = [], 0
        narrow = program.narrow_pending if event.pending else program.narrow
        for view in range(event.views):
            event.select(view)
            mask = program.masks(event)
            if mask and narrow is not None:
                mask = narrow(event, mask)
            masks.append(mask)
            left |= mask
        alerts: list[Alert] = []
        while left:
            lowest = left & -left
            left ^= lowest
            step = program.steps[lowest.bit_length() - 1]
            undecided = False
            for view, mask in enumerate(masks):
                if not mask & lowest:
                    continue
                event.select(view)
                if step.matches(event):
                    alerts.append(self._alert(step, event, view))
                    undecided = False
                    break
                undecided = undecided or (event.pending and step.may_match(event))
            step.state.undecided += undecided
            if alerts and not self._all:
                break
        event.select(0)
        return alerts

    def _alert(self, step: Step, event: Event, view: int) -> Alert:
        step.state.matches += 1
        return self._writers[step.state].write(event, view)

    def counters(self) -> Mapping[str, RuleCounters]:
        """Rule -> its counters."""
        return {
            state.rule.name: RuleCounters(state.matches, state.undecided, rules.failures_of(state), *_sampled(state.decided))
            for rules in self._plan.sources.values()
            for state in rules.states
        }

    def failures(self) -> Mapping[tuple[str, str], FieldFailures]:
        """(Event source, computed field) -> its failures, for those that failed."""
        return {
            (source, name): FieldFailures(guard.field.owner, guard.failures, guard.quarantined, guard.error, rules.readers(name))
            for source, rules in self._plan.sources.items()
            for name, guard in list(rules.generator.guards.items())
            if guard.failures
        }

    def watch_fields(self, *, on: bool) -> None:
        """Has the calls of computed fields timed from now on, or not any more (`tiercel.engine.guard`)."""
        for rules in self._plan.sources.values():
            for guard in rules.generator.guards.values():
                guard.watch(on=on)
