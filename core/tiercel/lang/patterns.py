"""Regular expressions of rules: RE2 in POSIX syntax, so that no pattern can take more than linear time, within a bound of memory."""

from __future__ import annotations

import re
from typing import Any, Final

import re2

__all__ = ["MAX_MEMORY", "check_regex", "is_simple", "re2_options"]

MAX_MEMORY: Final = 1024 * 1024
"""Bytes for one compiled pattern and what it remembers while it matches."""

_SPECIAL: Final = re.compile(r"[][\\^$.|?*+(){}]")
_WRAPPED: Final = re.compile(r"\^?(?:\.[*+?])?(.*?)(?:\.[*+?])?\$?", re.DOTALL)


def re2_options(*, posix: bool = False, latin: bool = False) -> Any:
    """Options that every pattern is compiled with.

    Args:
        posix: POSIX syntax, and the longest match counts.
        latin: pattern and text are bytes, one character each.
    """
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MAX_MEMORY
    options.posix_syntax = options.longest_match = posix
    if latin:
        options.encoding = re2.Options.Encoding.LATIN1
    return options


def check_regex(pattern: str) -> None:
    """Refuses what RE2 cannot compile, or not within `MAX_MEMORY`.

    Raises:
        ValueError: says what RE2 says.
    """
    error: type[Exception] = re2.error
    try:
        re2.compile(pattern.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), re2_options(posix=True))
    except error as failure:
        reason = failure.args[0] if failure.args else ""
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
        raise ValueError(f'invalid regex pattern (got "{pattern}", expected RE2 in POSIX syntax: {reason})') from None


def is_simple(pattern: str) -> bool:
    """True if the pattern is plain text with anchors, or with ``.*``, ``.+`` or ``.?`` at an end: another operator does it faster."""
    match = _WRAPPED.fullmatch(pattern)
    return match is not None and not _SPECIAL.search(match[1])
