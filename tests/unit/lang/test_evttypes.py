from __future__ import annotations

import pytest

from tiercel.lang.evttypes import event_types
from tiercel.lang.parser import parse

KNOWN = frozenset({"open", "close", "read"})


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("evt.type = open", {"open"}),
        ("evt.type in (open, read) and not evt.type = read", {"open"}),
        ("evt.type != open", {"close", "read"}),
        ("not (evt.type = open or evt.type = read)", {"close"}),
        ("evt.type = open or proc.name = x", None),
        ("not (evt.type = open and proc.name = x)", None),
        ("evt.type exists", None),
        ("not evt.type exists", set()),
        ("evt.type startswith open", None),
        ("not evt.type startswith open", None),
        ("evt.type = oneof (open)", None),
        ("evt.type = open or evt.type != open", None),
        ("evt.type != execve", None),
        ("evt.num = 0", set()),
        ("evt.num in (0)", set()),
        ("evt.num in ()", set()),
        ("not evt.num != 0", set()),
        ("evt.num <= 0x0", None),
        ("not evt.num >= 0", set()),
        ("evt.num >= 0", None),
        ("not evt.num >= 2", None),
        ("evt.num intersects (0, 1)", None),
        ("evt.num intersects ()", None),
        ("evt.num = anyof (0)", None),
        ("evt.num = val(evt.res)", None),
        ("evt.type in types", {"types"}),
        ("syscall.type = open", {"open"}),
        ("tolower(evt.type) = open", None),
        ("macro", None),
    ],
)
def test_sets(text: str, types: set[str] | None) -> None:
    assert event_types(parse(text), known=KNOWN) == types


def test_complements_of_unknown_sets_are_all() -> None:
    assert event_types(parse("evt.type != open"), known=None) is None
    assert event_types(parse("evt.type != open and evt.type = read"), known=None) == frozenset({"read"})
