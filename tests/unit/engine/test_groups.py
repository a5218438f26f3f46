"""What stands behind fields: a computed field is judged where its inputs are, whatever its own entry says."""

from __future__ import annotations

import dataclasses

from tests.oracle.catalogue import FIELDS
from tiercel.engine.groups import Groups
from tiercel.fields import ChangePoint, FactGroup, Field, FieldType
from tiercel.lang.ast import Call, Check, FieldRef

OWN = Field(
    name="demo.x", type=FieldType.UINT64, description="", group=FactGroup.PROCESS, changes=ChangePoint.NEVER, inputs=("proc.exe",),
    function=len,
)  # fmt: skip


class Fields:
    """The small catalogue and one more field."""

    def __init__(self, field: Field) -> None:
        self.field = field

    def get(self, name: str, source: str) -> Field | None:
        return self.field if name == self.field.name else FIELDS.get(name)

    def names(self, source: str) -> list[str]:
        return [*FIELDS, self.field.name]


def facts_of(field: Field) -> tuple[FactGroup, ChangePoint, tuple[str, ...]]:
    facts = Groups(Fields(field), "syscall").of_field(FieldRef(field.name))
    return facts.group, facts.changes, tuple(ref.name for ref in facts.raw)


def test_a_computed_field_changes_when_its_inputs_do() -> None:
    image = ChangePoint.EXEC | ChangePoint.FORK
    assert facts_of(OWN) == (FactGroup.PROCESS, image, ("proc.exe",))
    two = dataclasses.replace(OWN, inputs=("proc.depth", "proc.uid"))
    assert facts_of(two) == (FactGroup.PROCESS, image | ChangePoint.CREDENTIALS, ("proc.exe", "proc.uid"))


def test_a_field_that_claims_a_group_its_inputs_do_not_have_is_never_judged_ahead() -> None:
    assert facts_of(dataclasses.replace(OWN, inputs=("fd.name",)))[0] is FactGroup.REST
    assert facts_of(dataclasses.replace(OWN, inputs=("proc.exe", "evt.flags")))[0] is FactGroup.REST
    assert facts_of(dataclasses.replace(OWN, group=FactGroup.SCALAR, inputs=("evt.flags",)))[0] is FactGroup.SCALAR
    assert facts_of(dataclasses.replace(OWN, group=FactGroup.REST, changes=ChangePoint.TIME))[:2] == (
        FactGroup.REST, ChangePoint.TIME | ChangePoint.EXEC | ChangePoint.FORK,
    )  # fmt: skip


def test_a_check_on_facts_of_two_groups_is_judged_with_the_event() -> None:
    groups = Groups(Fields(OWN), "syscall")
    mixed = Check(FieldRef("proc.uid"), "=", Call("val", (FieldRef("evt.flags"),)))
    assert groups.of_check(mixed).group is FactGroup.REST
    assert groups.of_check(Check(FieldRef("proc.uid"), "=", Call("val", (FieldRef("proc.depth"),)))).group is FactGroup.PROCESS
