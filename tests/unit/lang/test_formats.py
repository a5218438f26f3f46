from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.lang.catalogue import CATALOGUE
from tiercel.lang.ast import FieldRef, Operand
from tiercel.lang.canonical import operand_text
from tiercel.lang.formats import Format, FormatError, parse_format
from tiercel.lang.render import render


def parsed(text: str) -> Format:
    return parse_format(text, CATALOGUE, "syscall")


def shape(text: str) -> list[Any]:
    return [part if isinstance(part, str) else (*_named(part.operand), part.width) for part in parsed(text).parts]


def _named(operand: Operand) -> tuple[str, str | None]:
    return (operand.name, operand.argument) if isinstance(operand, FieldRef) else (operand_text(operand), None)


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
        ("%5toupper( proc.name )s", [("toupper(proc.name)", None, 5), "s"]),
        ("%toupper(proc.name)[x]", [("toupper(proc.name)", None, 0), "[x]"]),
        ("%toupper(evt.type)", [("toupper(evt.type)", None, 0)]),
        ("%getopt(fd.types, 'a:')[a]", [("getopt(fd.types,a:)[a]", None, 0)]),
        ("%concat(proc.name, evt.arg.flags)", [("concat(proc.name,evt.arg[flags])", None, 0)]),
        ("%proc.apid %proc.apid[1]", [("proc.apid", "0", 0), " ", ("proc.apid", "1", 0)]),
        ("a %container.info b", ["a ", " b"]),
    ],
)
def test_parts(text: str, parts: list[Any]) -> None:
    assert shape(text) == parts


def test_fields_are_listed_once_by_the_name_they_have_in_alerts() -> None:
    output = parsed("%proc.name %evt.arg.flags %5proc.name %proc.aname[1]")
    assert [field.key for field in output.fields] == ["proc.name", "evt.arg.flags", "proc.aname[1]"]
    assert output.fields[0].width == 0


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("%toupper(tolower(proc.name))", ["toupper(tolower(proc.name))", "proc.name"]),
        ("%join('-', (tolower(proc.name), toupper(proc.exe)))", [
            "join(-,(tolower(proc.name),toupper(proc.exe)))", "tolower(proc.name)", "proc.name", "proc.exe",
        ]),
        ("%len(concat(evt.arg.flags, toupper(proc.name))) %proc.name", [
            "len(concat(evt.arg.flags,toupper(proc.name)))", "evt.arg.flags", "proc.name",
        ]),
        ("%proc.apid", ["proc.apid"]),
    ],
)  # fmt: skip
def test_transformers_are_listed_with_their_fields(text: str, keys: list[str]) -> None:
    assert [field.key for field in parsed(text).fields] == keys


def test_the_removed_field_is_not_in_the_text() -> None:
    assert parsed("a %container.info b").text == "a  b"


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("", "empty formatting token", 0),
        ("a %", 'expected a field after % (got "%" alone)', 2),
        ("100% sure", "there is no escape for %", 3),
        ("%%proc.name", "invalid formatting syntax", 0),
        ("%proc.nme", 'unknown field "proc.nme" (did you mean "proc.name"?)', 0),
        ("%fd.snet", 'field "fd.snet" can only be used in conditions', 0),
        ("%evt.arg", "the argument is missing", 0),
        ("%proc.aname[x]", "bad argument (got [x]", 0),
        ("x %toupper(evt.res)", "toupper: wrong type of argument 1", 2),
        ("x %len(fd.snet)", "len: wrong type of argument 1 (got cidr", 2),
        ("%toupper(proc.nme)", 'unknown field "proc.nme" (did you mean "proc.name"?)', 0),
        ("%toupper(val(proc.name))", "expected a field, transformer", 0),
        ("%container.information", "unknown field", 0),
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


PIECES = (
    "%", "5", "proc.name", "proc.aname", "[1]", "fd.types", "toupper(", "len(", "join('-', ", "concat(", "getopt(",
    "(", ")", ", ", "'a'", " ", "x", "*",
)  # fmt: skip


@given(st.text(st.sampled_from("% proc.nameaev[]0()'\"*"), max_size=30) | st.lists(st.sampled_from(PIECES), max_size=15).map("".join))
def test_any_text_is_an_output_or_refused(text: str) -> None:
    found: tuple[tuple[str, int], ...] = ()
    try:
        render(parsed(text), {})
    except FormatError as error:
        found = error.problems
    assert all(0 <= offset < max(1, len(text)) for _, offset in found)
