"""What rules cost, and what decides about them: measured on every 64th event that is evaluated.

A sample asks each group of facts by itself which rules it drops, and times the conditions of those that are left. So a rule that is dear,
or that no mask ever drops, shows, at a cost that does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tiercel.engine.program import Program

__all__ = ["EVERY", "Decided", "sample"]

EVERY: Final = 64
"""One event of so many is sampled. A power of two."""


@dataclass(slots=True)
class Decided:
    """What decided about one rule, counted over the sampled events.

    Attributes:
        by_process: the facts of the process were enough to drop it.
        by_scalars: those and the scalars were.
        by_places: those and the place were.
        by_condition: its condition was evaluated, and timed.
        nanoseconds: time that these evaluations took.
    """

    by_process: int = 0
    by_scalars: int = 0
    by_places: int = 0
    by_condition: int = 0
    nanoseconds: int = 0


def sample(program: Program, event: Any) -> None:
    """Counts which rules each group of facts drops of an event, under the view that is selected."""
    left = (1 << len(program.steps)) - 1
    for group, mask in program.groups:
        dropped = left & ~mask(event)
        left &= ~dropped
        while dropped:
            lowest = dropped & -dropped
            dropped ^= lowest
            decided = program.steps[lowest.bit_length() - 1].state.decided
            if group == "process":
                decided.by_process += 1
            elif group == "scalar":
                decided.by_scalars += 1
            else:
                decided.by_places += 1
