"""What the configuration adds to outputs and fields of alerts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.oracle.catalogue import CATALOGUE
from tests.unit.engine.planning import KNOWN, rule
from tiercel.components.source import Abilities
from tiercel.engine.engine import Engine
from tiercel.engine.planner import build
from tiercel.fields import Field
from tiercel.ruleset.extra_output import ExtraOutput, with_extra_output
from tiercel.testing.facts import FactCatalogue, FactEvent

PLAIN = rule("plain", "evt.type = open", "file %fd.name")
TAGGED = rule("tagged", "evt.type = open", "tags", tags=("a", "b"))


class Suggesting:
    """The catalogue with some suggested fields."""

    def get(self, name: str, source: str) -> Field | None:
        field = CATALOGUE.get(name, source)
        return field and replace(field, suggested=name in ("proc.uid", "fd.port", "evt.flags"))

    def names(self, source: str) -> list[str]:
        return CATALOGUE.names(source)


def outputs(*entries: ExtraOutput) -> list[str]:
    rules, problems = with_extra_output([PLAIN, TAGGED], entries, Suggesting())
    assert problems == []
    return [each.output.text for each in rules]


def test_outputs_grow_where_everything_fits() -> None:
    assert outputs() == ["file %fd.name", "tags"]
    assert outputs(ExtraOutput(output="uid=%proc.uid")) == ["file %fd.name uid=%proc.uid", "tags uid=%proc.uid"]
    assert outputs(ExtraOutput(output="x", tags=("b",)), ExtraOutput(output="y", rule="plain")) == ["file %fd.name y", "tags x"]
    assert outputs(ExtraOutput(output="x", tags=("b", "c"))) == ["file %fd.name", "tags"]
    assert outputs(ExtraOutput(output="x", source="other")) == ["file %fd.name", "tags"]
    assert outputs(ExtraOutput(output="x", source="syscall", rule="tagged", tags=("a",)))[1] == "tags x"


def test_suggested_fields_are_added_by_name() -> None:
    wanted = " evt_flags=%evt.flags fd_port=%fd.port proc_uid=%proc.uid"
    assert outputs(ExtraOutput(suggested=True, rule="plain")) == [f"file %fd.name{wanted}", "tags"]


def test_mistakes_are_told_once_for_each_entry() -> None:
    entries = [
        ExtraOutput(output="%proc.nam"),
        ExtraOutput(fields=(("proc.nam", None), ("proc.name and more", None), ("x", "%"), ("proc.name", None))),
    ]
    rules, problems = with_extra_output([PLAIN, TAGGED], entries, CATALOGUE)
    assert [(number, key) for number, key, _ in problems] == [(0, "extra_output")] + 3 * [(1, "extra_fields")]
    assert [message.partition(": ")[0] for _, _, message in problems[1:]] == ['"proc.nam"', '"proc.name and more"', '"x"']
    assert [len(each.extra_fields) for each in rules] == [1, 1]


def alert_fields(entry: ExtraOutput, **given: Any) -> dict[str, Any]:
    facts = FactCatalogue(CATALOGUE)
    rules, problems = with_extra_output([PLAIN], [entry], facts)
    assert problems == []
    plan = build(rules, facts, {"syscall": Abilities(event_types=KNOWN)}, generation=1)
    assert {"fd.name", *(field.name for field in rules[0].printed)} <= plan.source("syscall").fields
    event = FactEvent("syscall", facts.facts({name.replace("__", "."): value for name, value in given.items()}, "syscall"))
    event.type = "open"
    (alert,) = Engine(plan, matching="first", hostname="h", origin="o").evaluate(event)
    return {name: value for name, value in alert.fields.items() if name not in ("evt.time", "fd.name")}


def test_alerts_carry_raw_values_and_texts() -> None:
    entry = ExtraOutput(fields=(("proc.uid", None), ("who", "user %proc.uid of %proc.name"), ("fixed", "x"), ("proc.tty", None)))
    assert alert_fields(entry, proc__uid=7) == {"proc.uid": 7, "who": "user 7 of <NA>", "fixed": "x", "proc.tty": None}
