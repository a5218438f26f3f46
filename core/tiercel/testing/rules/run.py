"""Runs tests on the production engine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from tiercel.engine.engine import Engine
from tiercel.event import RawBatch
from tiercel.testing.rules.compare import Raised, compare
from tiercel.testing.rules.decoder import fact_decoder
from tiercel.testing.rules.derive import HOSTNAME
from tiercel.testing.rules.explain import Explainer
from tiercel.testing.rules.report import describe

if TYPE_CHECKING:
    from tiercel.testing.facts import FactEvent
    from tiercel.testing.rules.bench import Suite
    from tiercel.testing.rules.model import RuleTest

__all__ = ["Outcome", "alerts", "events", "run"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a test.

    Attributes:
        suite: its file.
        test: the test.
        problems: what is wrong, of each a text of several lines; none if it passed.
        seconds: how long it took.
    """

    suite: Suite
    test: RuleTest
    problems: tuple[str, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """True if nothing is wrong."""
        return not self.problems


def events(suite: Suite, test: RuleTest) -> Iterator[FactEvent]:
    """The events of a test, decoded."""
    decoder = fact_decoder(suite.file.source, suite.facts)
    decoder.open(suite.plan.source(suite.file.source), lambda: None)
    return decoder.decode(RawBatch(suite.file.source, test.events))


def alerts(suite: Suite, test: RuleTest) -> list[Raised]:
    """The alerts that the events of a test raise."""
    matching = cast("Literal['first', 'all']", suite.file.matching)
    engine = Engine(suite.plan, matching=matching, hostname=HOSTNAME, origin="test")
    return [Raised(event.number, alert) for event in events(suite, test) for alert in engine.evaluate(event)]


def run(suite: Suite, test: RuleTest) -> Outcome:
    """Runs a test."""
    begin = time.perf_counter()
    differences = compare(test, alerts(suite, test))
    problems: tuple[str, ...] = ()
    if differences:
        explainer = Explainer(suite, list(events(suite, test)))
        problems = tuple(describe(each, explainer) for each in differences)
    return Outcome(suite, test, problems, time.perf_counter() - begin)
