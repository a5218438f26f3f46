"""Parts of plugins that fail again and again: how that is told of all of them, and for how long outputs and enrichers are left alone."""

from __future__ import annotations

from typing import Final

from tiercel.errors import UserError
from tiercel.plugins.calls import Late, WrongType

__all__ = ["CLOSE_SECONDS", "FIRST_QUARANTINE", "LONGEST_QUARANTINE", "OPEN_SECONDS", "QUARANTINED", "RESTORED", "explained"]

OPEN_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 5.0
FIRST_QUARANTINE: Final = 30.0
LONGEST_QUARANTINE: Final = 600.0
"""Seconds, doubled each time."""

QUARANTINED: Final = "Tiercel internal: plugin quarantined"
RESTORED: Final = "Tiercel internal: plugin restored"


def explained(error: BaseException, *plain: type[BaseException]) -> str:
    """What went wrong, for people. Errors of the `plain` classes need no name before their text, nor do those that the core makes."""
    return str(error) if isinstance(error, (UserError, Late, WrongType, *plain)) else f"{type(error).__name__}: {error}"
