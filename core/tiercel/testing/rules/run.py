"""Runs tests on the production engine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from tiercel.engine.engine import Engine
from tiercel.testing.rules.compare import Raised, compare
from tiercel.testing.rules.derive import HOSTNAME
from tiercel.testing.rules.explain import Explainer
from tiercel.testing.rules.report import describe
from tiercel.testing.rules.stage import stage

if TYPE_CHECKING:
    from tiercel.testing.rules.bench import Suite
    from tiercel.testing.rules.model import RuleTest

__all__ = ["Outcome", "alerts", "run"]


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


def alerts(suite: Suite, test: RuleTest) -> list[Raised]:
    """The alerts that the events of a test raise.

    Raises:
        tiercel.UserError: its capture cannot be read.
    """
    matching = cast("Literal['first', 'all']", suite.file.matching)
    with stage(suite, test) as on:
        engine = Engine(on.plan, matching=matching, hostname=HOSTNAME, origin="test")
        return [Raised(event.number, alert) for event in on.events for alert in engine.evaluate(event)]


def run(suite: Suite, test: RuleTest) -> Outcome:
    """Runs a test. Raises `tiercel.UserError` if its capture cannot be read."""
    begin = time.perf_counter()
    differences = compare(test, alerts(suite, test))
    problems: tuple[str, ...] = ()
    if differences:
        explainer = Explainer(suite, test)
        problems = tuple(describe(each, explainer) for each in differences)
    return Outcome(suite, test, problems, time.perf_counter() - begin)
