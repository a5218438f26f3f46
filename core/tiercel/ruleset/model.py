"""What rule files say, read, checked and put together: rules as the planner takes them, and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiercel.alert import Priority
    from tiercel.errors import Diagnostic
    from tiercel.lang.ast import Node
    from tiercel.lang.formats import Format, FormatField
    from tiercel.ruleset.origins import CheckOrigin
    from tiercel.ruleset.requirements import PluginRequirement, Version

__all__ = ["ExtraField", "ListDefinition", "MacroDefinition", "Rule", "RuleException", "RuleSet", "SkippedRule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleException:
    """An exception of a rule, with the values that were appended to it.

    Attributes:
        name: its name; several of a rule may have the same.
        fields: fields and transformers, as written.
        operators: one for each field.
        values: for each combination of values its texts, one for each field; a list of values is one text in brackets. Of an exception
            whose field is a single text all values form one combination each.
        condition: the generated text, ``(proc.name in (a, b))``, before names of lists are replaced; "" without values.
        file: file of its definition.
        line: line of its definition, from 1.
    """

    name: str
    fields: tuple[str, ...]
    operators: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    condition: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraField:
    """A value that the configuration adds to the fields of alerts (``append_output``).

    Attributes:
        name: its name among the fields of an alert.
        format: what it holds.
        raw: `format` is one field and nothing else, and its value keeps its type; else the value is text.
    """

    name: str
    format: Format
    raw: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, ready to plan.

    Attributes:
        name: unique name.
        description: what it is for.
        condition: tree without macros and list names, exceptions included; every check has passed the type check.
        condition_text: the condition as written, with what was appended, without exceptions.
        output: parsed output format, with what the configuration adds.
        output_text: the output as written.
        priority: urgency.
        source: event source.
        tags: sorted.
        enabled: false for rules that are loaded but must not run.
        capture: a match starts a capture.
        capture_duration: milliseconds; 0 for the configured default.
        warn_evttypes: false if the rule is known to match too many event types.
        skip_if_unknown_filter: it is left out where a field or event type does not exist.
        exceptions: in the order of their definition.
        extra_fields: values that the configuration adds to the fields of its alerts.
        lists: names of the lists in its condition and exceptions.
        macros: names of the macros in its condition; those that these use are not among them.
        event_types: event types that it can match; None for all.
        file: file of its definition, of the last one if there are several.
        line: line of its definition, from 1.
        origins: where each check of `condition` comes from, in order; empty unless they were asked for.
    """

    name: str
    description: str
    condition: Node
    condition_text: str
    output: Format
    output_text: str = ""
    priority: Priority
    source: str
    tags: tuple[str, ...] = ()
    enabled: bool = True
    capture: bool = False
    capture_duration: int = 0
    warn_evttypes: bool = True
    skip_if_unknown_filter: bool = False
    exceptions: tuple[RuleException, ...] = ()
    extra_fields: tuple[ExtraField, ...] = ()
    lists: tuple[str, ...] = ()
    macros: tuple[str, ...] = ()
    event_types: frozenset[str] | None = None
    file: str = ""
    line: int = 0
    origins: tuple[CheckOrigin, ...] = field(default=(), compare=False)

    @property
    def printed(self) -> tuple[FormatField, ...]:
        """All that its alerts show: fields and transformers of the output and of what the configuration adds."""
        return (*self.output.fields, *(each for extra in self.extra_fields for each in extra.format.fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDefinition:
    """A list.

    Attributes:
        name: its name.
        items: its items as written, with what was appended.
        expanded: its items with those of the lists that it holds in place of their names.
        lists: names of the lists that it holds.
        used: a condition or another list names it.
        file: file of its definition, of the last one if there are several.
        line: line of its definition, from 1.
    """

    name: str
    items: tuple[str, ...]
    expanded: tuple[str, ...]
    lists: tuple[str, ...] = ()
    used: bool = False
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroDefinition:
    """A macro.

    Attributes:
        name: its name.
        condition_text: the condition as written, with what was appended.
        condition: its tree, lists filled in, other macros as references. Nothing is checked against the fields: that happens where it is
            used.
        lists: names of the lists in its condition.
        macros: names of the macros in its condition; those that these use are not among them.
        used: a condition names it.
        file: file of its definition, of the last one if there are several.
        line: line of its definition, from 1.
    """

    name: str
    condition_text: str
    condition: Node
    lists: tuple[str, ...] = ()
    macros: tuple[str, ...] = ()
    used: bool = False
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedRule:
    """A rule that was left out because its event source does not exist.

    Attributes:
        name: its name.
        source: its event source.
        fields: names of all fields that its condition, macros, exceptions and output name.
        file: file of its definition.
        line: line of its definition, from 1.
    """

    name: str
    source: str
    fields: frozenset[str]
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All that the rule files say.

    Attributes:
        rules: in matching order.
        warnings: what loading them gave, in the order of the files.
        lists: in the order of their first definition.
        macros: in the order of their first definition.
        skipped: rules of event sources that do not exist.
        required_engine_version: the highest that a file asks for; None if none does.
        required_plugins: what the files ask for, in order.
    """

    rules: tuple[Rule, ...]
    warnings: tuple[Diagnostic, ...] = field(default=())
    lists: tuple[ListDefinition, ...] = ()
    macros: tuple[MacroDefinition, ...] = ()
    skipped: tuple[SkippedRule, ...] = ()
    required_engine_version: Version | None = None
    required_plugins: tuple[PluginRequirement, ...] = ()
