from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.lang.catalogue import CATALOGUE
from tiercel.lang.formats import Format, FormatError, parse_format
from tiercel.lang.render import render


def parsed(text: str) -> Format:
    return parse_format(text, CATALOGUE, "syscall")


def shape(text: str) -> list[str | tuple[str, str | None, int]]:
    return [part if isinstance(part, str) else (part.name, part.argument, part.width) for part in parsed(text).parts]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("plain", ["plain"]),
        ("a %proc.name b", ["a ", ("proc.name", None, 0), " b"]),
        ("*%proc.name", [("proc.name", None, 0)]),
        ("%10proc.name%2proc.exe", [("proc.name", None, 10), ("proc.exe", None, 2)]),
        ("%proc.nameand", [("proc.name", None, 0), "and"]),
        ("%proc.name.", [("proc.name", None, 0), "."]),
        ("%proc.name.x", [("proc.name", None, 0), ".x"]),
        ("%proc.name[x]", [("proc.name", None, 0), "[x]"]),
        ("%proc.aname[2]%proc.aname", [("proc.aname", "2", 0), ("proc.aname", None, 0)]),
        ("%proc.aname[ 2", [("proc.aname", None, 0), "[ 2"]),
        ("(%evt.arg.flags)", ["(", ("evt.arg", "flags", 0), ")"]),
        ("%evt.arg[0]%evt.arg.mode", [("evt.arg", "0", 0), ("evt.arg.mode", None, 0)]),
        ('%proc.env["A B"]', [("proc.env", "A B", 0)]),
    ],
)
def test_parts(text: str, parts: list[Any]) -> None:
    assert shape(text) == parts


def test_fields_are_listed_once_by_the_name_they_have_in_alerts() -> None:
    output = parsed("%proc.name %evt.arg.flags %5proc.name %proc.aname[1]")
    assert [field.key for field in output.fields] == ["proc.name", "evt.arg.flags", "proc.aname[1]"]
    assert output.fields[0].width == 0


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("a %", 'expected a field after % (got "%" alone)', 2),
        ("100% sure", "there is no escape for %", 3),
        ("%%proc.name", "invalid formatting syntax", 0),
        ("%proc.nme", 'unknown field "proc.nme" (did you mean "proc.name"?)', 0),
        ("%fd.snet", 'field "fd.snet" can only be used in conditions', 0),
        ("%evt.arg", "the argument is missing", 0),
        ("%proc.aname[x]", "bad argument (got [x]", 0),
        ("x %toupper(proc.name)", "transformers in outputs are not supported yet", 2),
        ("%toupper(proc.name", 'expected "," or ")"', 0),
        ("%99999proc.name", "width too large (got 99999", 0),
    ],
)
def test_errors(text: str, message: str, offset: int) -> None:
    with pytest.raises(FormatError) as caught:
        parsed(text)
    assert message in caught.value.problems[0][0]
    assert caught.value.problems[0][1] == offset


def test_all_problems_at_once() -> None:
    with pytest.raises(FormatError) as caught:
        parsed("%proc.nme and %proc.name and %x.y %")
    assert [offset for _, offset in caught.value.problems] == [0, 29, 34]


@given(st.text(st.sampled_from("% proc.nameaev[]0()'\"*"), max_size=30))
def test_any_text_is_an_output_or_refused(text: str) -> None:
    found: tuple[tuple[str, int], ...] = ()
    try:
        render(parsed(text), {})
    except FormatError as error:
        found = error.problems
    assert all(0 <= offset < len(text) for _, offset in found)
