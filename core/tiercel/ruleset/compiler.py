"""Puts lists, macros and rules together: what `tiercel.ruleset.loader` does once all files are read."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

from tiercel.lang.ast import Node
from tiercel.lang.evttypes import event_types
from tiercel.lang.formats import REMOVED, Format, FormatError, parse_format
from tiercel.lang.hints import is_deprecated
from tiercel.lang.view import FieldsView
from tiercel.registry import suggest
from tiercel.ruleset.conditions import Condition, read_condition
from tiercel.ruleset.items import Definition, ListItem, MacroItem, RuleItem
from tiercel.ruleset.lists import resolve_lists
from tiercel.ruleset.model import Rule
from tiercel.ruleset.origins import origins
from tiercel.ruleset.places import Reports
from tiercel.ruleset.trees import Size, expand, measure, over_limit

__all__ = ["Compiler"]

AnyDefinition = TypeVar("AnyDefinition", bound=Definition)

VALIDATE: Final = "LOAD_ERR_VALIDATE"
MANY_TYPES: Final = 50
"""More event types than this are as good as all: Falco counts 100 codes, and calls have one for enter and one for exit."""


class Compiler:
    """One load.

    Args:
        lists: all lists by name.
        macros: all macros by name.
        rules: all rules by name.
        reports: takes the problems.
        catalogue: the fields.
        event_types: names of event types by event source.
        with_origins: fill in `Rule.origins`.
    """

    def __init__(
        self, *, lists: Mapping[str, ListItem], macros: Mapping[str, MacroItem], rules: Mapping[str, RuleItem],
        reports: Reports, catalogue: FieldsView, event_types: Mapping[str, frozenset[str]], with_origins: bool = False,
    ) -> None:  # fmt: skip
        self.lists = lists
        self.macros = macros
        self.rules = rules
        self.reports = reports
        self.catalogue = catalogue
        self.event_types = event_types
        self.with_origins = with_origins
        self.used_lists: set[str] = set()
        self.used_macros: set[str] = set()
        self.conditions: dict[str, Condition] = {}
        """Those of macros that parse, by name."""
        self.sizes: dict[str, Size] = {}
        """Of macros that can be used, by name; each comes after those that it uses."""
        self.outputs: dict[str, Format | None] = {}
        """Of rules, by name."""

    def compile(self) -> list[Rule]:
        """The rules in matching order; those for which errors were reported are left out."""
        texts, self.used_lists = resolve_lists(self.lists.values())
        for macro in _ordered(self.macros.values()):
            condition = self._read(macro, texts)
            if condition is not None:
                self.conditions[macro.name] = condition
        self._link_macros()
        per_source: dict[str, list[Condition]] = {}
        for rule in _ordered(self.rules.values()):
            self.outputs[rule.name] = self._output(rule)
            condition = self._read(rule, texts)
            if condition is not None:
                per_source.setdefault(rule.source, []).append(condition)
        compiled = [rule for source, conditions in per_source.items() for rule in self._rules_of(source, conditions)]
        self._unused()
        return sorted(compiled, key=lambda rule: self.rules[rule.name].index)

    def _read(self, item: MacroItem | RuleItem, lists: Mapping[str, str]) -> Condition | None:
        condition = read_condition(item, lists, self.reports)
        if condition is not None:
            self.used_lists |= condition.filled.used
            self.used_macros.update(ref.name for ref in condition.macros)
        return condition

    # ------------------------------------------------------------------------------------------------------------------ macros

    def _link_macros(self) -> None:
        """Finds out which macros can be used, in an order in which each comes after those that it uses."""
        usable = {name: each for name, each in self.conditions.items() if self._resolves(each)}
        while True:
            graph = {name: [ref.name for ref in each.macros if ref.name in usable] for name, each in usable.items()}
            try:
                order = list(graphlib.TopologicalSorter(graph).static_order())
                break
            except graphlib.CycleError as error:
                self._report_circle(error.args[1], usable)
        for name in order:
            if self._fits(usable[name]):
                self.sizes[name] = measure(usable[name].tree, self.sizes.__getitem__)

    def _report_circle(self, circle: list[str], usable: dict[str, Condition]) -> None:
        """Reports macros that use each other, once each, and takes them out."""
        names = circle[:0:-1]  # the first is the last again, and each is used by the one behind it
        for at, name in enumerate(names):
            chain = [*names[at:], *names[:at], name]
            condition = usable.pop(name)
            ref = next(ref for ref in condition.macros if ref.name == chain[1])
            condition.report(self.reports, f"reference loop in macro '{name}' ({' -> '.join(chain)})", ref.position, code=VALIDATE)

    def _resolves(self, condition: Condition) -> bool:
        """Whether all macros that a condition names exist where it can see them; reports those that do not."""
        fine = True
        for ref in condition.macros:
            macro = self.macros.get(ref.name)
            if macro is not None and macro.index < condition.item.visibility:
                continue
            fine = False
            message = f"Undefined macro '{ref.name}' used in filter."
            if macro is None:
                message += suggest(ref.name, self.macros)
            elif macro is condition.item:
                message = f"reference loop in macro '{ref.name}'"
            else:
                message += f" (it is defined too late, in {macro.file.name}:{macro.node.place.line + 1}; move it up)"
            condition.report(self.reports, message, ref.position, code=VALIDATE)
        return fine

    def _fits(self, condition: Condition) -> bool:
        """Whether all macros of a condition can be used and the whole is within the limits; reports if the limits are not kept."""
        if not all(ref.name in self.sizes for ref in condition.macros):
            return False  # what is wrong with the macro was reported
        problem = over_limit(measure(condition.tree, self.sizes.__getitem__))
        if problem:
            condition.report(self.reports, problem, 0)
        return not problem

    # ------------------------------------------------------------------------------------------------------------------- rules

    def _rules_of(self, source: str, conditions: list[Condition]) -> Iterator[Rule]:
        """The rules of an event source."""
        types = self.event_types.get(source)
        macros = self._macros_for(source, conditions, types)
        for condition in conditions:
            item, output = condition.item, self.outputs[condition.item.name]
            assert isinstance(item, RuleItem)
            usable = self._resolves(condition) and self._fits(condition)
            checked = condition.check(self.reports, self.catalogue, source, types)
            if not usable or checked is None or output is None or item.broken or not all(ref.name in macros for ref in condition.macros):
                continue
            tree = expand(checked, macros)
            matched = event_types(tree, known=types)
            if item.warn_evttypes and source == "syscall" and (matched is None or len(matched) > MANY_TYPES):
                message = f'rule "{item.name}": Rule matches too many evt.type values. This has a significant performance penalty.'
                self.reports.at_offset(item.file, condition.scalar, 0, "LOAD_NO_EVTTYPE", message, warning=True)
            yield Rule(
                name=item.name, description=item.description, condition=tree, condition_text=condition.scalar.value.strip(),
                output=output, priority=item.priority, source=source, tags=item.tags, enabled=item.enabled, event_types=matched,
                file=item.file.name, line=item.node.place.line + 1,
                origins=tuple(origins(condition, self.conditions)) if self.with_origins else (),
            )  # fmt: skip

    def _macros_for(self, source: str, conditions: list[Condition], types: frozenset[str] | None) -> dict[str, Node]:
        """The trees of all macros that the rules of an event source use, checked for it. Those that cannot be used are left out."""
        wanted: set[str] = set()
        pending = [ref.name for condition in conditions for ref in condition.macros]
        while pending:
            name = pending.pop()
            if name in self.conditions and name not in wanted:
                wanted.add(name)
                pending.extend(ref.name for ref in self.conditions[name].macros)
        checked = {name: self.conditions[name].check(self.reports, self.catalogue, source, types) for name in sorted(wanted)}
        trees: dict[str, Node] = {}
        for name in self.sizes:
            tree = checked.get(name)
            if tree is not None and all(ref.name in trees for ref in self.conditions[name].macros):
                trees[name] = expand(tree, trees)
        return trees

    def _output(self, item: RuleItem) -> Format | None:
        """The parsed output of a rule; None if there are errors."""
        scalar = item.output
        if scalar is None:
            return None
        text = scalar.value.strip()
        before = len(scalar.value) - len(scalar.value.lstrip())
        where = f'rule "{item.name}": output: '
        try:
            output = parse_format(text, self.catalogue, item.source)
        except FormatError as error:
            for message, offset in error.problems:
                self.reports.at_offset(item.file, scalar, before + offset, "LOAD_ERR_COMPILE_OUTPUT", f"{where}{message}")
            return None
        if output.text != text:
            message = f"{where}{REMOVED} has been deprecated and is left out; name the fields that you want, such as %container.id"
            self.reports.at_node(item.file, scalar, "LOAD_DEPRECATED_ITEM", message, warning=True)
        for field in filter(is_deprecated, (field.name for field in output.fields)):
            message = f"{where}usage of deprecated field '{field}' has been detected in the rule output"
            self.reports.at_node(item.file, scalar, "LOAD_DEPRECATED_ITEM", message, warning=True)
        return output

    def _unused(self) -> None:
        for item in (*_ordered(self.lists.values()), *_ordered(self.macros.values())):
            kind, used = ("list", self.used_lists) if isinstance(item, ListItem) else ("macro", self.used_macros)
            if item.name not in used:
                message = f'{kind} "{item.name}": not used by any rule'
                self.reports.at_node(item.file, item.node, f"LOAD_UNUSED_{kind.upper()}", message, warning=True)


def _ordered(items: Iterable[AnyDefinition]) -> list[AnyDefinition]:
    return sorted(items, key=lambda item: item.index)
