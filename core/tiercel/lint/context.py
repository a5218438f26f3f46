"""What the checks of lint share: the rules, what is known of fields and event types, and a refuter for each event source."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tiercel.engine.groups import Groups
from tiercel.engine.nnf import normal_form
from tiercel.engine.tree import Tree
from tiercel.errors import Diagnostic
from tiercel.lang.ast import And, Check, Node, Not
from tiercel.lang.view import FieldsView
from tiercel.lint.refute import Refuter
from tiercel.ruleset.model import Rule, RuleException, RuleSet

__all__ = ["Context", "base_condition", "excluded", "finding"]


class Context:
    """The rules under lint.

    Args:
        rules: what was loaded.
        catalogue: the fields.
        event_types: names of event types by event source; sources that do not know them ahead are left out.
        progress: called with the share that is done.

    Attributes:
        rules: what was loaded.
        event_types: see above.
        progress: see above.
    """

    def __init__(
        self,
        rules: RuleSet,
        catalogue: FieldsView,
        event_types: Mapping[str, frozenset[str]],
        *,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self.rules = rules
        self.progress = progress or _silent
        self.event_types = event_types
        self._catalogue = catalogue
        self._groups: dict[str, Groups] = {}
        self._refuters: dict[str, Refuter] = {}
        self._forms: dict[str, Tree[Check]] = {}
        self._never: dict[str, str | None] = {}

    def groups(self, source: str) -> Groups:
        """Look-ups of fields for an event source."""
        if source not in self._groups:
            self._groups[source] = Groups(self._catalogue, source)
        return self._groups[source]

    def refuter(self, source: str) -> Refuter:
        """The refuter for an event source."""
        if source not in self._refuters:
            self._refuters[source] = Refuter(self.groups(source).lookup, event_types=self.event_types.get(source))
        return self._refuters[source]

    def form(self, rule: Rule) -> Tree[Check]:
        """The condition of a rule in negation normal form."""
        if rule.name not in self._forms:
            self._forms[rule.name] = normal_form(rule.condition)
        return self._forms[rule.name]

    def never(self, rule: Rule) -> str | None:
        """Why no event satisfies a rule, all fields taken to have values; None if one may."""
        if rule.name not in self._never:
            self._never[rule.name] = self.refuter(rule.source).refute(self.form(rule))
        return self._never[rule.name]


def _silent(_: float) -> None:
    """Shows nothing."""


def finding(rule: Rule, code: str, message: str, *, of: RuleException | None = None) -> Diagnostic:
    """A finding about a rule, or about one of its exceptions."""
    if of is None:
        return Diagnostic(rule.file, rule.line, 1, code, f'rule "{rule.name}": {message}', warning=True)
    where = f'rule "{rule.name}": exception "{of.name}": '
    return Diagnostic(of.file or rule.file, of.line or rule.line, 1, code, where + message, warning=True)


def base_condition(rule: Rule) -> Node:
    """The condition of a rule without its exceptions."""
    count = len(excluded(rule))
    if not count or not isinstance(rule.condition, And):
        return rule.condition
    operands = rule.condition.operands[:-count]
    return operands[0] if len(operands) == 1 else And(operands)


def excluded(rule: Rule) -> list[tuple[RuleException, Node]]:
    """The exceptions of a rule that have values, each with what it excludes."""
    exceptions = [each for each in rule.exceptions if each.condition]
    operands = rule.condition.operands if isinstance(rule.condition, And) else ()
    if not exceptions or len(operands) <= len(exceptions):
        return []
    nodes = operands[-len(exceptions) :]  # they stand behind the condition, in their order
    found = [(each, node.operand) for each, node in zip(exceptions, nodes, strict=True) if isinstance(node, Not)]
    return found if len(found) == len(exceptions) else []
