"""Regular expressions of rules: RE2 in POSIX syntax, so that no pattern can take more than linear time."""

from __future__ import annotations

import re
from typing import Final

import re2

__all__ = ["check_regex", "is_simple"]

_SPECIAL: Final = re.compile(r"[][\\^$.|?*+(){}]")
_WRAPPED: Final = re.compile(r"\^?(?:\.[*+?])?(.*?)(?:\.[*+?])?\$?", re.DOTALL)


def check_regex(pattern: str) -> None:
    """Refuses what RE2 cannot compile.

    Raises:
        ValueError: says what RE2 says.
    """
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.posix_syntax = options.longest_match = True
    error: type[Exception] = re2.error
    try:
        re2.compile(pattern.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), options)
    except error as failure:
        reason = failure.args[0] if failure.args else ""
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
        raise ValueError(f'invalid regex pattern (got "{pattern}", expected RE2 in POSIX syntax: {reason})') from None


def is_simple(pattern: str) -> bool:
    """True if the pattern is plain text with anchors, or with ``.*``, ``.+`` or ``.?`` at an end: another operator does it faster."""
    match = _WRAPPED.fullmatch(pattern)
    return match is not None and not _SPECIAL.search(match[1])
