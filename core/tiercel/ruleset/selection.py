"""Which rules run: enabling and disabling by name or tag, on top of what the rules say themselves (rule language, section 14)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiercel.ruleset.model import Rule

__all__ = ["Choice", "matches_wildcard", "select"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Enables or disables rules.

    Attributes:
        enable: what it does.
        rule: a pattern for whole names, in which ``*`` stands for any text; None to choose by tag.
        tag: rules with this tag; None to choose by name.
    """

    enable: bool
    rule: str | None = None
    tag: str | None = None

    def means(self, rule: Rule) -> bool:
        """Whether it is about a rule."""
        if self.rule is not None:
            return matches_wildcard(self.rule, rule.name)
        return self.tag in rule.tags

    def __str__(self) -> str:
        """As messages name it: ``disable rule "x"``."""
        kind, value = ("rule", self.rule) if self.rule is not None else ("tag", self.tag)
        return f'{"enable" if self.enable else "disable"} {kind} "{value}"'


def matches_wildcard(pattern: str, text: str) -> bool:
    """Whether a pattern matches a whole text; ``*`` stands for any text, also none, and nothing else is special."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    if not text.startswith(first):
        return False
    at = len(first)
    *middle, last = rest
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(last) and text.endswith(last)


def select(rules: Iterable[Rule], choices: Sequence[Choice]) -> tuple[tuple[Rule, ...], tuple[Choice, ...]]:
    """Applies choices in order; the last one that is about a rule counts.

    Returns:
        The rules with their flags, and the choices that are about none of them.
    """
    unused = dict.fromkeys(range(len(choices)))
    chosen = []
    for rule in rules:
        enabled = rule.enabled
        for number, choice in enumerate(choices):
            if choice.means(rule):
                enabled = choice.enable
                unused.pop(number, None)
        chosen.append(rule if enabled is rule.enabled else replace(rule, enabled=enabled))
    return tuple(chosen), tuple(choices[number] for number in unused)
