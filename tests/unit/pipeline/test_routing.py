"""Which alerts an output gets."""

from __future__ import annotations

from typing import Any

import pytest

from tiercel.alert import Alert, Priority
from tiercel.config.routes import parse
from tiercel.pipeline import routing
from tiercel.pipeline.routing import Router


def alert(**changes: Any) -> Alert:
    values: dict[str, Any] = {
        "id": "1", "rule": "Shell in container", "source": "syscall", "priority": Priority.WARNING, "time": 1, "message": "m",
        "tags": ("container", "mitre_execution"), "fields": {"proc.name": "bash", "proc.pid": 7, "label.env": "prod"},
    }  # fmt: skip
    return Alert(**values | changes)


@pytest.mark.parametrize(
    "match",
    [
        {"priority": "warning"},
        {"priority": "Debug"},
        {"rule": "Shell in container"},
        {"rule": "Shell*"},
        {"rule": "*in*tain*"},
        {"source": "sys*"},
        {"tags": ["container"]},
        {"tags": ["mitre_execution", "container"]},
        {"labels": {"env": "prod"}},
        {"labels": {"env": "p*"}},
        {"fields": {"proc.name": "ba*"}},
        {"fields": {"proc.pid": "7"}},
        {"priority": "notice", "rule": "Shell*", "tags": ["container"], "source": "syscall", "labels": {"env": "prod"}},
    ],
)
def test_an_alert_that_fits_gets_through_and_is_left_out(match: dict[str, Any]) -> None:
    assert Router(parse([match])).wants(alert())
    assert not Router((), parse([match])).wants(alert())


@pytest.mark.parametrize(
    "match",
    [
        {"priority": "error"},
        {"rule": "Shell"},
        {"rule": "shell*"},
        {"source": "k8s_audit"},
        {"tags": ["container", "network"]},
        {"labels": {"env": "dev"}},
        {"labels": {"team": "*"}},
        {"fields": {"proc.name": "bash", "proc.pid": "8"}},
        {"priority": "warning", "rule": "Other"},
    ],
)
def test_an_alert_that_does_not_fit_stays(match: dict[str, Any]) -> None:
    assert not Router(parse([match])).wants(alert())
    assert Router((), parse([match])).wants(alert())


def test_without_anything_said_all_get_through() -> None:
    assert Router().wants(alert())


def test_one_match_is_enough_and_unless_counts_more() -> None:
    router = Router(parse([{"rule": "Other"}, {"priority": "warning"}]), parse([{"fields": {"proc.name": "bash"}}]))
    assert router.wants(alert(fields={"proc.name": "zsh"}))
    assert not router.wants(alert())


def test_values_of_all_types_have_a_text() -> None:
    router = Router(parse([{"fields": {"x": "true"}}, {"fields": {"x": "2"}}]))
    assert router.wants(alert(fields={"x": True}))
    assert router.wants(alert(fields={"x": ["1", 2]}))
    assert not router.wants(alert(fields={"x": [[], None, "1", False]}))
    assert not router.wants(alert(fields={"x": None}))


def test_rules_of_one_name_are_told_apart_by_what_they_say() -> None:
    """A reload may change priority and tags of a rule; sources may have rules of the same name."""
    router = Router(parse([{"priority": "error", "tags": ["a"], "source": "x"}]))
    assert not router.wants(alert())
    assert router.wants(alert(priority=Priority.ERROR, tags=("a",), source="x"))
    assert not router.wants(alert(priority=Priority.ERROR, tags=("b",), source="x"))
    assert not router.wants(alert(priority=Priority.ERROR, tags=("a",), source="y"))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "MAX_RULES", 8)
    router = Router(parse([{"rule": "1*"}]))
    assert [n for n in range(30) if router.wants(alert(rule=str(n)))] == [1, *range(10, 20)]
    assert len(router._rules) <= 8
