"""Events as plain fields, judged by the production engine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle.catalogue import CATALOGUE
from tests.unit.engine.planning import KNOWN, rule
from tiercel.components.source import Abilities
from tiercel.engine.engine import Engine
from tiercel.engine.planner import build
from tiercel.fields import PENDING
from tiercel.testing.facts import FactCatalogue, FactEvent

FACTS = FactCatalogue(CATALOGUE)


def fires(condition: str, **given: Any) -> bool:
    event = FactEvent("syscall", FACTS.facts({key.replace("__", "."): value for key, value in given.items()}, "syscall"))
    plan = build([rule("r", condition)], FACTS, {"syscall": Abilities(event_types=KNOWN)}, generation=1)
    engine = Engine(plan, matching="first", hostname="h", origin="o")
    return bool(engine.evaluate(event))


@pytest.mark.parametrize(
    ("condition", "given", "expected"),
    [
        ("evt.type = open and proc.name = cat", {"evt.type": "open", "proc.name": "cat"}, True),
        ("evt.type = open and proc.name = cat", {"evt.type": "open", "proc.name": "dog"}, False),
        ("evt.type = open and proc.name = cat", {"evt.type": "connect", "proc.name": "cat"}, False),
        ("evt.type = open and proc.name != cat", {"evt.type": "open"}, False),
        ("evt.type = connect and fd.sip = 10.0.0.1", {"evt.type": "connect", "fd.sip": "10.0.0.1"}, True),
        ("evt.type = connect and fd.ip = 10.0.0.1", {"evt.type": "connect", "fd.ip": ["10.0.0.2", "10.0.0.1"]}, True),
        ("evt.type = open and proc.aname = init", {"evt.type": "open", "proc.aname": ["bash", "init"]}, True),
        ("evt.type = open and proc.aname[2] = init", {"evt.type": "open", "proc.aname": ["bash", "init"]}, True),
        ("evt.type = open and proc.aname[2] = init", {"evt.type": "open", "proc.aname[2]": "init"}, True),
        ("evt.type = open and proc.aname[0] = sh", {"evt.type": "open", "proc.name": "sh", "proc.aname": ["bash"]}, True),
        ("evt.type = open and proc.env[HOME] = /root", {"evt.type": "open", "proc.env": {"HOME": "/root"}}, True),
        ("evt.type = open and proc.env[HOME] = /root", {"evt.type": "open", "proc.env[HOME]": "/root"}, True),
        ("evt.type = open and fd.base = passwd", {"evt.type": "open", "fd.name": "/etc/passwd"}, True),
        ("evt.type = open and fd.base = other", {"evt.type": "open", "fd.name": "/etc/passwd", "fd.base": "other"}, True),
        ("evt.type = open and evt.write = true", {"evt.type": "open", "evt.write": True}, True),
        ("evt.type = open and ka.images in (a, b)", {"evt.type": "open", "ka.images": ["a", "b"]}, True),
        ("evt.type = open and evt.res < 0", {"evt.type": "open", "evt.res": -2}, True),
    ],
)
def test_plain_fields_are_judged_like_live_ones(condition: str, given: dict[str, Any], expected: bool) -> None:
    assert fires(condition, **given) is expected


def test_unknown_facts_stay_unknown() -> None:
    event = FactEvent("syscall", FACTS.facts({"evt.type": "open", "proc.name": PENDING}, "syscall"))
    assert event.pending


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"proc.nam": "x"}, 'unknown field "proc.nam" (did you mean "proc.name"?)'),
        ({"no field": "x"}, 'bad field (got "no field"'),
        ({"evt.res": "many"}, 'evt.res: bad number (got "many"'),
        ({"evt.res": True}, "evt.res: bad number (got true)"),
        ({"evt.write": "maybe"}, 'evt.write: bad boolean (got "maybe"'),
        ({"fd.sip": "somewhere"}, 'fd.sip: bad address (got "somewhere"'),
        ({"proc.name": ["a"]}, "proc.name: one value is expected (got the list ['a'])"),
        ({"proc.name": {"a": 1}}, "proc.name: no mapping is expected"),
        ({"proc.env[HOME]": ["a"]}, "proc.env[HOME]: one value is expected"),
    ],
)
def test_values_that_do_not_fit_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        FACTS.facts(given, "syscall")
    assert message in str(error.value)
