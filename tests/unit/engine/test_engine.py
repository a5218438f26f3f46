"""Alerts: which rules match, in which order, under which view, and what the alert says."""

from __future__ import annotations

from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.catalogue import CATALOGUE, FIELDS, FakeEvent, values_of
from tests.oracle.reference import holds
from tests.oracle.strategies import TEXTS, conditions, facts
from tests.unit.engine.planning import ABILITIES, rule
from tiercel.alert import Alert, Priority, alert_id
from tiercel.engine.engine import Engine
from tiercel.engine.planner import build
from tiercel.fields import PENDING
from tiercel.lang.ast import Check, FieldRef, Node, TextValue
from tiercel.ruleset.model import Rule

OPEN = {"proc.name": "cat", "proc.exe": "/usr/bin/cat", "proc.uid": 0, "evt.write": True, "fd.name": "/etc/shadow", "evt.res": 3}


def engine_of(*rules: Rule, matching: Literal["first", "all"] = "first") -> Engine:
    plan = build(rules, CATALOGUE, {"syscall": ABILITIES}, generation=1)
    return Engine(plan, matching=matching, hostname="web1", origin="boot/ring")


def names(alerts: Any) -> list[str]:
    return [alert.rule for alert in alerts]


def viewed(*paths: str, **facts: Any) -> FakeEvent:
    """An event whose path has several views."""
    event = FakeEvent("open", {**OPEN, **facts})
    event.views, event.paths = len(paths), paths
    event.select(0)
    return event


def test_the_first_matching_rule_is_reported_or_all_of_them() -> None:
    rules = [
        rule("never", "evt.type = open and proc.name = dog"),
        rule("second", "evt.type = open and fd.name startswith /etc"),
        rule("other type", "evt.type = connect"),
        rule("disabled", "evt.type = open", enabled=False),
        rule("third", "proc.name = cat"),
    ]
    event = FakeEvent("open", OPEN)
    for _ in range(3):  # also from the memos
        assert names(engine_of(*rules).evaluate(event)) == ["second"]
        assert names(engine_of(*rules, matching="all").evaluate(event)) == ["second", "third"]


def test_events_that_no_rule_can_match_give_nothing() -> None:
    engine = engine_of(rule("r", "evt.type = open and proc.name = cat"), rule("any", "proc.name = dog"))
    assert engine.evaluate(FakeEvent("open", {**OPEN, "proc.name": "dog"}))
    assert not engine.evaluate(FakeEvent("connect", OPEN))
    assert not engine.evaluate(FakeEvent("unheard-of", OPEN))
    assert engine.evaluate(FakeEvent("unheard-of", {"proc.name": "dog"}))
    assert not engine.evaluate(FakeEvent("", {"proc.name": "dog"}))  # only asks for a verdict
    stranger = type("Stranger", (FakeEvent,), {"source": "elsewhere"})
    assert not engine.evaluate(stranger("open", OPEN))


def test_an_alert_says_everything() -> None:
    engine = engine_of(
        rule(
            "Read shadow", "evt.type = open and fd.name = /etc/shadow", "%proc.name opened %fd.name (%proc.tty %proc.env[HOME])",
            priority=Priority.CRITICAL, tags=("T1003", "host"),
        )
    )  # fmt: skip
    event = FakeEvent("open", {**OPEN, "proc.env": (("HOME", "/root"),)})
    assert engine.evaluate(event) == [
        Alert(
            id=alert_id(origin="boot/ring", position=99, rule="Read shadow", view=0), rule="Read shadow", source="syscall",
            priority=Priority.CRITICAL, time=event.time, message="cat opened /etc/shadow (<NA> /root)",
            fields={
                "proc.name": "cat", "fd.name": "/etc/shadow", "proc.tty": None, "proc.env[HOME]": "/root",
                "evt.time": 1_700_000_000_000_000_000,
            },
            tags=("T1003", "host"), hostname="web1",
        )
    ]  # fmt: skip


