"""Plans as data: what the planner (`tiercel.engine.planner`) hands to a source, and a source to its loader.

Rules of one event type form *classes*, one bit each. A class can match an event only if its bit survives the AND of three masks:
the process mask (judged in Python, cached by the source), the scalar formula and the place formula (judged by the source).

Formulas are monotone over *atoms*: checks that the source can judge, or their negations. A check that it cannot judge became
`TRUE` when the planner projected the condition; a formula therefore is implied by the condition ("kernel >= rule").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tiercel.fields import ChangePoint

if TYPE_CHECKING:
    from tiercel.event import Event

__all__ = ["TRUE", "Atom", "Formula", "JudgedType", "KnownMasks", "SourcePlan"]


@dataclass(frozen=True, slots=True)
class Atom:
    """One check on one field, literal values only. It holds if the field satisfies the operator with *one of* the values.

    Attributes:
        field: name of the field, with its argument (``evt.arg.flags``).
        operator: operator of the condition language (``in`` for ``=`` over several values too).
        values: literals by the field's type: int, bool, text; (network, prefix length) pairs of bytes and int for networks.
    """

    field: str
    operator: str
    values: tuple[int | bool | str | bytes | tuple[bytes, int], ...]


@dataclass(frozen=True, slots=True)
class Formula:
    """A monotone formula: ``kind`` is "true", "false", "and", "or" or "atom".

    Attributes:
        kind: see above.
        parts: operands of "and" and "or".
        atom: index into the atoms of the judged type, for "atom".
        negated: the atom must be possibly *false*.
    """

    kind: str
    parts: tuple[Formula, ...] = ()
    atom: int = -1
    negated: bool = False


TRUE: Final = Formula("true")
"""Nothing that the source can judge."""


@dataclass(frozen=True, slots=True)
class JudgedType:
    """The classes of one event type that a source judges.

    Attributes:
        event_type: the event type.
        rules: names of the rules of each class, by bit.
        scalar_atoms: checks on scalars, referred to by `scalars`.
        scalars: one formula for each class.
        place_atoms: checks on places, referred to by `places`.
        places: one formula for each class.
    """

    event_type: str
    rules: tuple[tuple[str, ...], ...]
    scalar_atoms: tuple[Atom, ...]
    scalars: tuple[Formula, ...]
    place_atoms: tuple[Atom, ...]
    places: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class KnownMasks:
    """What the engine remembers of the masks of one event type, for a decoder that sees from a record that no rule can match.

    Each look-up takes the value of one attribute of the event (`tiercel.Field.key`) and gives a mask, or None if it is not known. An
    event whose known masks have no bit in common can be dropped: it would make no alert and count nothing. Process masks may come from
    facts that were not known yet; more is never dropped by that.

    Attributes:
        keys: attribute of the event that each look-up takes; "" where there is no such mask, and every rule survives.
        process: by the facts of the process.
        scalars: by the scalars.
        places: by the place.
        new_place: for a place that is new, given as the bytes of its path, and the bits that are left; None if it cannot say.
    """

    keys: tuple[str, str, str]
    process: Callable[[Any], int | None]
    scalars: Callable[[Any], int | None]
    places: Callable[[Any], int | None]
    new_place: Callable[[bytes, int], int | None]


def _nothing_known(_event_type: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """What a source and its decoder are opened with.

    Attributes:
        event_source: name of the event source.
        generation: number of this plan; verdicts of another generation mean nothing.
        wanted_types: event types that rules can match.
        judged: those that the source may drop by masks; a verdict has one mask for each, in this order.
        fields: names of all fields of the source that rules, outputs, enrichers or other fields read (the closure over inputs).
        guards: change points that the process masks depend on; the source compares exactly these before it believes a verdict.
        verdict: process masks for an event's process, one for each judged type; memoised.
        known: event type -> masks that a decoder may look at; None if it must not drop events of the type.
    """

    event_source: str
    generation: int
    wanted_types: frozenset[str]
    judged: tuple[JudgedType, ...]
    fields: frozenset[str]
    guards: ChangePoint
    verdict: Callable[[Event], tuple[int, ...]]
    known: Callable[[str], KnownMasks | None] = _nothing_known
