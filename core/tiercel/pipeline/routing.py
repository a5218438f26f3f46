"""Which alerts an output gets: `tiercel.config.routes`, applied. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tiercel.ruleset.selection import matches_wildcard

if TYPE_CHECKING:
    from tiercel.alert import Alert, Priority
    from tiercel.config.routes import Match

__all__ = ["Router"]

MAX_RULES: Final = 4096
"""Rules of which is remembered what decides about them; then all are forgotten."""

_Fields = tuple[Mapping[str, str], ...]
"""Alternatives: an alert that fits the patterns of one of them fits. An empty mapping fits every alert."""
_ALL: Final[_Fields] = ({},)


class Router:
    """Decides for one output.

    What a match says of rule, tags, source and priority is looked at once for each rule; only fields are looked at for each alert.

    Args:
        route: alerts that fit one of these get through; empty for all.
        unless: but not those that fit one of these.
    """

    def __init__(self, route: Sequence[Match] = (), unless: Sequence[Match] = ()) -> None:
        self._route, self._unless = tuple(route), tuple(unless)
        self._rules: dict[tuple[str, str, Priority, tuple[str, ...]], bool | tuple[_Fields, _Fields]] = {}

    def wants(self, alert: Alert) -> bool:
        """Whether the output gets the alert."""
        key = (alert.rule, alert.source, alert.priority, alert.tags)
        known = self._rules.get(key)
        if known is None:
            if len(self._rules) >= MAX_RULES:
                self._rules.clear()
            known = self._rules[key] = self._decide(alert)
        if isinstance(known, bool):
            return known
        return _fits(known[0], alert.fields) and not _fits(known[1], alert.fields)

    def _decide(self, alert: Alert) -> bool | tuple[_Fields, _Fields]:
        """What the alert's rule decides alone, or what is left to look at."""
        route, unless = _left(self._route, alert) if self._route else _ALL, _left(self._unless, alert)
        if not route or unless == _ALL:
            return False
        return True if route == _ALL and not unless else (route, unless)


def _left(matches: Iterable[Match], alert: Alert) -> _Fields:
    """What is left to look at of the matches that fit the alert's rule."""
    left = tuple(
        match.fields
        for match in matches
        if alert.priority <= match.priority
        and (match.rule is None or matches_wildcard(match.rule, alert.rule))
        and (match.source is None or matches_wildcard(match.source, alert.source))
        and all(tag in alert.tags for tag in match.tags)
    )
    return _ALL if {} in left else left


def _fits(alternatives: _Fields, fields: Mapping[str, Any]) -> bool:
    return any(all(_matches(pattern, fields.get(name)) for name, pattern in wanted.items()) for wanted in alternatives)


def _matches(pattern: str, value: Any) -> bool:
    """Whether a value fits: one entry of a list, the text of anything else; nothing fits a value that is missing."""
    if value is None:
        return False
    if isinstance(value, list | tuple):
        return any(_matches(pattern, each) for each in value)
    if isinstance(value, bool):
        return matches_wildcard(pattern, "true" if value else "false")
    return matches_wildcard(pattern, value if isinstance(value, str) else str(value))
