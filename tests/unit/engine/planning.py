"""Rules and abilities for tests of planning."""

from __future__ import annotations

from typing import Any

from tests.oracle.catalogue import CATALOGUE
from tests.oracle.strategies import EVENT_TYPES
from tiercel.alert import Priority
from tiercel.components.source import Abilities
from tiercel.engine.planner import Plan, build
from tiercel.fields import ChangePoint
from tiercel.lang.ast import Node
from tiercel.lang.check import check_condition
from tiercel.lang.evttypes import event_types
from tiercel.lang.formats import parse_format
from tiercel.lang.parser import parse
from tiercel.ruleset.model import Rule

KNOWN = frozenset(EVENT_TYPES)
ALL = frozenset({"=", "!=", "<", "<=", ">", ">=", "in", "exists", "startswith", "endswith", "contains", "pmatch", "glob"})
ABILITIES = Abilities(
    event_types=KNOWN,
    judged_types=frozenset({"open", "connect"}),
    compared=ChangePoint.CREDENTIALS,
    scalars={
        "evt.flags": ALL, "evt.res": frozenset({"=", "<", ">="}), "evt.write": frozenset({"="}), "evt.ratio": ALL, "evt.sizes": ALL,
        "proc.aname": ALL,
    },
    places={
        "fd.name": frozenset({"=", "in", "startswith", "pmatch"}), "fd.ip": frozenset({"="}), "fd.net": ALL, "fd.sip": ALL,
        "fd.snet": frozenset({"=", "in"}), "fd.base": frozenset({"endswith", "!="}),
    },
    max_classes=3,
    max_atoms=4,
)  # fmt: skip


def rule(name: str, condition: Node | str, output: str = "*", **more: Any) -> Rule:
    """A rule; a condition that is text is parsed, checked and restricted to its event types, as the loader does it."""
    types = None
    if isinstance(condition, str):
        condition = check_condition(parse(condition), CATALOGUE, "syscall", event_types=KNOWN)
        types = event_types(condition, known=KNOWN)
    values = {
        "name": name, "description": "", "condition": condition, "condition_text": "", "priority": Priority.NOTICE, "source": "syscall",
        "output": parse_format(output, CATALOGUE, "syscall"), "event_types": types, **more,
    }  # fmt: skip
    return Rule(**values)


def plan_of(*conditions: str, abilities: Abilities = ABILITIES, extra: frozenset[str] = frozenset()) -> Plan:
    """The plan of rules r0, r1, ... with these conditions."""
    rules = [rule(f"r{number}", condition) for number, condition in enumerate(conditions)]
    return build(rules, CATALOGUE, {"syscall": abilities}, generation=1, extra_fields={"syscall": extra})
