"""What rules cost is sampled, and sampling changes no outcome."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.catalogue import CATALOGUE, FakeEvent
from tests.oracle.strategies import EVENT_TYPES, conditions, facts
from tests.unit.engine.planning import ABILITIES, plan_of, rule
from tiercel.engine.cost import EVERY
from tiercel.engine.engine import Engine
from tiercel.engine.planner import build
from tiercel.lang.ast import Node


def sampled(number: int, **given_facts: object) -> FakeEvent:
    event = FakeEvent("open", {name.replace("_", ".", 1): value for name, value in given_facts.items()})
    event.number = number
    return event


def test_each_group_is_asked_in_turn() -> None:
    conditions = ("evt.type = open and proc.name = cat and evt.res = 0 and fd.name = /a", "evt.type = open and fd.name = /a")
    engine = Engine(plan_of(*conditions), matching="all", hostname="h", origin="o")
    for event in (
        sampled(EVERY, proc_name="dog", evt_res=0, fd_name="/a"),
        sampled(2 * EVERY, proc_name="cat", evt_res=1, fd_name="/a"),
        sampled(3 * EVERY, proc_name="cat", evt_res=0, fd_name="/b"),
        sampled(4 * EVERY, proc_name="cat", evt_res=0, fd_name="/a"),
        sampled(4 * EVERY + 1, proc_name="cat", evt_res=0, fd_name="/a"),
    ):
        engine.evaluate(event)
    counters = engine.counters()
    first, second = counters["r0"], counters["r1"]
    assert (first.by_process, first.by_scalars, first.by_places, first.by_condition, first.matches) == (1, 1, 1, 1, 2)
    assert (second.by_process, second.by_scalars, second.by_places, second.by_condition, second.matches) == (0, 0, 1, 3, 4)
    assert first.nanoseconds > 0


@given(
    nodes=st.lists(conditions(), min_size=1, max_size=4),
    event_type=st.sampled_from(EVENT_TYPES),
    seen=st.lists(facts(), min_size=1, max_size=3),
)
def test_samples_change_nothing(nodes: list[Node], event_type: str, seen: list[dict[str, object]]) -> None:
    found = []
    for every in (1, 1_000_000):
        plan = build([rule(f"r{each}", node) for each, node in enumerate(nodes)], CATALOGUE, {"syscall": ABILITIES}, generation=1)
        engine = Engine(plan, matching="all", hostname="h", origin="o")
        alerts = []
        for each in seen * 2:
            with patch("tiercel.engine.engine.EVERY", every):
                alerts.append([alert.rule for alert in engine.evaluate(FakeEvent(event_type, each))])
        found.append((alerts, {name: (each.matches, each.pending) for name, each in engine.counters().items()}))
    assert found[0] == found[1]
