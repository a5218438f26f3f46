from __future__ import annotations

from typing import Any

import pytest

from tests.unit.lang.catalogue import CATALOGUE
from tiercel.fields import FAILED, PENDING
from tiercel.lang.formats import Format, FormatField, parse_format
from tiercel.lang.render import json_value, render, text_value


def parsed(text: str) -> Format:
    return parse_format(text, CATALOGUE, "syscall")


def field(name: str, text: str | None = None) -> FormatField:
    part = parsed(text or f"%{name}").fields[0]
    assert part.key == (text or name).lstrip("%")
    return part


@pytest.mark.parametrize(
    ("name", "value", "text", "json"),
    [
        ("proc.name", "x", "x", "x"),
        ("proc.name", None, "<NA>", None),
        ("proc.name", PENDING, "<NA>", None),
        ("proc.name", FAILED, "<NA>", None),
        ("evt.res", -2, "-2", -2),
        ("evt.write", True, "true", True),
        ("evt.write", False, "false", False),
        ("evt.ratio", 0.25, "0.2", 0.25),
        ("evt.buffer", b"a\xff", "a\udcff", "a\udcff"),
        ("fd.sip", b"\x7f\0\0\1", "127.0.0.1", "127.0.0.1"),
        ("fd.sip", bytes(15) + b"\1", "::1", "::1"),
        ("evt.rawarg[mode]", 0o644, "0644", "0644"),
        ("evt.rawarg[x]", 5, "5", 5),
        ("evt.rawarg[x]", b"a", "a", "a"),
        ("fd.types", ("file", "pipe"), "(file,pipe)", ["file", "pipe"]),
        ("fd.sizes", (1, 2), "(1,2)", [1, 2]),
        ("fd.sizes", (), "()", []),
        ("proc.aname", ("bash", "init"), "bash init", "bash init"),
    ],
)
def test_values(name: str, value: Any, text: str, json: Any) -> None:
    assert text_value(field(name), value) == text
    assert json_value(field(name), value) == json


def test_one_ancestor_is_a_plain_value() -> None:
    assert text_value(field("proc.aname", "%proc.aname[1]"), "init") == "init"


def test_one_process_above_may_be_missing() -> None:
    assert text_value(field("proc.aname"), ("bash", None, PENDING)) == "bash <NA> <NA>"


def test_text_ends_at_the_first_missing_value_if_asked_to() -> None:
    output = parsed("a %proc.name b %toupper(proc.exe) c %evt.res")
    assert render(output, {"proc.name": "x", "evt.res": 1}, stop_at_missing=True) == "a x b "
    assert render(output, {"proc.name": "x", "evt.res": 1}) == "a x b <NA> c 1"


def test_widths_cut_and_pad() -> None:
    assert render(parsed("[%2proc.name|%6proc.exe|%evt.res]"), {"proc.name": "init", "proc.exe": "sh"}) == "[in|sh    |<NA>]"
