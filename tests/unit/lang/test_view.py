from __future__ import annotations

import pytest

from tests.unit.lang.catalogue import CATALOGUE
from tiercel.lang.ast import FieldRef
from tiercel.lang.view import lookup


@pytest.mark.parametrize(
    ("written", "resolved"),
    [
        (FieldRef("proc.name"), FieldRef("proc.name")),
        (FieldRef("proc.aname", "2"), FieldRef("proc.aname", "2")),
        (FieldRef("proc.aname"), FieldRef("proc.aname")),
        (FieldRef("proc.env.HOME"), FieldRef("proc.env", "HOME")),
        (FieldRef("evt.arg.flags"), FieldRef("evt.arg", "flags")),
        (FieldRef("evt.arg.mode"), FieldRef("evt.arg.mode")),
    ],
)
def test_what_a_reference_means(written: FieldRef, resolved: FieldRef) -> None:
    field, ref = lookup(written, CATALOGUE, "syscall")
    assert ref == resolved
    assert field.name == resolved.name


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (FieldRef("proc.nmae"), 'unknown field "proc.nmae" .did you mean "proc.name"'),
        (FieldRef("proc.name.x"), "unknown field"),
        (FieldRef("evt.arg.flags", "1"), "unknown field"),
        (FieldRef("proc.argv"), "the argument is missing"),
        (FieldRef("proc.argv", "-1"), "expected an index"),
        (FieldRef("proc.argv", "\u0661"), "expected an index"),
        (FieldRef("proc.name", "1"), "takes no argument"),
    ],
)
def test_refused(written: FieldRef, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lookup(written, CATALOGUE, "syscall")


def test_a_dotted_key_keeps_its_place() -> None:
    assert lookup(FieldRef("evt.arg.flags", None, 7), CATALOGUE, "syscall")[1].position == 7
