"""Puts lists, macros and rules together, file by file, as Falco does (rule language, section 6).

After each file everything so far must compile; but only what a file changed, or what uses something that it changed, is compiled again.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Final

from tiercel.lang.ast import Node
from tiercel.lang.evttypes import event_types
from tiercel.lang.view import FieldsView
from tiercel.ruleset import exceptions
from tiercel.ruleset.conditions import Condition, read_condition, written_text
from tiercel.ruleset.items import RuleItem
from tiercel.ruleset.lists import Lists
from tiercel.ruleset.macros import CheckedMacro, Macros
from tiercel.ruleset.merging import Changes, Definitions
from tiercel.ruleset.model import Rule
from tiercel.ruleset.origins import origins
from tiercel.ruleset.outputs import Output, read_output
from tiercel.ruleset.places import Reports
from tiercel.ruleset.substitution import DELIMITERS
from tiercel.ruleset.trees import Size, expand

__all__ = ["Compiler"]

MANY_TYPES: Final = 50
"""More event types than this are as good as all: Falco counts 100 codes, and calls have one for enter and one for exit."""
MAX_TOTAL_CHECKS: Final = 500_000
"""Checks of all rules with their macros."""
_WORD: Final = re.compile(f"[^{re.escape(DELIMITERS)}]+")


class Compiler:
    """One load.

    Args:
        definitions: of all files so far.
        reports: takes the problems.
        catalogue: the fields.
        event_types: names of event types by event source.
        macro_places: where the macros of all files are defined first, "file:line" by name.
        with_origins: fill in `Rule.origins`.
    """

    def __init__(
        self, *, definitions: Definitions, reports: Reports, catalogue: FieldsView, event_types: Mapping[str, frozenset[str]],
        macro_places: Mapping[str, str], with_origins: bool = False,
    ) -> None:  # fmt: skip
        self.definitions = definitions
        self.reports = reports
        self.catalogue = catalogue
        self.event_types = event_types
        self.with_origins = with_origins
        self.lists = Lists(reports)
        self.macros = Macros(
            reports=reports, lists=self.lists, catalogue=catalogue, event_types=event_types, places=macro_places
        )  # fmt: skip
        self.compiled: dict[str, Rule] = {}
        self.conditions: dict[str, Condition] = {}
        """Of rules that parse, by name."""
        self._rule_users: dict[str, set[str]] = {}
        """Name of a macro -> rules that name it."""
        self._macros_with: dict[str, set[str]] = {}
        """Word -> macros in whose condition it stands."""
        self._rules_with: dict[str, set[str]] = {}
        self._checks = 0

    def update(self, changes: Changes) -> None:
        """Compiles what a file changed, and everything that it has an effect on."""
        definitions = self.definitions
        words = self.lists.update(definitions.lists, changes.lists)
        macros = set(changes.macros)
        rules = set(changes.rules)
        for word in words:
            macros |= self._macros_with.get(word, set())
            rules |= self._rules_with.get(word, set())
        affected = self.macros.update(definitions.macros, macros)
        for name in affected:
            rules |= self._rule_users.get(name, set())
            condition = self.macros.conditions.get(name)
            if condition is not None and name in macros:
                self._remember(condition, self._macros_with)
        for rule in sorted((definitions.rules[name] for name in rules), key=lambda rule: rule.index):
            if self.reports.full:
                return
            self.compiled.pop(rule.name, None)
            self.conditions.pop(rule.name, None)
            if not rule.unknown_source:
                self._rule(rule)

    def _remember(self, condition: Condition, where: dict[str, set[str]]) -> None:
        """Notes the words of a condition, for when a list of that name comes or changes."""
        for word in set(_WORD.findall(condition.text)):
            where.setdefault(word, set()).add(condition.item.name)

    def rules(self) -> tuple[Rule, ...]:
        """The rules in matching order; those for which errors were reported are left out."""
        items = self.definitions.rules
        return tuple(sorted(self.compiled.values(), key=lambda rule: items[rule.name].index))

    def _rule(self, item: RuleItem) -> None:
        """Compiles one rule."""
        reports = Reports()
        output = read_output(item, reports, self.catalogue)
        unknown = output.unknown
        problems = [(each.name, problem) for each in item.exceptions for problem in exceptions.problems(item, each, self.catalogue)]
        for name, problem in problems:
            message = f'rule "{item.name:.200}": exception "{name:.200}": {problem.message}'
            reports.at_node(problem.where.file, problem.where.node, "LOAD_ERR_VALIDATE", message)
            unknown = unknown or problem.unknown
        # With wrong exceptions there is no rule, but what is wrong with the rest of it can be said.
        sound = dataclasses.replace(item, exceptions=[]) if problems else item
        condition = read_condition(sound, self.lists, reports)
        rule, names, macros = None, list[str](), dict[str, CheckedMacro]()
        if condition is not None:
            self._remember(condition, self._rules_with)
            self.conditions[item.name] = condition
            for ref in condition.macros:
                self._rule_users.setdefault(ref.name, set()).add(item.name)
            names = self.macros.closure(condition)
            macros = self.macros.checked(names, item.source)
            rule, names_unknown = self._condition(sound, condition, reports, output, macros)
            unknown = unknown or names_unknown or any(each.unknown for each in macros.values())
        if item.skip_if_unknown_filter and unknown:
            reason = reports.errors[0].message if reports.errors else "one of its macros does"
            message = f'rule "{item.name:.200}": left out, because it names what does not exist here: {reason}'
            self.reports.at_node(item.file, item.node, "LOAD_UNKNOWN_FILTER", message, warning=True)
            return
        self.macros.speak(names)
        for each in macros.values():
            self.reports.take(each.reports)
        self.reports.take(reports)
        if rule is not None and not item.broken and not problems:
            self.compiled[item.name] = rule

    def _condition(
        self, item: RuleItem, condition: Condition, reports: Reports, output: Output, macros: Mapping[str, CheckedMacro]
    ) -> tuple[Rule | None, bool]:
        """The rule of a condition, None if there are errors; and whether the condition names what does not exist."""
        types = self.event_types.get(item.source)
        size = self.macros.size(condition, reports) if self.macros.resolves(condition, reports) else None
        checked, unknown = condition.check(reports, self.catalogue, item.source, types)
        trees = {name: each.tree for name, each in macros.items() if each.tree is not None}
        usable = size is not None and all(ref.name in trees for ref in condition.macros)
        if not usable or size is None or checked is None or output.format is None or not self._within_limits(condition, size, reports):
            return None, unknown
        tree = expand(checked, trees)
        matched = event_types(tree, known=types)
        if item.warn_evttypes and item.source == "syscall" and (matched is None or len(matched) > MANY_TYPES):
            message = "Rule matches too many evt.type values. This has a significant performance penalty."
            condition.report(reports, message, 0, code="LOAD_NO_EVTTYPE", warning=True)
        return self._made(item, condition, tree, output, matched), unknown

    def _within_limits(self, condition: Condition, size: Size, reports: Reports) -> bool:
        self._checks += size.checks
        if self._checks <= MAX_TOTAL_CHECKS:
            return True
        message = f"all rules together are too large (expected at most {MAX_TOTAL_CHECKS:,} checks, macros included)"
        condition.report(reports, message, 0)
        return False

    def _made(self, item: RuleItem, condition: Condition, tree: Node, output: Output, matched: frozenset[str] | None) -> Rule:
        assert output.format is not None  # else the rule is not made
        return Rule(
            name=item.name, description=" ".join(item.descriptions), condition=tree, condition_text=written_text(item.conditions),
            output=output.format, output_text=written_text(item.outputs), priority=item.priority, source=item.source, tags=item.tags,
            enabled=item.enabled, capture=item.capture, capture_duration=item.capture_duration, warn_evttypes=item.warn_evttypes,
            skip_if_unknown_filter=item.skip_if_unknown_filter,
            exceptions=tuple(exceptions.describe(each) for each in item.exceptions),
            lists=condition.filled.used, macros=tuple(ref.name for ref in condition.macros), event_types=matched,
            file=item.file.name, line=item.node.place.line + 1,
            origins=tuple(origins(condition, self.macros.conditions)) if self.with_origins else (),
        )  # fmt: skip
