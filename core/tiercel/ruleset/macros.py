"""Macros: which can be used, in which order, and their trees for each event source (rule language, section 3)."""

from __future__ import annotations

import graphlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tiercel.lang.ast import Node
from tiercel.lang.view import FieldsView
from tiercel.ruleset.conditions import Condition, read_condition
from tiercel.ruleset.items import MacroItem
from tiercel.ruleset.lists import Lists
from tiercel.ruleset.places import Reports
from tiercel.ruleset.trees import Size, expand, measure, over_limit

__all__ = ["CheckedMacro", "Macros"]

VALIDATE: Final = "LOAD_ERR_VALIDATE"


@dataclass(slots=True)
class CheckedMacro:
    """A macro, checked for an event source.

    Attributes:
        tree: with the macros that it uses in place of their names; None if something is wrong with it or with them.
        reports: what the check found, until a rule that uses it passes it on.
        unknown: it names a field or event type that does not exist.
    """

    tree: Node | None
    reports: Reports
    unknown: bool


class Macros:
    """All macros. They come and change file by file.

    Args:
        reports: takes the problems.
        lists: the lists.
        catalogue: the fields.
        event_types: names of event types by event source.
        places: where the macros of all files are defined first, those of files to come too: "file:line" by name.
    """

    def __init__(
        self, *, reports: Reports, lists: Lists, catalogue: FieldsView, event_types: Mapping[str, frozenset[str]], places: Mapping[str, str]
    ) -> None:  # fmt: skip
        self.conditions: dict[str, Condition] = {}
        """Those that parse, by name."""
        self._reports = reports
        self._lists = lists
        self._catalogue = catalogue
        self._event_types = event_types
        self._places = places
        self._items: Mapping[str, MacroItem] = {}
        self._users: dict[str, set[str]] = {}
        """Name -> macros that name it."""
        self._sizes: dict[str, Size] = {}
        """Of those that can be used."""
        self._ranks: dict[str, int] = {}
        """Of those that can be used: each comes after those that it uses."""
        self._rank = itertools.count()
        self._checked: dict[str, dict[str, CheckedMacro]] = {}
        """Event source -> name -> macro."""
        self._silent: dict[str, Reports] = {}
        """What is wrong with macros of files that are left out; said once a rule uses them."""

    def update(self, items: Mapping[str, MacroItem], changed: Collection[str]) -> set[str]:
        """Takes in macros that are new or changed. Returns the names of all that differ now.

        Args:
            items: all macros.
            changed: names of those that changed, or of which lists changed.
        """
        self._items = items
        for name in sorted(changed, key=lambda name: items[name].index):
            self.conditions.pop(name, None)
            self._silent.pop(name, None)
            condition = read_condition(items[name], self._lists, self._reports_of(name))
            if condition is not None:
                self.conditions[name] = condition
                for ref in condition.macros:
                    self._users.setdefault(ref.name, set()).add(name)
        affected = self._with_users(changed)
        for name in affected:
            self._sizes.pop(name, None)
            self._ranks.pop(name, None)
            for checked in self._checked.values():
                checked.pop(name, None)
        self._link(affected)
        return affected

    def _reports_of(self, name: str) -> Reports:
        return self._silent.setdefault(name, Reports()) if self._items[name].quiet else self._reports

    def _with_users(self, names: Iterable[str]) -> set[str]:
        found: set[str] = set()
        pending = list(names)
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending.extend(self._users.get(name, ()))
        return found

    def _link(self, names: Collection[str]) -> None:
        """Finds out which of the macros can be used, in an order in which each comes after those that it uses."""
        ordered = sorted((name for name in names if name in self.conditions), key=lambda name: self._items[name].index)
        usable = {name: self.conditions[name] for name in ordered if self.resolves(self.conditions[name], self._reports_of(name))}
        while True:
            graph = {name: [ref.name for ref in each.macros if ref.name in usable] for name, each in usable.items()}
            try:
                order = list(graphlib.TopologicalSorter(graph).static_order())
                break
            except graphlib.CycleError as error:
                self._report_circle(error.args[1], usable)
        for name in order:
            size = self.size(usable[name], self._reports_of(name))
            if size is not None:
                self._sizes[name] = size
                self._ranks[name] = next(self._rank)

    def _report_circle(self, circle: list[str], usable: dict[str, Condition]) -> None:
        """Reports macros that use each other, once each, and takes them out."""
        names = circle[:0:-1]  # the first is the last again, and each is used by the one behind it
        for at, name in enumerate(names):
            chain = [*names[at:], *names[:at], name]
            shown = chain if len(chain) <= 10 else [*chain[:9], "...", name]
            condition = usable.pop(name)
            ref = next(ref for ref in condition.macros if ref.name == chain[1])
            message = f"reference loop in macro '{name}' ({' -> '.join(shown)})"
            condition.report(self._reports_of(name), message, ref.position, code=VALIDATE)

    def resolves(self, condition: Condition, reports: Reports) -> bool:
        """Whether all macros that a condition names exist where it can see them: rules see all. Reports those that do not."""
        item, fine = condition.item, True
        for ref in condition.macros:
            macro = self._items.get(ref.name)
            if macro is not None and (macro.index < item.visibility or not isinstance(item, MacroItem)):
                continue
            fine = False
            message = f"Undefined macro '{ref.name}' used in filter."
            if macro is item:
                message = f"reference loop in macro '{ref.name}'"
            elif ref.name in self._places:
                message += f" (it is defined too late, in {self._places[ref.name]}; move it up)"
            else:
                message += reports.suggest(ref.name, self._items)
            condition.report(reports, message, ref.position, code=VALIDATE)
        return fine

    def size(self, condition: Condition, reports: Reports) -> Size | None:
        """The size of a condition with its macros, all of which exist; None if one cannot be used or the whole is too large."""
        if not all(ref.name in self._sizes for ref in condition.macros):
            return None  # what is wrong with the macro was reported
        size = measure(condition.tree, self._sizes.__getitem__)
        problem = over_limit(size)
        if problem:
            condition.report(reports, problem, 0)
            return None
        return size

    def closure(self, condition: Condition) -> list[str]:
        """Names of all macros that a condition uses and that parse, with those that these use."""
        found: set[str] = set()
        pending = [ref.name for ref in condition.macros]
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                if name in self.conditions:
                    pending.extend(ref.name for ref in self.conditions[name].macros)
        return sorted(found & self._items.keys(), key=lambda name: self._ranks.get(name, -1))

    def checked(self, names: Iterable[str], source: str) -> dict[str, CheckedMacro]:
        """Macros checked for an event source.

        Args:
            names: each after those that it uses, from `closure`.
            source: the event source.
        """
        known = self._checked.setdefault(source, {})
        for name in names:
            if name not in known and name in self.conditions:
                known[name] = self._check(name, source, known)
        return {name: known[name] for name in names if name in known}

    def _check(self, name: str, source: str, known: Mapping[str, CheckedMacro]) -> CheckedMacro:
        condition, reports = self.conditions[name], Reports()
        tree, unknown = condition.check(reports, self._catalogue, source, self._event_types.get(source))
        inner: dict[str, Node] = {}
        for ref in condition.macros:
            used = known.get(ref.name)
            if used is None or used.tree is None:
                return CheckedMacro(None, reports, unknown)
            inner[ref.name] = used.tree
        usable = tree is not None and name in self._sizes
        return CheckedMacro(expand(tree, inner) if usable and tree is not None else None, reports, unknown)

    def speak(self, names: Iterable[str]) -> None:
        """Says what is wrong with macros of files that are left out, as a rule uses them."""
        for name in names:
            silent = self._silent.pop(name, None)
            if silent is not None:
                self._reports.take(silent)

    def trees(self) -> Iterator[tuple[MacroItem, Condition]]:
        """All macros that parse, in the order of their definition."""
        for item in sorted(self._items.values(), key=lambda item: item.index):
            if item.name in self.conditions:
                yield item, self.conditions[item.name]
