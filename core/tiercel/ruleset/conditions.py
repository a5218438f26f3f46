"""Conditions of macros and rules: lists filled in, parsed, checked, and problems led back to their place in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tiercel.lang.ast import MacroRef, Node
from tiercel.lang.check import ConditionError, check_condition
from tiercel.lang.hints import checks, hints
from tiercel.lang.parser import ParseError, parse
from tiercel.lang.view import FieldsView
from tiercel.ruleset.items import MacroItem, RuleItem
from tiercel.ruleset.lists import Substitution, substitute
from tiercel.ruleset.places import Reports
from tiercel.ruleset.trees import Size, measure, over_limit
from tiercel.ruleset.yamltree import Scalar

__all__ = ["COMPILE", "Condition", "read_condition"]

COMPILE: Final = "LOAD_ERR_COMPILE_CONDITION"


@dataclass(slots=True)
class Condition:
    """The condition of a macro or rule.

    Attributes:
        item: whose it is.
        scalar: where it stands.
        filled: its text with the lists filled in; positions in `tree` are offsets in it.
        tree: the parsed text.
        macros: the macros that it names, each once.
        where: what messages begin with.
    """

    item: MacroItem | RuleItem
    scalar: Scalar
    filled: Substitution
    tree: Node
    macros: tuple[MacroRef, ...]
    where: str

    def report(self, reports: Reports, message: str, position: int, *, code: str = COMPILE) -> None:
        """An error at an offset of the filled text."""
        self.item.broken = True
        reports.at_offset(self.item.file, self.scalar, self.filled.origin(position), code, f"{self.where}{message}")

    def check(self, reports: Reports, catalogue: FieldsView, source: str, types: frozenset[str] | None) -> Node | None:
        """The tree after the type check for an event source; None if errors were reported."""
        for hint in hints(self.tree, catalogue, source):
            origin = self.filled.origin(hint.position)
            reports.at_offset(self.item.file, self.scalar, origin, hint.code, f"{self.where}{hint.message}", warning=True)
        try:
            return check_condition(self.tree, catalogue, source, event_types=types)
        except ConditionError as error:
            for message, position in error.problems:
                self.report(reports, message, position)
            return None


def read_condition(item: MacroItem | RuleItem, lists: Mapping[str, str], reports: Reports) -> Condition | None:
    """Fills in the lists and parses; None if errors were or are reported."""
    scalar = item.condition
    if scalar is None:
        return None
    kind = "macro" if isinstance(item, MacroItem) else "rule"
    where = f'{kind} "{item.name}": condition: '
    filled = substitute(scalar.value, lists)
    try:
        tree = parse(filled.text)
    except ParseError as error:
        hint = f" (after {', '.join(sorted(filled.used))} was filled in)" if filled.used else ""
        item.broken = True
        reports.at_offset(item.file, scalar, filled.origin(error.offset), COMPILE, f"{where}{error.message}{hint}")
        return None
    problem = over_limit(measure(tree, lambda _: Size(1, 1)))
    if problem:
        item.broken = True
        reports.at_offset(item.file, scalar, 0, COMPILE, f"{where}{problem}")
        return None
    macros = {leaf.name: leaf for leaf in reversed(list(checks(tree))) if isinstance(leaf, MacroRef)}
    return Condition(item, scalar, filled, tree, tuple(reversed(macros.values())), where)
