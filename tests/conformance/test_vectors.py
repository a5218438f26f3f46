"""Falco's own cases, against the fields and event types that the reference lists, and against those of our plugins.

The code that runs them is `tiercel.testing.conformance`.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Final

import pytest

from tests.conformance.vectors import FieldsOfTheReference, event_types, load_vectors
from tiercel.lang.check import ConditionError, check_condition
from tiercel.lang.parser import parse
from tiercel.testing.conformance.__main__ import KINDS, problems
from tiercel.testing.conformance.exceptions import EXCEPTIONS
from tiercel.testing.conformance.setting import SOURCE, Fields, Setting

LEAST: Final = {"conditions": 500, "evaluate": 300, "evttypes": 80, "formats": 35, "strings": 15, "condition_warnings": 6, "rulefiles": 140}
"""Cases of each kind, so that none goes missing."""
OTHERS: Final = frozenset({"close", "mmap", "container", "execve", "getcwd", "access", "read", "write", "switch"})
"""Event types of cases that the stock rules do not name."""
ALL: Final = {**LEAST, "fspath": 26, "utils": 23}


class Reference(Setting):
    """Fields and event types of the reference."""

    def __init__(self, shared: Path) -> None:
        self._shared = shared

    @cached_property
    def fields(self) -> Fields:
        return Fields(FieldsOfTheReference(self._shared), ())

    @cached_property
    def event_types(self) -> dict[str, frozenset[str]]:
        return {SOURCE: event_types(self._shared) | OTHERS}


@pytest.fixture(scope="module")
def setting(shared: Path) -> Reference:
    return Reference(shared)


@pytest.fixture(scope="module")
def installed_fields() -> Setting:
    return Setting()


def failing(kind: str, shared: Path, setting: Setting) -> dict[str, list[str]]:
    setting.directory = shared / "vectors"
    cases = load_vectors(shared, f"{kind}.jsonl")
    assert len(cases) >= ALL[kind]
    return {case["id"]: found for case in cases if (found := problems(kind, case, setting))}


@pytest.mark.parametrize("kind", LEAST)
def test_every_case_with_the_fields_of_the_reference(kind: str, shared: Path, setting: Reference) -> None:
    assert failing(kind, shared, setting) == {}


@pytest.mark.parametrize("kind", ALL)
def test_every_case_with_the_fields_of_the_plugins(kind: str, shared: Path, installed_fields: Setting) -> None:
    assert set(failing(kind, shared, installed_fields)) == set(EXCEPTIONS) & {case["id"] for case in load_vectors(shared, f"{kind}.jsonl")}


def test_no_kind_is_left_out() -> None:
    assert set(ALL) == set(KINDS)


def test_refused_for_the_right_reason(shared: Path, setting: Reference) -> None:
    """Cases of operators that do not fit must fail for the operator, not for want of the field."""
    tried = 0
    for case in load_vectors(shared, "conditions.jsonl"):
        if ("operators_field_types_compatibility" in case["id"] or "rawarg" in case["id"]) and case["parses"] and not case["valid"]:
            tried += 1
            with pytest.raises(ConditionError, match=r"operator not supported|bad number"):
                check_condition(parse(case["condition"]), setting.fields, SOURCE, event_types=None)
    assert tried > 90
