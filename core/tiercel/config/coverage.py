"""What loaded rules name and the plugins do not deliver yet: such rules load, and see less than they read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from tiercel.errors import Diagnostic
from tiercel.lang.ast import Check, reads
from tiercel.lang.hints import checks

if TYPE_CHECKING:
    from tiercel.lang.view import FieldsView
    from tiercel.ruleset.model import Rule

__all__ = ["BLIND", "blind_spots"]

BLIND: Final = frozenset({"LOAD_NOT_COLLECTED", "LOAD_NO_VALUE"})
"""Codes of the warnings."""
_ALL: Final = 50
"""A rule with more event types than this names none in particular."""


def blind_spots(rules: Iterable[Rule], catalogue: FieldsView, collected: Mapping[str, frozenset[str]]) -> Iterator[Diagnostic]:
    """A warning for each rule that names event types which do not come, or whose condition reads fields without values.

    Args:
        rules: the rules.
        catalogue: the fields.
        collected: event types that come, by event source; sources that do not know them ahead are left out.
    """
    for rule in rules:
        seen = collected.get(rule.source)
        if seen is not None and rule.event_types is not None and len(rule.event_types) <= _ALL and (missing := rule.event_types - seen):
            rest = sorted(rule.event_types & seen)
            sees = f"it sees only {', '.join(rest)}" if rest else "it cannot match"
            yield _warning(rule, "LOAD_NOT_COLLECTED", f"events of type {', '.join(sorted(missing))} are not collected yet; {sees}")
        leaves = [leaf for leaf in checks(rule.condition) if isinstance(leaf, Check)]
        names = {ref.name for leaf in leaves for side in (leaf.left, leaf.right) for ref in reads(side)}
        absent = sorted(name for name in names if (field := catalogue.get(name, rule.source)) is not None and field.absent)
        if absent:
            yield _warning(rule, "LOAD_NO_VALUE", f"its condition reads {', '.join(absent)}, without values so far: these checks are false")


def _warning(rule: Rule, code: str, message: str) -> Diagnostic:
    return Diagnostic(rule.file, rule.line, 1, code, f'rule "{rule.name}": {message}', warning=True)