def test_any_view_that_matches_is_a_match_and_the_alert_shows_it() -> None:
    engine = engine_of(rule("r", "evt.type = open and fd.name startswith /etc", "%fd.name"))
    event = viewed("/tmp/link", "/proc/x", "/etc/shadow")
    (alert,) = engine.evaluate(event)
    assert alert.message == "/etc/shadow"
    assert alert.id == alert_id(origin="boot/ring", position=99, rule="r", view=2)
    assert event.path == "/tmp/link"
    assert not engine.evaluate(viewed("/tmp/link", "/proc/x"))


def test_a_condition_never_mixes_views() -> None:
    engine = engine_of(rule("r", "evt.type = open and fd.name startswith /etc and fd.base = link"))
    assert not engine.evaluate(viewed("/tmp/link", "/etc/shadow"))
    assert engine.evaluate(viewed("/tmp/link", "/etc/shadow", "/etc/link"))


def test_an_exception_for_one_view_does_not_hide_another() -> None:
    engine = engine_of(rule("r", "evt.type = open and not fd.name startswith /tmp"))
    assert engine.evaluate(viewed("/tmp/link", "/etc/shadow"))


@given(nodes=st.lists(conditions(), min_size=1, max_size=4), known=facts(), paths=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3))
def test_rules_match_when_they_do_in_any_view(nodes: list[Node], known: dict[str, Any], paths: list[str]) -> None:
    nodes.append(Check(FieldRef("fd.name"), "startswith", TextValue("/e")))
    rules = [rule(f"r{number}", node) for number, node in enumerate(nodes)]
    expected = [
        each.name for each in rules if any(holds(each.condition, values_of("open", {**known, "fd.name": path}), FIELDS) for path in paths)
    ]
    every, first = engine_of(*rules, matching="all"), engine_of(*rules)
    for _ in range(3):  # also from the memos
        event = viewed(*paths, **known)
        assert names(every.evaluate(event)) == expected
        assert names(first.evaluate(event)) == expected[:1]


def test_rule_order_goes_before_the_order_of_views() -> None:
    rules = [rule("one", "evt.type = open and fd.name = /b"), rule("two", "evt.type = open and fd.name = /a")]
    assert names(engine_of(*rules).evaluate(viewed("/a", "/b"))) == ["one"]
    assert names(engine_of(*rules, matching="all").evaluate(viewed("/a", "/b"))) == ["one", "two"]


def test_unknown_facts_do_not_match_but_are_counted_for_the_rules_that_they_may_decide() -> None:
    engine = engine_of(
        rule("may", "evt.type = open and proc.name = cat"),
        rule("not", "evt.type = open and not proc.name in (dog)"),
        rule("no", "evt.type = open and proc.name = cat and fd.name = /nowhere"),
        matching="all",
    )
    event = FakeEvent("open", {**OPEN, "proc.name": PENDING})
    assert names(engine.evaluate(event)) == ["not"]  # unknown counts as missing
    viewing = viewed("/a", "/b", **{"proc.name": PENDING})
    assert names(engine.evaluate(viewing)) == ["not"]
    counters = engine.counters()
    assert [(counters[name].matches, counters[name].pending) for name in ("may", "not", "no")] == [(0, 2), (2, 0), (0, 0)]


def test_a_field_that_fails_is_counted_for_its_rules_and_stops_nothing() -> None:
    engine = engine_of(
        rule("deep", "evt.type = open and proc.depth > 1"), rule("other", "evt.type = open and proc.uid = 0"), matching="all"
    )  # fmt: skip
    assert names(engine.evaluate(FakeEvent("open", {**OPEN, "proc.exe": "/a/boom"}))) == ["other"]
    counters = engine.counters()
    assert counters["deep"].failures > 0
    assert counters["other"].failures == 0
    ((key, failures),) = engine.failures().items()
    assert key == ("syscall", "proc.depth")
    assert failures.error == "LookupError: /a/boom"
    assert not failures.quarantined
    assert failures.rules == ("deep",)
