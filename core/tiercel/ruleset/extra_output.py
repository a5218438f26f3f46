"""What the configuration adds to the outputs and fields of alerts: ``append_output`` (rule language, section 12)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from tiercel.lang.formats import FormatError, FormatField, parse_format
from tiercel.ruleset.model import ExtraField, Rule

if TYPE_CHECKING:
    from tiercel.lang.view import FieldsView

__all__ = ["ExtraOutput", "Problem", "with_extra_output"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraOutput:
    """One entry. It is for rules that fit all of `source`, `tags` and `rule` that are given.

    Attributes:
        source: event source; "" for all.
        tags: the rule has all of these.
        rule: name of the rule; "" for all.
        output: format that is added to the output behind a blank; "" for none.
        fields: name and format of each value that is added to the fields of alerts; where the format is None, the name is a field.
        suggested: for each field that its plugin suggests, `` name=%field`` is added, dots being ``_`` in the name.
    """

    source: str = ""
    tags: tuple[str, ...] = ()
    rule: str = ""
    output: str = ""
    fields: tuple[tuple[str, str | None], ...] = ()
    suggested: bool = False

    def means(self, rule: Rule) -> bool:
        """Whether it is for a rule."""
        return self.source in ("", rule.source) and self.rule in ("", rule.name) and set(self.tags) <= set(rule.tags)


class Problem(NamedTuple):
    """What is wrong with an entry.

    Attributes:
        number: of the entry.
        key: of the entry, that is wrong.
        message: what is wrong.
    """

    number: int
    key: str
    message: str


def with_extra_output(
    rules: Iterable[Rule], entries: Sequence[ExtraOutput], catalogue: FieldsView
) -> tuple[tuple[Rule, ...], list[Problem]]:
    """Adds what the entries say, in their order.

    Args:
        rules: loaded rules.
        entries: the entries.
        catalogue: the fields.

    Returns:
        The rules, and what is wrong with entries, once for each entry and event source.
    """
    problems: dict[Problem, None] = {}
    made = []
    for rule in rules:
        changed = rule
        for number, entry in enumerate(entries):
            if entry.means(rule):
                changed = _changed(changed, entry, number, catalogue, problems)
        made.append(changed)
    return tuple(made), list(problems)


def _changed(rule: Rule, entry: ExtraOutput, number: int, catalogue: FieldsView, problems: dict[Problem, None]) -> Rule:
    """A rule with what an entry adds; what is wrong is left out and noted."""
    extra = list(rule.extra_fields)
    for name, text in entry.fields:
        try:
            output = parse_format(f"%{name}" if text is None else text, catalogue, rule.source)
        except FormatError as error:
            problems[Problem(number, "extra_fields", f'"{name}": {error}')] = None
            continue
        if text is None and not (len(output.parts) == 1 and isinstance(output.parts[0], FormatField) and output.parts[0].name):
            message = f'"{name}": no field of event source {rule.source} (expected a name such as proc.name)'
            problems[Problem(number, "extra_fields", message)] = None
            continue
        extra.append(ExtraField(name=name, format=output, raw=text is None))
    added = f" {entry.output}" if entry.output else ""
    if entry.suggested:
        added += _suggested(catalogue, rule.source)
    output = rule.output
    if added:
        try:
            output = parse_format(f"{rule.output.text}{added}", catalogue, rule.source)
        except FormatError as error:
            problems[Problem(number, "extra_output", str(error))] = None
    return replace(rule, output=output, extra_fields=tuple(extra))


def _suggested(catalogue: FieldsView, source: str) -> str:
    names = sorted(name for name in catalogue.names(source) if (field := catalogue.get(name, source)) is not None and field.suggested)
    return "".join(f" {name.replace('.', '_')}=%{name}" for name in names)
