"""Bounded caches of what generated code computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tiercel.engine.cover import CoverMask

__all__ = ["EventMemo", "Memo", "SecondSight"]

_MAX_ASKED: Final = 256
_ALL: Final = -1
"""All rules."""


class Memo(dict[Any, Any]):
    """``memo[key]``: computes a result from the key, and remembers it; forgets all of them when it is full."""

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


class EventMemo(dict[Any, Any]):
    """Results by a key that stands for all that they depend on; a missing one is computed from the event.

    Generated code looks up with `get`, and calls `miss` only if there is nothing: most look-ups end in a dictionary.
    """

    __slots__ = ("_compute", "_limit")

    def __init__(self, compute: Callable[[Any], Any], limit: int) -> None:
        super().__init__()
        self._compute = compute
        self._limit = limit

    def miss(self, event: Any, key: Any) -> Any:
        """Computes the result for an event, and remembers it under its key."""
        return self.remember(key, self._compute(event))

    def remember(self, key: Any, result: Any) -> Any:
        """Remembers a result, and returns it."""
        if len(self) >= self._limit:
            self.clear()
        self[key] = result
        return result


class SecondSight(EventMemo):
    """Computes and remembers a mask when its key comes the second time; the first time, a cheaper function has to do.

    Keys that are all different then cost little and push nothing out.
    """

    __slots__ = ("_first", "_paths", "_seen")

    def __init__(self, compute: Callable[[Any], int], limit: int, first: CoverMask | None) -> None:
        super().__init__(compute, limit)
        self._first = first
        self._seen: set[int] = set()
        self._paths: dict[int, Callable[[str], int]] = {}

    def seen(self, key: Any) -> bool:
        """Whether a key was seen before; notes it."""
        mark = hash(key)
        seen = self._seen
        if mark in seen:
            return True
        if len(seen) >= self._limit:
            seen.clear()
        seen.add(mark)
        return False

    def sight(self, event: Any, key: Any, asked: int) -> int:
        """The mask for an event; only the bits that are asked for mean something."""
        first = self._first
        if not self.seen(key):
            return asked if first is None else first(event, asked)
        if first is None or first(event, _ALL):
            return int(self.miss(event, key))
        self.remember(key, 0)
        return 0

    def of_path(self, path: bytes, asked: int) -> int | None:
        """The mask of a new path, given its bytes, if it has no bit that is asked for; None if it may have one, or is not new."""
        first = self._paths.get(asked)
        if first is None:
            if self._first is None:
                return None
            if len(self._paths) >= _MAX_ASKED:
                self._paths.clear()
            first = self._paths[asked] = self._first.of_path(asked) or _everything
        if first(path.decode("latin-1")) or self.seen(path):
            return None
        return 0


def _everything(_path: str) -> int:
    return -1
