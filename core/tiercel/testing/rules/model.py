"""Tests as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiercel.testing.rules.decoder import StatedEvent

__all__ = ["Accepted", "Expected", "RuleTest", "TestFile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An alert that must come. What is None is not compared.

    Attributes:
        rule: name of the rule.
        priority: label of the priority.
        output: the whole text.
        contains: a part of the text.
        fields: value by field, as the alert has it or as text.
        tags: all tags, sorted.
    """

    rule: str
    priority: str | None = None
    output: str | None = None
    contains: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """One test.

    Attributes:
        name: what it shows.
        line: line in the file, from 1.
        events: the events, contexts filled in.
        capture: recording in place of them; None if there is none.
        expect: all alerts, in order; None if it says only which rules must be silent.
        silent: rules that must not speak; None for all.
    """

    name: str
    line: int
    events: tuple[StatedEvent, ...] = ()
    capture: Path | None = None
    expect: tuple[Expected, ...] | None = None
    silent: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class Accepted:
    """A mutant that may live.

    Attributes:
        rule: name of the rule.
        mutant: the mutant as it is printed.
        reason: why.
        line: line in the file, from 1.
        column: column, from 1.
    """

    rule: str
    mutant: str
    reason: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFile:
    """A file of tests.

    Attributes:
        path: the file.
        source: event source.
        matching: ``first`` or ``all``.
        tests: the tests.
        accepted: mutants that may live.
    """

    __test__ = False  # no test class of pytest's

    path: Path
    source: str
    matching: str
    tests: tuple[RuleTest, ...]
    accepted: tuple[Accepted, ...] = ()
