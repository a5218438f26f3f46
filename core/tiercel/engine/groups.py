"""Where a check can be judged: the fact group, the change points and the raw fields behind what it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiercel.fields import ChangePoint, FactGroup, Field
from tiercel.lang.ast import Check, FieldRef, reads
from tiercel.lang.view import lookup

if TYPE_CHECKING:
    from tiercel.lang.view import FieldsView

__all__ = ["Facts", "Groups"]


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


class Groups:
    """Facts behind the fields and checks of one event source.

    What a computed field is made of counts, not only what its own entry says: a wrong group would be a missed attack.
    """

    def __init__(self, catalogue: FieldsView, source: str) -> None:
        self._catalogue = catalogue
        self._source = source
        self._fields: dict[FieldRef, tuple[Field, FieldRef]] = {}
        self._facts: dict[FieldRef, Facts] = {}
        self._checks: dict[Check, Facts] = {}

    def field(self, ref: FieldRef) -> Field:
        """The field that a reference means.

        Raises:
            ValueError: the source has no such field; rules are checked before they come here.
        """
        return self.lookup(ref)[0]

    def lookup(self, ref: FieldRef) -> tuple[Field, FieldRef]:
        """The field that a reference means, and the reference with the field's own name: ``evt.arg[flags]`` for ``evt.arg.flags``."""
        known = self._fields.get(ref)
        if known is None:
            known = self._fields[ref] = lookup(ref, self._catalogue, self._source)
        return known

    def of_field(self, ref: FieldRef) -> Facts:
        """Facts behind one field."""
        known = self._facts.get(ref)
        if known is None:
            field = self.field(ref)
            inputs = _union([self.of_field(FieldRef(name)) for name in field.inputs])
            names = inputs.names | {field.name}
            if field.function is None:
                known = Facts(field.group, field.changes, (ref,), names)
            else:
                group = field.group if inputs.group is field.group else FactGroup.REST
                known = Facts(group, field.changes | inputs.changes, inputs.raw, names)
            self._facts[ref] = known
        return known

    def closure(self, name: str) -> frozenset[str]:
        """The name of a field with those of all that it is computed from."""
        field = self._catalogue.get(name, self._source)
        if field is None:
            return self.of_field(FieldRef(name)).names
        return frozenset({name}).union(*(self.closure(each) for each in field.inputs))

    def of_check(self, check: Check) -> Facts:
        """Facts behind all that a check reads."""
        known = self._checks.get(check)
        if known is None:
            refs = (*reads(check.left), *reads(check.right))
            known = self._checks[check] = _union([self.of_field(ref) for ref in refs])
        return known


def _union(parts: Sequence[Facts]) -> Facts:
    """Everything behind several values; one group only if all agree."""
    groups = {part.group for part in parts}
    changes = ChangePoint.NEVER
    for part in parts:
        changes |= part.changes
    return Facts(
        group=groups.pop() if len(groups) == 1 else FactGroup.REST,
        changes=changes,
        raw=tuple(dict.fromkeys(ref for part in parts for ref in part.raw)),
        names=frozenset[str]().union(*(part.names for part in parts)),
    )
