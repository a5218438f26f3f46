"""What the kinds of records ask of the decoder."""

from __future__ import annotations

from typing import Final

from tiercel_ebpf import records as r

__all__ = ["EXEC", "EXIT", "FORK", "OPEN", "OTHER", "QUIET", "role_of"]

QUIET: Final = "quiet"
"""Changes the process table, and no rule looks at it. Roles are compared by identity."""
EXEC: Final = "exec"
FORK: Final = "fork"
EXIT: Final = "exit"
OPEN: Final = "open"
OTHER: Final = "other"


def role_of(kind: int, *, wanted: bool) -> str:
    """What records of a kind ask for. There is no kind 0: nothing comes of it."""
    if kind <= r.LAST_STATE_KIND and not wanted:
        return QUIET
    if kind in r.EXECS:
        return EXEC
    if kind in r.FORKS:
        return FORK
    if kind == r.EXIT:
        return EXIT
    return OPEN if kind in r.OPENS else OTHER
