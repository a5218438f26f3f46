"""Loads rule files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from tiercel.errors import Diagnostic, RuleError
from tiercel.lang.view import FieldsView
from tiercel.registry import suggest
from tiercel.ruleset.compiler import Compiler
from tiercel.ruleset.items import Definition, EnableItem, ListItem, MacroItem, RuleItem
from tiercel.ruleset.model import RuleSet
from tiercel.ruleset.places import Reports, SourceFile
from tiercel.ruleset.reader import read_items

__all__ = ["load"]

AnyDefinition = TypeVar("AnyDefinition", bound=Definition)


def load(
    files: Sequence[tuple[str, str]],
    *,
    catalogue: FieldsView,
    sources: frozenset[str],
    event_types: Mapping[str, frozenset[str]],
    origins: bool = False,
) -> RuleSet:
    """Loads rule files.

    Args:
        files: name and text of each, in order; a later definition of a list, macro or rule takes the place of an earlier one.
        catalogue: the fields.
        sources: the event sources that there are; rules of others are left out, with a warning.
        event_types: names that ``evt.type`` can have, by event source; where a source is missing, any name is accepted.
        origins: fill in `Rule.origins`.

    Raises:
        RuleError: carries everything that is wrong, in all files.
    """
    reports = Reports()
    loader = _Loader(reports, sources)
    for name, text in files:
        loader.read(SourceFile(name, text))
    compiler = Compiler(
        lists=loader.lists,
        macros=loader.macros,
        rules=loader.rules,
        reports=reports,
        catalogue=catalogue,
        event_types=event_types,
        with_origins=origins,
    )
    rules = compiler.compile()
    order = {name: number for number, (name, _) in reversed(list(enumerate(files)))}
    warnings = _sorted(reports.warnings, order)
    if reports.errors:
        raise RuleError([*_sorted(reports.errors, order), *warnings])
    return RuleSet(tuple(rules), warnings)


def _sorted(diagnostics: list[Diagnostic], order: Mapping[str, int]) -> tuple[Diagnostic, ...]:
    """Each once, in the order of the files."""
    return tuple(sorted(dict.fromkeys(diagnostics), key=lambda each: (order[each.file], each.line, each.column)))


class _Loader:
    """Collects the definitions of all files."""

    def __init__(self, reports: Reports, sources: frozenset[str]) -> None:
        self.reports = reports
        self.sources = sources
        self.lists: dict[str, ListItem] = {}
        self.macros: dict[str, MacroItem] = {}
        self.rules: dict[str, RuleItem] = {}
        self.count = 0
        """Definitions so far."""
        self.skipped: set[str] = set()
        """Names of rules of event sources that there are not."""

    def read(self, file: SourceFile) -> None:
        """Takes in the items of a file."""
        rules = []
        for item in read_items(file, self.reports):
            if isinstance(item, ListItem):
                self.define(item, self.lists)
            elif isinstance(item, MacroItem):
                self.define(item, self.macros)
            elif isinstance(item, EnableItem):
                self.enable(item)
            elif self.has_source(item):
                self.define(item, self.rules)
                rules.append(item)
        for rule in rules:
            rule.visibility = self.count + 1

    def define(self, item: AnyDefinition, known: dict[str, AnyDefinition]) -> None:
        """Takes in a definition; one that there is already is replaced and keeps its place."""
        self.count += 1
        before = known.get(item.name)
        item.index = self.count if before is None else before.index
        item.visibility = self.count
        known[item.name] = item

    def has_source(self, item: RuleItem) -> bool:
        """Whether the rule can be loaded; says why not."""
        before = self.rules.get(item.name)
        if before is not None and before.source != item.source and not item.broken:
            message = f'rule "{item.name}": Rule has been re-defined with a different source (got {item.source}, expected {before.source})'
            self.reports.at_node(item.file, item.node, "LOAD_ERR_VALIDATE", message)
            item.broken = True
            return False
        if item.source in self.sources:
            return True
        self.skipped.add(item.name)
        message = f'rule "{item.name}": Unknown source {item.source}, skipping{suggest(item.source, self.sources)}'
        self.reports.at_node(item.file, item.node, "LOAD_UNKNOWN_SOURCE", message, warning=True)
        return False

    def enable(self, item: EnableItem) -> None:
        """Sets the flag of a rule that exists."""
        rule = self.rules.get(item.name)
        if item.broken:
            return
        if rule is not None:
            rule.enabled = item.enabled
        elif item.name not in self.skipped:
            message = f"rule \"{item.name}\": Rule has 'enabled' key but no rule by that name already exists"
            self.reports.at_node(item.file, item.node, "LOAD_ERR_VALIDATE", f"{message}{suggest(item.name, self.rules)}")
