"""The mutation check: which mutants of rules does no test tell from the rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tiercel.engine.engine import Engine
from tiercel.errors import UserError
from tiercel.testing.rules.bench import OVERRIDES
from tiercel.testing.rules.compare import Raised, compare
from tiercel.testing.rules.mutants import Mutant, mutants
from tiercel.testing.rules.stage import events

if TYPE_CHECKING:
    from tiercel.alert import Alert
    from tiercel.testing.facts import FactEvent
    from tiercel.testing.rules.bench import Suite
    from tiercel.testing.rules.model import Accepted, RuleTest

__all__ = ["Verdicts", "mutate"]


@dataclass(slots=True)
class Verdicts:
    """What became of the mutants of one rule.

    Attributes:
        rule: name of the rule.
        killed: those that a test told from the rule.
        accepted: those that live and may.
        living: those that live.
        stale: entries of lists of accepted mutants that name none, or one that is killed, with their files.
    """

    rule: str
    killed: list[Mutant] = field(default_factory=list)
    accepted: list[Mutant] = field(default_factory=list)
    living: list[Mutant] = field(default_factory=list)
    stale: list[tuple[str, Accepted]] = field(default_factory=list)

    @property
    def fine(self) -> bool:
        """True if nothing lives that must not, and nothing is accepted in vain."""
        return not self.living and not self.stale


def mutate(
    suites: Sequence[Suite], wanted: Iterable[str] = (), *, progress: Callable[[float], None] | None = None
) -> list[Verdicts]:  # fmt: skip
    """Tries all mutants of rules against all tests.

    Args:
        suites: loaded with origins.
        wanted: names of rules; none for all that run.
        progress: called with the share that is done.

    Raises:
        tiercel.UserError: a test fails as it is.
    """
    tried: dict[str, dict[tuple[object, ...], tuple[Mutant, bool]]] = {}
    names = frozenset(wanted)
    total, done = sum(len(suite.rules) for suite in suites), 0
    for suite in suites:
        trial = _Trial(suite)
        for rule in suite.rules:
            if progress is not None:
                progress(done / total)
            done += 1
            if names and rule.name not in names:
                continue
            of_rule = tried.setdefault(rule.name, {})
            for mutant in mutants(rule, known=suite.event_types):
                killed = mutant.key in of_rule and of_rule[mutant.key][1]
                if not killed and not mutant.origin.file.endswith(OVERRIDES):
                    of_rule[mutant.key] = mutant, trial.kills(mutant)
    return [_verdicts(rule, list(found.values()), suites) for rule, found in tried.items()]


def _verdicts(rule: str, found: list[tuple[Mutant, bool]], suites: Sequence[Suite]) -> Verdicts:
    accepted = [(str(suite.file.path), each) for suite in suites for each in suite.file.accepted if each.rule == rule]
    texts = {each.mutant for _, each in accepted}
    verdicts = Verdicts(rule)
    for mutant, killed in found:
        where = verdicts.killed if killed else verdicts.accepted if mutant.text in texts else verdicts.living
        where.append(mutant)
    used = {mutant.text for mutant in verdicts.accepted}
    verdicts.stale = [(file, each) for file, each in accepted if each.mutant not in used]
    return verdicts


class _Trial:
    """The tests of a file, with what the rules say to each event; only the mutant itself is evaluated anew."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._order = {rule.name: number for number, rule in enumerate(suite.rules)}
        engine = Engine(suite.plan, matching="all", hostname="", origin="")
        self._tests: list[tuple[RuleTest, list[tuple[FactEvent, dict[str, Alert]]]]] = []
        for test in suite.file.tests:
            if test.capture is not None:  # too slow to go through once for each mutant
                continue
            judged = [(event, {alert.rule: alert for alert in engine.evaluate(event)}) for event in events(suite, test)]
            if compare(test, self._raised([(event, said) for event, said in judged])):
                msg = f"{suite.file.path}:{test.line}: {test.name}: fails as it is; see `tiercel rules test`"
                raise UserError(msg)
            self._tests.append((test, judged))

    def _raised(self, judged: Iterable[tuple[FactEvent, dict[str, Alert]]]) -> list[Raised]:
        """The alerts, in the order of the rules; under first-match one of each event."""
        first = self._suite.file.matching == "first"
        found = []
        for event, said in judged:
            alerts = sorted(said.values(), key=lambda alert: self._order[alert.rule])
            found += [Raised(event.number, alert) for alert in (alerts[:1] if first else alerts)]
        return found

    def kills(self, mutant: Mutant) -> bool:
        """Whether a test fails with the mutant in place of its rule."""
        engine = Engine(self._suite.planned([mutant.altered]), matching="all", hostname="", origin="")
        for test, judged in self._tests:
            changed = False
            altered = []
            for event, said in judged:
                alert = next(iter(engine.evaluate(event)), None)
                if (alert is None) is (mutant.rule not in said):
                    altered.append((event, said))
                    continue
                changed = True
                others = {name: each for name, each in said.items() if name != mutant.rule}
                altered.append((event, others if alert is None else {**others, mutant.rule: alert}))
            if changed and compare(test, self._raised(altered)):
                return True
        return False
