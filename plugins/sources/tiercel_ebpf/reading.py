"""How records of one plan are read: what each kind asks of the decoder, and which records need not become events."""

from __future__ import annotations

from typing import Final

from tiercel import SourcePlan
from tiercel_ebpf import records as r
from tiercel_ebpf.dismiss import hopeless
from tiercel_ebpf.roles import role_of
from tiercel_ebpf.wants import wanted

__all__ = ["Reading"]

PARENT: Final = "ppid"


class Reading:
    """What the decoder takes from a plan.

    Attributes:
        number: number of the plan.
        wants: what is collected for it.
        judging: processes get verdicts.
        has_parents: records say the parent.
        roles: role of each kind of record.
        dismissals: for each kind, what tells records that no rule can match; None if they cannot be told.
    """

    __slots__ = ("dismissals", "has_parents", "judging", "number", "roles", "wants")

    def __init__(self, plan: SourcePlan) -> None:
        self.number = plan.generation
        self.wants = wanted(plan)
        self.judging = bool(plan.judged)
        self.has_parents = PARENT in self.wants
        self.roles = tuple(role_of(number, wanted=name in plan.wanted_types) for number, name in enumerate(r.KINDS))
        self.dismissals = tuple(hopeless(plan, number) for number in range(len(r.KINDS)))
