"""Where the checks of a rule's condition come from: the place in the file, and the text as it was written, names of lists included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiercel.lang.ast import MacroRef
from tiercel.lang.canonical import canonical
from tiercel.lang.hints import checks
from tiercel.lang.parser import ParseError, parse

if TYPE_CHECKING:
    from tiercel.ruleset.conditions import Condition

__all__ = ["CheckOrigin", "origins"]


@dataclass(frozen=True, slots=True)
class CheckOrigin:
    """Origin of one check.

    Attributes:
        file: name of the file.
        line: line, from 1.
        column: column in characters, from 1.
        text: the check in canonical form, but with names of lists where they stand in the file.
    """

    file: str
    line: int
    column: int
    text: str


def origins(condition: Condition, macros: Mapping[str, Condition]) -> Iterator[CheckOrigin]:
    """The origins of all checks of a condition in which the macros are expanded, in the order of its text.

    Args:
        condition: the condition; all macros that it names can be used.
        macros: conditions of macros by name.
    """
    leaves = list(checks(condition.tree))
    texts = _written(condition)
    for number, leaf in enumerate(leaves):
        if isinstance(leaf, MacroRef):
            yield from origins(macros[leaf.name], macros)
            continue
        file, line, column = condition.pieces.place(condition.filled.origin(leaf.position))
        yield CheckOrigin(file.name, line, column, texts[number] if len(texts) == len(leaves) else canonical(leaf))


def _written(condition: Condition) -> list[str]:
    """The checks without what stands for names of lists; none where that text is no condition."""
    try:
        return [canonical(leaf) for leaf in checks(parse(condition.text))]
    except ParseError:
        return []
