"""All checks of lint, and their order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tiercel.errors import Diagnostic, UserError
from tiercel.lang.view import FieldsView
from tiercel.lint import conditions, exceptions, outputs, shadow, tags, unused
from tiercel.lint.context import Context
from tiercel.registry import suggest
from tiercel.ruleset.model import RuleSet

__all__ = ["CHECKS", "LintCheck", "lint"]


@dataclass(frozen=True, slots=True)
class LintCheck:
    """One kind of finding.

    Attributes:
        code: its stable code.
        summary: what it finds.
        find: finds it.
    """

    code: str
    summary: str
    find: Callable[[Context], Iterator[Diagnostic]]


CHECKS: Final = (
    LintCheck(conditions.NEVER, "no event can match the rule", conditions.never),
    LintCheck(conditions.NEVER_YET, "no event can match the rule while some fields have no values", conditions.never_yet),
    LintCheck(conditions.ALWAYS, "every event matches the rule", conditions.always),
    LintCheck(conditions.ANY_VALUE, "alternatives that hold for every value of a field", conditions.any_value),
    LintCheck(conditions.ALL_TYPES, "the rule is judged for events of all types", conditions.all_types),
    LintCheck(shadow.SHADOWED, "an earlier rule reports all events of the rule", shadow.shadowed),
    LintCheck(exceptions.DEAD_EXCEPTION, "an exception, or values of it, exclude nothing", exceptions.dead_exception),
    LintCheck(exceptions.CHOSEN_NAME, "an exception only looks at what an attacker chooses", exceptions.chosen_name),
    LintCheck(outputs.NO_VALUE, "a field of the output is always missing", outputs.no_value),
    LintCheck(outputs.NO_VALUE_YET, "nothing gives a field of the output a value yet", outputs.no_value_yet),
    LintCheck(tags.ATTACK_TAG, "a tag is no tactic or technique of ATT&CK", tags.attack_tag),
    LintCheck(unused.UNUSED_LIST, "no rule uses the list", unused.unused_list),
    LintCheck(unused.UNUSED_MACRO, "no rule uses the macro", unused.unused_macro),
)
"""In the order in which they are documented (docs/lint.md)."""


def lint(
    rules: RuleSet, catalogue: FieldsView, event_types: Mapping[str, frozenset[str]], *, disabled: Collection[str] = (),
    progress: Callable[[float], None] | None = None,
) -> list[Diagnostic]:  # fmt: skip
    """All findings, in the order of the files' names and lines.

    Args:
        rules: what was loaded.
        catalogue: the fields.
        event_types: names of event types by event source; sources that do not know them ahead are left out.
        disabled: codes of findings that are not wanted.
        progress: called with the share that is done.

    Raises:
        tiercel.UserError: a code does not exist.
    """
    codes = [check.code for check in CHECKS]
    for code in disabled:
        if code not in codes:
            msg = f"unknown code {code}{suggest(code, codes)}; known: {', '.join(codes)}"
            raise UserError(msg)
    context = Context(rules, catalogue, event_types, progress=progress)
    found = [each for check in CHECKS if check.code not in disabled for each in check.find(context)]
    return sorted(found, key=lambda each: (each.file, each.line))
