"""Definitions of all files put together: what is redefined, appended to and replaced (rule language, section 6)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, TypeVar

from tiercel.ruleset.items import (
    Definition,
    EnableItem,
    ExceptionItem,
    Item,
    ListItem,
    MacroItem,
    Requirement,
    RuleChange,
    RuleItem,
    RuleKeys,
)
from tiercel.ruleset.places import Reports
from tiercel.ruleset.requirements import PluginRequirement, Version

__all__ = ["Changes", "Definitions"]

VALIDATE: Final = "LOAD_ERR_VALIDATE"
AnyDefinition = TypeVar("AnyDefinition", ListItem, MacroItem, RuleItem)


@dataclass(slots=True)
class Changes:
    """Names of what is new or different."""

    lists: dict[str, None] = field(default_factory=dict)
    macros: dict[str, None] = field(default_factory=dict)
    rules: dict[str, None] = field(default_factory=dict)


class Definitions:
    """All definitions so far.

    Args:
        reports: takes the problems.
        sources: the event sources that there are.
    """

    def __init__(self, reports: Reports, sources: Collection[str]) -> None:
        self.reports = reports
        self.sources = sources
        self.lists: dict[str, ListItem] = {}
        self.macros: dict[str, MacroItem] = {}
        self.rules: dict[str, RuleItem] = {}
        self.engine_version: Version | None = None
        self.required_plugins: list[PluginRequirement] = []
        self._count = 0
        """Definitions so far."""
        self._changes = Changes()

    def add(self, items: Collection[Item]) -> Changes:
        """Takes in the items of a file, in order; returns what they changed."""
        self._changes = Changes()
        plugins: list[PluginRequirement] = []
        for item in items:
            if isinstance(item, ListItem):
                self._list(item)
            elif isinstance(item, MacroItem):
                self._macro(item)
            elif isinstance(item, RuleItem):
                self._rule(item)
            elif isinstance(item, RuleChange):
                self._change(item)
            elif isinstance(item, EnableItem):
                self._enable(item)
            else:
                self._require(item, plugins)
        if self._is_left_out(items):
            for item in items:
                if isinstance(item, ListItem | MacroItem):
                    item.quiet = True
        else:
            self.required_plugins += plugins
        return self._changes

    def _is_left_out(self, items: Collection[Item]) -> bool:
        """True for a file that is about rules of unknown event sources only."""
        names = [item.name for item in items if isinstance(item, RuleItem | RuleChange | EnableItem)]
        return bool(names) and all(name in self.rules and self.rules[name].unknown_source for name in names)

    def _require(self, item: Requirement, plugins: list[PluginRequirement]) -> None:
        plugins += item.plugins
        if item.engine is not None and (self.engine_version is None or item.engine > self.engine_version):
            self.engine_version = item.engine

    def _define(self, item: AnyDefinition, known: dict[str, AnyDefinition]) -> None:
        """Takes in a definition; one that there is already is replaced and keeps its place."""
        self._count += 1
        before = known.get(item.name)
        item.index = self._count if before is None else before.index
        item.visibility = self._count
        known[item.name] = item

    def _changed(self, item: Definition) -> None:
        self._count += 1
        item.visibility = self._count

    def _error(self, item: Definition, message: str) -> None:
        kind = "list" if isinstance(item, ListItem) else "macro" if isinstance(item, MacroItem) else "rule"
        self.reports.at_node(item.file, item.node, VALIDATE, f'{kind} "{item.name:.200}": {message}')

    # --------------------------------------------------------------------------------------------------------- lists and macros

    def _list(self, item: ListItem) -> None:
        self._changes.lists[item.name] = None
        before = self.lists.get(item.name)
        if not item.append:
            self._define(item, self.lists)
        elif before is None:
            message = "List uses 'append' or 'override.items: append' but no list by that name already exists"
            self._dangling(item, message, self.lists)
        else:
            self._changed(before)
            before.items = [*before.items, *item.items]

    def _macro(self, item: MacroItem) -> None:
        self._changes.macros[item.name] = None
        before = self.macros.get(item.name)
        if not item.append:
            self._define(item, self.macros)
        elif before is None:
            message = "Macro uses 'append' or 'override.condition: append' but no macro by that name already exists"
            self._dangling(item, message, self.macros)
        else:
            self._changed(before)
            before.conditions = [*before.conditions, *item.conditions]
            before.broken = before.broken or item.broken

    def _dangling(self, item: AnyDefinition, message: str, known: dict[str, AnyDefinition]) -> None:
        """Something to append that nothing exists for; its name stands for something from here on, so that nothing follows from it."""
        if not item.broken:
            self._error(item, message + self.reports.suggest(item.name, known))
        item.broken = True
        if isinstance(item, MacroItem):
            item.conditions = []
        self._define(item, known)

    # -------------------------------------------------------------------------------------------------------------------- rules

    def _rule(self, item: RuleItem) -> None:
        before = self.rules.get(item.name)
        if before is not None and before.source != item.source and not item.broken:
            self._other_source(item, before, item.source)
            return
        self._changes.rules[item.name] = None
        self._define(item, self.rules)
        if item.source not in self.sources:
            item.unknown_source = True
            near = self.reports.suggest(item.source, self.sources)
            message = f'rule "{item.name:.200}": Unknown source {item.source:.200}, skipping{near}'
            self.reports.at_node(item.file, item.node, "LOAD_UNKNOWN_SOURCE", message, warning=True)

    def _other_source(self, item: Definition, before: RuleItem, source: str) -> None:
        self._error(item, f"Rule has been re-defined with a different source (got {source:.200}, expected {before.source:.200})")

    def _enable(self, item: EnableItem) -> None:
        rule = self.rules.get(item.name)
        if rule is not None:
            rule.enabled = item.enabled
            self._changes.rules[item.name] = None
        elif not item.broken:
            near = self.reports.suggest(item.name, self.rules)
            self._error(item, f"Rule has 'enabled' key but no rule by that name already exists{near}")

    def _change(self, item: RuleChange) -> None:
        rule = self.rules.get(item.name)
        if rule is None:
            if item.broken:
                return
            if item.append is not None or item.by_flag:
                message = "Rule uses 'append' or 'override.<key>: append' but no rule by that name already exists"
            else:
                message = "An 'override.<key>: replace' to a rule was requested but no rule by that name already exists"
            self._error(item, message + self.reports.suggest(item.name, self.rules))
            return
        changed = [keys for keys in (item.append, item.replace) if keys is not None]
        looked_at = item.by_flag or any(keys.condition is not None for keys in changed)
        if item.source is not None and item.source != rule.source and looked_at:
            self._other_source(item, rule, item.source)
            return
        if item.broken:
            rule.broken = True
            return
        if item.by_flag and item.append is None:
            self._error(item, "Appended rule must have exceptions or condition property")
            return
        self._changes.rules[item.name] = None
        self._changed(rule)
        if item.append is not None:
            self._append(rule, item.append)
        if item.replace is not None:
            _replace(rule, item.replace)

    def _append(self, rule: RuleItem, keys: RuleKeys) -> None:
        if keys.condition is not None:
            rule.conditions.append(keys.condition)
        if keys.output is not None:
            rule.outputs.append(keys.output)
        if keys.description is not None:
            rule.descriptions.append(keys.description)
        if keys.tags is not None:
            rule.tags = tuple(sorted({*rule.tags, *keys.tags}))
        for exception in keys.exceptions or ():
            self._append_exception(rule, exception)

    def _append_exception(self, rule: RuleItem, exception: ExceptionItem) -> None:
        """Adds values to an exception that exists, or an exception."""
        before = next((each for each in rule.exceptions if each.name == exception.name), None)
        problem = ""
        if before is not None:
            if exception.fields is not None:
                problem = "Can not append exception fields to existing exception, only values"
            elif exception.comps is not None:
                problem = "Can not append exception comps to existing exception, only values"
        elif exception.fields is None:
            problem = "Rule exception must have fields property with a list of fields"
        elif not exception.values:
            problem = "Rule exception must have values property with a list of values"
        if problem:
            where = exception.where
            message = f'rule "{rule.name:.200}": exception "{exception.name:.200}": {problem}'
            self.reports.at_node(where.file, where.node, VALIDATE, message)
        elif before is None:
            rule.exceptions.append(exception)
        else:
            before.values.extend(exception.values)


def _replace(rule: RuleItem, keys: RuleKeys) -> None:
    if keys.condition is not None:
        rule.conditions = [keys.condition]
    if keys.output is not None:
        rule.outputs = [keys.output]
    if keys.description is not None:
        rule.descriptions = [keys.description]
    if keys.exceptions is not None:
        rule.exceptions = list(keys.exceptions)
    for name in ("priority", "tags", "enabled", "warn_evttypes", "skip_if_unknown_filter", "capture", "capture_duration"):
        value = getattr(keys, name)
        if value is not None:
            setattr(rule, name, value)
