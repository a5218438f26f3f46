"""Translates glob patterns to RE2: fnmatch(3) with flags 0, so ``*``, ``?`` and brackets also match ``/`` and leading dots.

Matching is by bytes, as in the C locale: ``?`` is one byte.
"""

from __future__ import annotations

from typing import Final

__all__ = ["is_glob", "translate"]

_CLASSES: Final = frozenset(
    {"alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit"}
)  # fmt: skip
_ANY: Final = r"(?s:.)"
_NOTHING: Final = r"[^\x00-\x{ff}]"


def is_glob(text: str) -> bool:
    """True if the text has a character that a component of `pmatch` treats as a pattern."""
    return any(char in text for char in "*?[")


def translate(pattern: bytes, *, ignore_case: bool = False) -> str:
    """An RE2 pattern in Latin-1 mode that matches the same bytes when it must match them all.

    Args:
        pattern: the glob pattern.
        ignore_case: the caller lowers pattern and text; then ``[:upper:]`` and ``[:lower:]`` mean any letter.
    """
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        at += 1
        if char == b"*":
            if not out or out[-1] != _ANY + "*":
                out.append(_ANY + "*")
        elif char == b"?":
            out.append(_ANY)
        elif char == b"\\":
            if at == len(pattern):
                return _NOTHING  # fnmatch(3): a lone backslash at the end matches nothing
            out.append(_literal(pattern[at]))
            at += 1
        elif char == b"[":
            bracket, end = _bracket(pattern, at, ignore_case=ignore_case)
            out.append(bracket or _literal(0x5B))
            at = end if bracket else at
        else:
            out.append(_literal(char[0]))
    return "".join(out)


def _literal(byte: int) -> str:
    return rf"\x{{{byte:02x}}}"


def _bracket(pattern: bytes, start: int, *, ignore_case: bool) -> tuple[str, int]:
    """The bracket expression that begins before `start` as RE2, and where it ends; "" if it has no end."""
    at = start
    negated = pattern[at : at + 1] in (b"!", b"^")
    at += negated
    first, items = at, []
    while True:
        if at >= len(pattern):
            return "", start
        if pattern[at] == 0x5D and at > first:
            break
        name = pattern[at + 2 : pattern.find(b":]", at + 2)].decode("latin-1") if pattern[at : at + 2] == b"[:" else ""
        if name in _CLASSES:
            items.append(f"[:{'alpha' if ignore_case and name in ('upper', 'lower') else name}:]")
            at += len(name) + 4
            continue
        low, at = _member(pattern, at)
        if pattern[at : at + 1] == b"-" and at + 1 < len(pattern) and pattern[at + 1] != 0x5D:
            high, at = _member(pattern, at + 1)
            if low <= high:
                items.append(f"{_literal(low)}-{_literal(high)}")
        else:
            items.append(_literal(low))
    if not items:  # only empty ranges such as [z-a]
        return (_ANY if negated else _NOTHING), at + 1
    return f"[{'^' if negated else ''}{''.join(items)}]", at + 1


def _member(pattern: bytes, at: int) -> tuple[int, int]:
    """One byte of a bracket expression, possibly escaped, and the position after it."""
    if pattern[at] == 0x5C and at + 1 < len(pattern):
        at += 1
    return pattern[at], at + 1
