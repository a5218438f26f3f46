"""Rules as the planner takes them: parsed, checked, with lists and macros filled in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiercel.alert import Priority
    from tiercel.errors import Diagnostic
    from tiercel.lang.ast import Node
    from tiercel.lang.formats import Format
    from tiercel.ruleset.origins import CheckOrigin

__all__ = ["Rule", "RuleSet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, ready to plan.

    Attributes:
        name: unique name.
        description: what it is for.
        condition: tree without macros and list names; every check has passed the type check.
        condition_text: the condition as written.
        output: parsed output format.
        priority: urgency.
        source: event source.
        tags: sorted.
        enabled: false for rules that are loaded but must not run.
        event_types: event types that it can match; None for all.
        file: file of its definition.
        line: line of its definition, from 1.
        origins: where each check of `condition` comes from, in order; empty unless they were asked for.
    """

    name: str
    description: str
    condition: Node
    condition_text: str
    output: Format
    priority: Priority
    source: str
    tags: tuple[str, ...] = ()
    enabled: bool = True
    event_types: frozenset[str] | None = None
    file: str = ""
    line: int = 0
    origins: tuple[CheckOrigin, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of all files, in matching order, and the warnings that loading them gave."""

    rules: tuple[Rule, ...]
    warnings: tuple[Diagnostic, ...] = field(default=())
