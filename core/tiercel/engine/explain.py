"""What of a rule is judged where: the data behind ``tiercel rules explain``."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Explanation", "TypeExplanation", "Undecided"]


@dataclass(frozen=True, slots=True)
class Undecided:
    """A check that is not judged ahead by the source.

    Attributes:
        check: the check as text.
        reason: why it is not.
    """

    check: str
    reason: str


@dataclass(frozen=True, slots=True)
class TypeExplanation:
    """A rule on event types for which it is judged in the same way. Checks are given as text, in order.

    Attributes:
        event_types: the event types.
        condition: what is left of the condition for them.
        process: judged once per process; the source keeps the verdict and drops events by it.
        scalars: judged by the source on scalars.
        places: judged by the source on paths and addresses.
        undecided: left to Python, with reasons.
        memoised: those of them that Python judges once per process or value and not per event.
        shares_with: rules in the same class of the source: their events come up together.
    """

    event_types: tuple[str, ...]
    condition: str
    process: tuple[str, ...]
    scalars: tuple[str, ...]
    places: tuple[str, ...]
    undecided: tuple[Undecided, ...]
    memoised: tuple[str, ...]
    shares_with: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rule, explained.

    Attributes:
        rule: name of the rule.
        source: its event source.
        types: one entry for the event types that are judged alike; none if the rule cannot match.
        not_collected: event types that it matches and that do not come.
        without_value: checks that are false whatever the event, because nothing gives their field a value yet.
        fields: all fields that the rule reads or prints, with what they are computed from.
    """

    rule: str
    source: str
    types: tuple[TypeExplanation, ...]
    not_collected: tuple[str, ...]
    without_value: tuple[str, ...]
    fields: tuple[str, ...]
