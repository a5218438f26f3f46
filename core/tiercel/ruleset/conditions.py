"""Conditions of macros and rules: lists filled in, parsed, checked, and problems led back to their place in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tiercel.lang.ast import MacroRef, Node
from tiercel.lang.check import ConditionError, check_condition
from tiercel.lang.hints import checks, hints
from tiercel.lang.parser import ParseError, parse
from tiercel.lang.view import FieldsView
from tiercel.ruleset.exceptions import add_exception
from tiercel.ruleset.items import Located, MacroItem, RuleItem, Written
from tiercel.ruleset.lists import Lists
from tiercel.ruleset.pieces import Pieces
from tiercel.ruleset.places import Reports
from tiercel.ruleset.substitution import Filled, TooLong
from tiercel.ruleset.trees import Size, measure, over_limit

__all__ = ["COMPILE", "MAX_WRITTEN", "Condition", "read_condition", "written_text"]

COMPILE: Final = "LOAD_ERR_COMPILE_CONDITION"
MAX_WRITTEN: Final = 1_000_000
"""Characters of a condition as it is written, exceptions included."""


@dataclass(slots=True)
class Condition:
    """The condition of a macro or rule.

    Attributes:
        item: whose it is.
        pieces: its text, of all its parts and exceptions.
        text: that text.
        filled: the text with the lists filled in; positions in `tree` are offsets in it.
        tree: the parsed text.
        macros: the macros that it names, each once.
        where: what messages begin with.
    """

    item: MacroItem | RuleItem
    pieces: Pieces
    text: str
    filled: Filled
    tree: Node
    macros: tuple[MacroRef, ...]
    where: str

    def report(self, reports: Reports, message: str, position: int, *, code: str = COMPILE, warning: bool = False) -> None:
        """A problem at an offset of the filled text."""
        self.pieces.report(reports, self.filled.origin(position), code, f"{self.where}{message}", warning=warning)

    def check(self, reports: Reports, catalogue: FieldsView, source: str, types: frozenset[str] | None) -> tuple[Node | None, bool]:
        """The tree after the type check for an event source, None if errors were reported; and whether it names what does not exist."""
        for hint in hints(self.tree, catalogue, source):
            self.report(reports, hint.message, hint.position, code=hint.code, warning=True)
        try:
            return check_condition(self.tree, catalogue, source, event_types=types), False
        except ConditionError as error:
            for message, position in error.problems:
                self.report(reports, message, position)
            return None, error.unknown


def written_text(parts: list[Written]) -> str:
    """A condition or output as it was written, with what was appended."""
    return " ".join(part.scalar.value.strip() for part in parts)


def _pieces(item: MacroItem | RuleItem) -> Pieces:
    """The text of all parts, joined by blanks; of a rule with exceptions ``(...) and not ... and not ...``."""
    pieces = Pieces()
    exceptions = [each for each in item.exceptions if each.values] if isinstance(item, RuleItem) else []
    start = Located(item.conditions[0].file, item.conditions[0].scalar)
    if exceptions:
        pieces.put("(", start)
    for number, part in enumerate(item.conditions):
        if number:
            pieces.put(" ", Located(part.file, part.scalar))
        pieces.add(part)
    if exceptions:
        pieces.put(")", exceptions[0].where)
    for exception in exceptions:
        add_exception(exception, pieces)
    return pieces


def read_condition(item: MacroItem | RuleItem, lists: Lists, reports: Reports) -> Condition | None:
    """Fills in the lists and parses; None if errors were or are reported."""
    if not item.conditions:
        return None
    kind = "macro" if isinstance(item, MacroItem) else "rule"
    where = f'{kind} "{item.name:.200}": condition: '
    pieces = _pieces(item)

    def refuse(message: str, offset: int) -> None:
        pieces.report(reports, offset, COMPILE, f"{where}{message}")

    if pieces.length > MAX_WRITTEN:
        refuse(f"too long (got {pieces.length:,} characters, expected at most {MAX_WRITTEN:,}); put what it names into lists", 0)
        return None
    text = pieces.text
    try:
        filled = lists.fill(text)
    except TooLong as error:
        refuse(str(error), 0)
        return None
    try:
        tree = parse(filled.text)
    except ParseError as error:
        hint = f" (after {', '.join(sorted(filled.used))} was filled in)" if filled.used else ""
        refuse(f"{error.message}{hint:.500}", filled.origin(error.offset))
        return None
    problem = over_limit(measure(tree, lambda _: Size(1, 1)))
    if problem:
        refuse(problem, 0)
        return None
    macros = {leaf.name: leaf for leaf in reversed(list(checks(tree))) if isinstance(leaf, MacroRef)}
    return Condition(item, pieces, text, filled, tree, tuple(reversed(macros.values())), where)
