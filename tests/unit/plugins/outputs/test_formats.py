from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.outputs.support import alert
from tiercel import Context, Formatter, Host, Priority
from tiercel_formats import Json, Text, formats, tiercel_register_formatters

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=30) | st.binary(max_size=30).map(
    lambda raw: raw.decode(errors="surrogateescape")
)


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One hour west of Greenwich."""
    monkeypatch.setenv("TZ", "XYZ+1")
    time.tzset()
    formats._clock.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
    formats._clock.cache_clear()


def made(cls: type[Formatter]) -> Formatter:
    return cls.from_config({}, Context(cls.name, "web1", Host()))


def test_both_are_registered() -> None:
    assert {cls.name for cls in tiercel_register_formatters()} == {"text", "json"}


def test_text() -> None:
    assert made(Text).format(alert()) == b"21:13:20.123456790: Warning Message 1"
    assert made(Text).format(alert(priority=Priority.INFORMATIONAL)) == b"21:13:20.123456790: Informational Message 1"


@pytest.mark.parametrize(
    ("message", "escaped"),
    [
        ('say "hi" \\o/', r"say \"hi\" \\o/"),
        ("a\nb\tc\rd\be\ff", r"a\nb\tc\rd\be\ff"),
        ("\x00\x1b[31m\x7f\x9b", r"\u0000\u001b[31m\u007f\u009b"),
        ("größe ✓ 😀", "größe ✓ 😀"),
        (b"bad \xff\xfe".decode(errors="surrogateescape"), "bad \ufffd\ufffd"),
        ("", ""),
    ],
)
def test_text_is_escaped(message: str, escaped: str) -> None:
    assert made(Text).format(alert(message=message)).decode() == f"21:13:20.123456790: Warning {escaped}"


def test_json_has_falcos_shape() -> None:
    line = made(Json).format(alert(fields={"proc.pid": 7, "evt.time": 1, "fd.name": None, "l": [1, "x"], "b": True}))
    document = json.loads(line)
    assert document == {
        "hostname": "web1",
        "id": f"{1:032x}",
        "output": "21:13:20.123456790: Warning Message 1",
        "output_fields": {"b": True, "evt.time": 1, "fd.name": None, "l": [1, "x"], "proc.pid": 7},
        "priority": "Warning",
        "rule": "A rule",
        "source": "syscall",
        "tags": ["a", "b"],
        "time": "2023-11-14T22:13:20.123456790Z",
    }
    assert line == json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def test_json_of_large_numbers() -> None:
    assert b'"n":18446744073709551615' in made(Json).format(alert(fields={"n": 2**64 - 1}))


@given(ANY_TEXT, st.dictionaries(ANY_TEXT, ANY_TEXT | st.lists(ANY_TEXT, max_size=2), max_size=3))
def test_whatever_an_event_holds_an_alert_is_one_line_of_utf8(message: str, fields: dict[str, Any]) -> None:
    sample = alert(message=message, fields=fields, rule=message)
    text = made(Text).format(sample).decode()
    assert text.isprintable() or not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in text)
    assert json.loads(f'"{text}"') == formats.SURROGATES.sub("\ufffd", f"21:13:20.123456790: Warning {message}")
    line = made(Json).format(sample)
    assert b"\n" not in line
    assert json.loads(line)["rule"] == formats.SURROGATES.sub("\ufffd", message)
