"""Where each check of a loaded rule stands, those of its exceptions included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tiercel.lang.canonical import canonical
from tiercel.lang.hints import checks
from tiercel.lang.parser import ParseError, parse
from tiercel.ruleset.origins import CheckOrigin

if TYPE_CHECKING:
    from tiercel.ruleset.model import Rule

__all__ = ["origins_of"]


def origins_of(rule: Rule) -> list[CheckOrigin]:
    """The origin of each check of a rule that was loaded with its origins, in order.

    Checks that exceptions bring follow those of the condition, and stand where the exception does.
    """
    leaves = list(checks(rule.condition))
    found = [*rule.origins, *_of_exceptions(rule)]
    if len(found) != len(leaves):  # a list brought more than values
        rest = leaves[len(rule.origins) :]
        found = [*rule.origins, *(CheckOrigin(rule.file, rule.line, 1, canonical(leaf)) for leaf in rest)]
    return found[: len(leaves)]


def _of_exceptions(rule: Rule) -> Iterator[CheckOrigin]:
    for exception in rule.exceptions:
        try:
            leaves = list(checks(parse(exception.condition))) if exception.condition else []
        except ParseError:
            return
        for leaf in leaves:
            yield CheckOrigin(exception.file, exception.line, 1, canonical(leaf))
