"""Rules and abilities for tests of planning."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from tiercel.alert import Priority
from tiercel.components.source import Abilities
from tiercel.fields import ChangePoint
from tiercel.lang.ast import Node
from tiercel.ruleset.model import Rule

ALL = frozenset({"=", "!=", "<", "<=", ">", ">=", "in", "exists", "startswith", "endswith", "contains", "pmatch", "glob"})
ABILITIES = Abilities(
    event_types=frozenset({"open", "openat", "connect"}),
    judged_types=frozenset({"open", "connect"}),
    compared=ChangePoint.CREDENTIALS,
    scalars={"evt.flags": ALL, "evt.res": frozenset({"=", "<", ">="}), "evt.write": frozenset({"="}), "evt.ratio": ALL, "evt.sizes": ALL},
    places={
        "fd.name": frozenset({"=", "in", "startswith", "pmatch"}), "fd.ip": frozenset({"="}), "fd.net": ALL, "fd.sip": ALL,
        "fd.snet": frozenset({"=", "in"}), "fd.base": frozenset({"endswith", "!="}),
    },
    max_classes=3,
    max_atoms=4,
)  # fmt: skip


def rule(name: str, condition: Node, **more: Any) -> Rule:
    """A rule with an empty output."""
    output = cast("Any", SimpleNamespace(parts=(), fields=()))
    return Rule(**{
        "name": name, "description": "", "condition": condition, "condition_text": "", "output": output, "priority": Priority.NOTICE,
        "source": "syscall", **more,
    })  # fmt: skip
