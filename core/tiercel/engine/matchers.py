"""Matchers: functions of one value that are built once from the literals of a check.

They are called with values of the right Python type only; the generated code sees to that.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import re2

from tiercel.engine.glob import is_glob, translate
from tiercel.engine.text import clean, encoded, has_fragments
from tiercel.lang.patterns import re2_options

__all__ = ["glob", "in_networks", "path_prefix", "regex"]

_BITS: Final = 8
_SPECIAL: Final = re.compile(r"[*?\[\\]")


def glob(pattern: str, *, ignore_case: bool = False) -> Callable[[str], bool]:
    """Matches whole texts against a glob pattern (`tiercel.engine.glob`)."""
    raw = encoded(pattern)
    full = _compile(translate(raw.lower() if ignore_case else raw, ignore_case=ignore_case), latin=True).fullmatch
    if ignore_case:
        return lambda text: full(encoded(text).lower()) is not None
    # Most patterns are paths: looking at what stands before the first special character costs a tenth of a match.
    prefix = _SPECIAL.split(pattern, maxsplit=1)[0]
    if prefix and not has_fragments(prefix):
        return lambda text: text.startswith(prefix) and full(encoded(text)) is not None
    return lambda text: full(encoded(text)) is not None


def regex(pattern: str) -> Callable[[str], bool]:
    """Matches whole texts against an RE2 pattern in POSIX syntax; bytes that are no UTF-8 count as U+FFFD."""
    full = _compile(clean(pattern), posix=True).fullmatch

    def match(text: str) -> bool:
        return full(clean(text)) is not None

    return match


def _compile(pattern: str, *, posix: bool = False, latin: bool = False) -> Any:
    return re2.compile(pattern.encode("latin-1") if latin else pattern, re2_options(posix=posix, latin=latin))


class _Node:
    """A component of the given paths: its children by name and by glob pattern."""

    __slots__ = ("end", "globs", "names")

    def __init__(self) -> None:
        self.names: dict[str, _Node] = {}
        self.globs: dict[str, tuple[Callable[[str], bool], _Node]] = {}
        self.end = False

    def matches(self, parts: list[str], at: int) -> bool:
        """True if a given path ends here or further along `parts`."""
        if self.end:
            return True
        if at == len(parts):
            return False
        child = self.names.get(parts[at])
        if child is not None and child.matches(parts, at + 1):
            return True
        return any(match(parts[at]) and node.matches(parts, at + 1) for match, node in self.globs.values())


def path_prefix(paths: Iterable[str]) -> Callable[[str], bool]:
    """Matches texts of which one of `paths` is a prefix, component by component; a component may be a glob pattern."""
    root = _Node()
    for path in paths:
        node = root
        for part in filter(None, path.split("/")):
            node = node.globs.setdefault(part, (glob(part), _Node()))[1] if is_glob(part) else node.names.setdefault(part, _Node())
        node.end = True
    firsts = None if root.end or root.globs else root.names

    def match(text: str) -> bool:
        if firsts is not None:  # most paths differ in the first component: do not split the rest
            head = text.split("/", 2)
            if len(head) > 1 and not head[0] and head[1] and head[1] not in firsts:
                return False
        return root.matches([part for part in text.split("/") if part], 0)

    return match


def in_networks(networks: Iterable[tuple[bytes, int]]) -> Callable[[bytes], bool]:
    """Matches addresses that lie in one of the networks, given as (address in network order, prefix length); host bits do not count."""
    groups: dict[tuple[int, int], set[int]] = {}
    for address, prefix in networks:
        shift = len(address) * _BITS - prefix
        groups.setdefault((len(address), shift), set()).add(int.from_bytes(address, "big") >> shift)
    sizes: dict[int, list[tuple[int, frozenset[int]]]] = {}
    for (size, shift), prefixes in groups.items():
        sizes.setdefault(size, []).append((shift, frozenset(prefixes)))

    def match(address: bytes) -> bool:
        number = int.from_bytes(address, "big")
        return any((number >> shift) in prefixes for shift, prefixes in sizes.get(len(address), ()))

    return match


@functools.lru_cache(maxsize=64)
def cached_glob(pattern: str, ignore_case: bool) -> Callable[[str], bool]:  # noqa: FBT001  a cache key
    """`glob` for patterns that come from a field; one that is too large matches nothing."""
    error: type[Exception] = re2.error
    try:
        return glob(pattern, ignore_case=ignore_case)
    except error:
        return lambda _text: False
