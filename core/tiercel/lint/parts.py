"""Relations between demands on parts of a text, and on networks: which exclude each other, and which imply which.

Texts are bytes here, as the engine compares them. Everything is one-sided: where nothing is known, the answer is False.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from tiercel.engine.glob import is_glob
from tiercel.engine.literals import Value
from tiercel.fields import FieldType
from tiercel.lang.literals import encode

__all__ = ["Part", "exclude", "implies", "parts_of"]

Part: TypeAlias = tuple[str, Any]
"""An operator, and what it wants: bytes, components of a path, or a network."""

_SAME: Final = {"bcontains": "contains", "bstartswith": "startswith"}
_NETWORK: Final = "network"
_PATH: Final = "pmatch"
_INSIDE: Final = frozenset({"contains", "startswith", "endswith"})
_PLAIN: Final = frozenset({"contains", "startswith", "endswith", "icontains", "glob", "iglob", "regex"})


def parts_of(kind: FieldType, operator: str, values: Sequence[Value]) -> tuple[Part, ...]:
    """The demands of which a value has to meet one; none where nothing can be said of them.

    Args:
        kind: type of the value.
        operator: operator of the check.
        values: its literals.
    """
    if kind is FieldType.NET:
        networks = [value for value in values if isinstance(value, tuple)]
        return tuple((_NETWORK, value) for value in networks) if operator in ("=", "==", "in", "intersects") else ()
    operator = _SAME.get(operator, operator)
    texts = [encode(value) if isinstance(value, str) else value for value in values]
    if operator == _PATH:
        if any(isinstance(value, str) and is_glob(value) for value in values):
            return ()
        return tuple((_PATH, tuple(part for part in text.split(b"/") if part)) for text in texts if isinstance(text, bytes))
    return tuple((operator, text) for text in texts if isinstance(text, bytes)) if operator in _PLAIN else ()


def exclude(one: Part, other: Part) -> bool:
    """True if no value meets both."""
    (operator, wanted), (second, also) = one, other
    if operator != second:
        return False
    if operator == "startswith":
        return not (wanted.startswith(also) or also.startswith(wanted))
    if operator == "endswith":
        return not (wanted.endswith(also) or also.endswith(wanted))
    if operator == _PATH:
        length = min(len(wanted), len(also))
        return bool(wanted[:length] != also[:length])
    return operator == _NETWORK and not (_within(wanted, also) or _within(also, wanted))


def implies(one: Part, other: Part) -> bool:
    """True if every value that meets `one` meets `other`."""
    if one == other:
        return True
    (operator, wanted), (second, also) = one, other
    if second == "contains":
        return operator in _INSIDE and also in wanted
    if second == "icontains":
        return operator in (*_INSIDE, "icontains") and also.lower() in wanted.lower()
    if operator != second:
        return False
    if second == "startswith":
        return bool(wanted.startswith(also))
    if second == "endswith":
        return bool(wanted.endswith(also))
    if second == _PATH:
        return bool(wanted[: len(also)] == also)
    return second == _NETWORK and _within(wanted, also)


def _within(inner: tuple[bytes, int], outer: tuple[bytes, int]) -> bool:
    """Whether a network is part of another one."""
    (address, length), (base, prefix) = inner, outer
    if len(address) != len(base) or length < prefix:
        return False
    shift = len(base) * 8 - prefix
    return int.from_bytes(address, "big") >> shift == int.from_bytes(base, "big") >> shift
