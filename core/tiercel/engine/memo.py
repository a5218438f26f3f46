"""Bounded caches that generated code reads like dictionaries: ``memo[key]`` computes what is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Memo", "SecondSight"]


class Memo(dict[Any, Any]):
    """Remembers every result; forgets all of them when it is full."""

    __slots__ = ("_compute", "_limit")

    def __init__(self, compute: Callable[[Any], Any], limit: int) -> None:
        super().__init__()
        self._compute = compute
        self._limit = limit

    def __missing__(self, key: Any) -> Any:
        if len(self) >= self._limit:
            self.clear()
        result = self[key] = self._compute(key)
        return result


class SecondSight(dict[Any, Any]):
    """Computes and remembers a result when its key comes the second time; the first time it gives `first`.

    Keys that are all different then cost little and push nothing out.
    """

    __slots__ = ("_compute", "_first", "_limit", "_seen")

    def __init__(self, compute: Callable[[Any], Any], limit: int, first: Any) -> None:
        super().__init__()
        self._compute = compute
        self._limit = limit
        self._first = first
        self._seen: set[int] = set()

    def __missing__(self, key: Any) -> Any:
        mark = hash(key)
        if mark not in self._seen:
            if len(self._seen) >= self._limit:
                self._seen.clear()
            self._seen.add(mark)
            return self._first
        if len(self) >= self._limit:
            self.clear()
        result = self[key] = self._compute(key)
        return result
