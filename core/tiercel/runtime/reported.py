"""Numbers that plugins report of themselves: asked for, and looked at, so that no plugin can spoil what the others count."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from tiercel.plugins import calls

__all__ = ["Reported"]

SECONDS: Final = 1.0
"""For a call, which should only copy a few numbers."""
MAX_NAMES: Final = 4096

_log = logging.getLogger("tiercel.statistics")


class Reported:
    """Where a plugin fails, what it last said stays."""

    def __init__(self) -> None:
        """Nobody has said anything."""
        self.failures = 0
        """Calls that failed, or returned something else than numbers."""
        self._last: dict[str, Any] = {}

    def numbers(self, who: str, counters: Callable[[], Mapping[str, int]]) -> Mapping[str, float]:
        """Name -> number, by ``counters`` of `tiercel.Decoder` and `tiercel.Output`.

        Args:
            who: component, for the log.
            counters: its method.
        """
        found: Mapping[str, float] = self._asked(who, counters, _numbers)
        return found

    def by_type(self, who: str, counters: Callable[[], Mapping[str, Mapping[str, int]]]) -> Mapping[str, Mapping[str, int]]:
        """Event type -> name -> number, by ``counters`` of `tiercel.Source`."""
        found: Mapping[str, Mapping[str, int]] = self._asked(who, counters, _by_type)
        return found

    def _asked(self, who: str, counters: Callable[[], Any], looked_at: Callable[[Any], dict[str, Any]]) -> Any:
        try:
            self._last[who] = looked_at(calls.within(SECONDS, counters))
        except Exception as error:  # noqa: BLE001  of a plugin
            self.failures += 1
            _log.warning("%s: counters failed: %s: %s", who, type(error).__name__, error)
        return self._last.get(who, {})


def _by_type(value: object) -> dict[str, Any]:
    return {kind: _numbers(counters) for kind, counters in _named(value).items()}


def _numbers(value: object) -> dict[str, Any]:
    """The numbers; `tiercel.plugins.calls.WrongType` for anything else."""
    found = _named(value)
    for number in found.values():
        if not isinstance(number, int | float) or not math.isfinite(number):
            raise calls.WrongType(number, "a number")
    return found


def _named(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise calls.WrongType(value, "a mapping")
    found = dict(value)
    if len(found) > MAX_NAMES:
        msg = f"{len(found)} names (expected no more than {MAX_NAMES})"
        raise ValueError(msg)
    for name in found:
        if not isinstance(name, str):
            raise calls.WrongType(name, "text as name")
    return found
