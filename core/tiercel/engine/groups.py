"""Where a check can be judged: the fact group, the change points and the raw fields behind what it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from tiercel.fields import ChangePoint, FactGroup, Field
from tiercel.lang.ast import Call, Check, FieldRef, ListValue, NumberValue, TextValue

__all__ = ["Facts", "FieldsView", "Groups", "reads"]


class FieldsView(Protocol):
    """The catalogue of fields, as far as planning needs it."""

    def get(self, name: str, source: str) -> Field | None:
        """The field of that name for events of that source."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands behind a value.

    Attributes:
        group: the group of all raw facts that it is made of; REST if they differ.
        changes: when any of them can change.
        raw: the fields that are read from the event itself.
        names: names of all fields on the way, with that of the value's own field.
    """

    group: FactGroup
    changes: ChangePoint
    raw: tuple[FieldRef, ...]
    names: frozenset[str]


def reads(operand: object) -> Iterator[FieldRef]:
    """The fields that an operand or the right side of a check reads, from left to right."""
    match operand:
        case FieldRef():
            yield operand
        case Call(arguments=parts) | ListValue(items=parts):
            for part in parts:
                yield from reads(part)
        case TextValue() | NumberValue() | None:
            return


class Groups:
    """Facts behind the fields and checks of one event source.

    What a computed field is made of counts, not only what its own entry says: a wrong group would be a missed attack.
    """

    def __init__(self, catalogue: FieldsView, source: str) -> None:
        self._catalogue = catalogue
        self._source = source
        self._facts: dict[FieldRef, Facts] = {}
        self._checks: dict[Check, Facts] = {}

    def field(self, name: str) -> Field:
        """The field of that name.

        Raises:
            ValueError: the source has no such field; rules are checked before they come here.
        """
        field = self._catalogue.get(name, self._source)
        if field is None:
            msg = f"source {self._source!r}: no field {name!r} in the catalogue"
            raise ValueError(msg)
        return field

    def of_field(self, ref: FieldRef) -> Facts:
        """Facts behind one field."""
        known = self._facts.get(ref)
        if known is None:
            field = self.field(ref.name)
            own = Facts(field.group, field.changes, (), frozenset({ref.name}))
            if field.function is None:
                known = Facts(own.group, own.changes, (ref,), own.names)
            else:
                known = _union((own, *(self.of_field(FieldRef(name)) for name in field.inputs)))
            self._facts[ref] = known
        return known

    def of_check(self, check: Check) -> Facts:
        """Facts behind all that a check reads."""
        known = self._checks.get(check)
        if known is None:
            refs = (*reads(check.left), *reads(check.right))
            known = self._checks[check] = _union(self.of_field(ref) for ref in refs)
        return known


def _union(parts: Iterable[Facts]) -> Facts:
    """Everything behind several values; one group only if all agree."""
    parts = tuple(parts)
    groups = {part.group for part in parts}
    changes = ChangePoint.NEVER
    for part in parts:
        changes |= part.changes
    return Facts(
        group=groups.pop() if len(groups) == 1 else FactGroup.REST,
        changes=changes,
        raw=tuple(dict.fromkeys(ref for part in parts for ref in part.raw)),
        names=frozenset().union(*(part.names for part in parts)),
    )
