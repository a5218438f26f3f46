"""What was expected against what came."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiercel.alert import Alert
    from tiercel.testing.rules.model import Expected, RuleTest

__all__ = ["Difference", "Differs", "Missing", "Raised", "Unexpected", "compare", "shown"]


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert, and the number of its event, from 1."""

    event: int
    alert: Alert


@dataclass(frozen=True, slots=True)
class Missing:
    """An alert that did not come."""

    expected: Expected


@dataclass(frozen=True, slots=True)
class Unexpected:
    """An alert that must not come."""

    raised: Raised


@dataclass(frozen=True, slots=True)
class Differs:
    """An alert that came and is not as expected.

    Attributes:
        raised: the alert.
        parts: of each part that differs its name, what was expected, and what came.
    """

    raised: Raised
    parts: tuple[tuple[str, str, str], ...]


Difference = Missing | Unexpected | Differs


def compare(test: RuleTest, raised: Sequence[Raised]) -> list[Difference]:
    """All differences, in order; none if the test passes."""
    if test.expect is None:
        return [Unexpected(each) for each in raised if test.silent is None or each.alert.rule in test.silent]
    matcher = difflib.SequenceMatcher(
        None, [each.rule for each in test.expect], [each.alert.rule for each in raised], autojunk=False
    )  # fmt: skip
    found: list[Difference] = []
    for same, first, last, begin, end in matcher.get_opcodes():
        if same == "equal":
            pairs = zip(test.expect[first:last], raised[begin:end], strict=True)
            found += [Differs(alert, parts) for each, alert in pairs if (parts := tuple(_parts(each, alert.alert)))]
        else:
            found += [Missing(each) for each in test.expect[first:last]]
            found += [Unexpected(each) for each in raised[begin:end]]
    return found


def _parts(expected: Expected, alert: Alert) -> Iterator[tuple[str, str, str]]:
    if expected.priority not in (None, alert.priority.label):
        yield "priority", str(expected.priority), alert.priority.label
    if expected.output not in (None, alert.message):
        yield "output", str(expected.output), alert.message
    if expected.contains is not None and expected.contains not in alert.message:
        yield "output_contains", expected.contains, alert.message
    for name, value in expected.fields.items():
        if not _same(value, alert.fields.get(name)):
            yield name, shown(value), shown(alert.fields.get(name))
    if expected.tags not in (None, alert.tags):
        yield "tags", ", ".join(expected.tags or ()), ", ".join(alert.tags)


def _same(stated: Any, value: Any) -> bool:
    """Whether a value is what a test states as text."""
    if isinstance(stated, list):
        return isinstance(value, list | tuple) and len(stated) == len(value) and all(map(_same, stated, value))
    return (stated is None) is (value is None) and shown(stated) == shown(value)


def shown(value: Any) -> str:
    """A value as test files write it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    return str(value)
