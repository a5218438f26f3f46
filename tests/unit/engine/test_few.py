"""Values that conditions only compare with literals: all others are alike, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.catalogue import CATALOGUE, FakeEvent
from tests.unit.engine.planning import plan_of
from tiercel.engine.codegen import Generator
from tiercel.engine.few import Few, compared_values
from tiercel.engine.groups import Groups
from tiercel.engine.nnf import normal_form
from tiercel.fields import PENDING
from tiercel.lang.check import check_condition
from tiercel.lang.parser import parse


def compared(*conditions: str) -> dict[str, tuple[Any, ...]]:
    generator = Generator(Groups(CATALOGUE, "syscall"))
    trees = [normal_form(check_condition(parse(each), CATALOGUE, "syscall", event_types=None)) for each in conditions]
    return {ref.name: values for ref, (_, values) in compared_values(generator, trees).items()}


@pytest.mark.parametrize("kind", [int, str])
def test_all_others_of_the_type_are_one_value(kind: type[int | str]) -> None:
    few = Few(kind, (kind(0), kind(1), kind("2")))
    assert [few(kind(each)) for each in range(3)] == [kind(each) for each in range(3)]
    (other,) = {few(kind(7)), few(kind(8)), few(kind(-1))}
    assert type(other) is kind
    assert other not in {kind(each) for each in range(3)}
    for value in (None, PENDING, True, b"1", 1.0, ()):
        assert few(value) is value
    assert Few(str, ("", "\0"))("x") not in ("", "\0")


def test_only_fields_that_every_check_compares_with_literals_count() -> None:
    found = compared("proc.uid = 5 or proc.uid in (1, 2) and not proc.name = a", "proc.uid != 0 and proc.uid exists")
    assert {name: set(values) for name, values in found.items()} == {"proc.uid": {5, 1, 2, 0}, "proc.name": {"a"}}
    assert set(compared("proc.name = a", "proc.name = anyof (b, c)")["proc.name"]) == {"a", "b", "c"}


@pytest.mark.parametrize("other", ["proc.name startswith b", "tolower(proc.name) = b", "proc.exe = val(proc.name)", "proc.name < 5"])
def test_fields_that_any_check_looks_at_otherwise_do_not(other: str) -> None:
    assert "proc.name" not in compared("proc.name = a", other)


def test_fields_that_others_are_computed_from_are_left_alone() -> None:
    assert "proc.exe" not in compared("proc.exe = a", "proc.depth > 1")


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40))
def test_process_masks_are_those_of_the_values(uids: list[int]) -> None:
    plan = plan_of("evt.type = open and proc.uid = 5", "evt.type = open and not proc.uid in (1, 2)", "evt.type = open and proc.uid != 3")
    masks = plan.sources["syscall"].program("open").masks
    for uid in uids:
        assert masks(FakeEvent("open", {"proc.uid": uid})) == (uid == 5) | (uid not in (1, 2)) << 1 | (uid != 3) << 2
    assert masks(FakeEvent("open", {})) == 0b010
    assert masks(FakeEvent("open", {"proc.uid": PENDING})) == 0b111
