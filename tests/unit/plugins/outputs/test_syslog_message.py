from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.outputs.support import alert
from tiercel import Alert, Formatter, Priority, Stability
from tiercel_syslog.message import FACILITIES, SMALLEST, Messages

NAME = r"[!#-<>-\\^-~]{1,32}"
VALUE = r'(?:[^"\\\]]|\\["\\\]])*'
SYNTAX = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128})"
    rf' (?P<msgid>[!-~]{{1,32}}) (?P<sd>-|(?:\[{NAME}(?: {NAME}="{VALUE}")*\])+)(?: (?P<msg>.*))?',
    re.DOTALL,
)
"""RFC 5424, section 6."""


class Message(Formatter):
    name = "message"
    summary = "The message."
    api_version = "1.0"
    stability = Stability.STABLE

    def format(self, alert: Alert) -> bytes:
        return alert.message.encode(errors="replace")


def messages(**changes: Any) -> Messages:
    given: dict[str, Any] = {
        "formatter": Message(),
        "facility": FACILITIES.index("local3"),
        "app_name": "tiercel",
        "process": 7,
        "enterprise": 32473,
        "with_fields": True,
        "bom": True,
        "local": False,
        "limit": 8192,
    }
    return Messages(**given | changes)


def parsed(data: bytes) -> dict[str, str]:
    match = SYNTAX.fullmatch(data.decode())
    assert match is not None, data
    return match.groupdict()


def values(sd: str, element: str) -> list[tuple[str, str]]:
    """Parameters of an element, unescaped."""
    [inside] = re.findall(rf'\[{re.escape(element)}((?: {NAME}="{VALUE}")*)\]', sd)
    return [(name, re.sub(r'\\(["\\\]])', r"\1", value)) for name, value in re.findall(rf' ({NAME})="({VALUE})"', inside)]


def test_the_whole_message() -> None:
    made, shortened = messages().make(alert(1, fields={"evt.time": 5, "proc.name": "cat"}))
    assert made == (
        b'<156>1 2023-11-14T22:13:20.123456Z web1 tiercel 7 syscall [tiercel@32473 id="00000000000000000000000000000001" rule="A rule" '
        b'priority="Warning" source="syscall" tag="a" tag="b"][tiercel.fields@32473 evt.time="5" proc.name="cat"] Message 1'
    )
    assert not shortened


def test_the_local_form() -> None:
    made, shortened = messages(local=True).make(alert(1, time=1_700_000_000_000_000_000 - 86_400_000_000_000 * 9))
    assert re.fullmatch(rb"<156>Nov  [56] \d\d:\d\d:\d\d tiercel\[7\]: Message 1", made)
    assert not shortened


@pytest.mark.parametrize("priority", Priority)
def test_priority_is_severity(priority: Priority) -> None:
    assert messages(facility=4).make(alert(1, priority=priority))[0].startswith(b"<%d>1 " % (32 + priority))


def test_facilities_have_the_numbers_of_the_rfc() -> None:
    numbers = [FACILITIES.index(name) for name in ("kern", "user", "auth", "authpriv", "local0", "local7")]
    assert numbers == [0, 1, 4, 10, 16, 23]


def test_text_that_is_not_ascii_has_a_mark() -> None:
    assert messages().make(alert(1, message="naïve"))[0].endswith(b" \xef\xbb\xbfna\xc3\xafve")
    assert messages(bom=False).make(alert(1, message="naïve"))[0].endswith(b"] na\xc3\xafve")
    assert messages().make(alert(1, message="plain"))[0].endswith(b"] plain")


def test_values_are_escaped_and_control_characters_are_shown() -> None:
    hostile = 'a"b]c\\d\ne\x1b[2Kf\x9bg\udc80'
    made = parsed(messages().make(alert(1, fields={"proc.cmdline": hostile, "proc.aname[2]": None, "n": [1, "x"]}))[0])
    assert values(made["sd"], "tiercel.fields@32473") == [
        ("proc.cmdline", 'a"b]c\\d\\ne\\u001b[2Kf\\u009bg\N{REPLACEMENT CHARACTER}'),
        ("proc.aname_2", "null"),
        ("n", '[1, "x"]'),
    ]


def test_fields_can_be_left_out() -> None:
    assert b"tiercel.fields@" not in messages(with_fields=False).make(alert(1))[0]


def test_header_of_strange_names() -> None:
    made = parsed(messages().make(alert(1, hostname="my höst\n", source=""))[0])
    assert (made["host"], made["msgid"]) == ("my_h_st_", "-")


def test_what_is_too_long_loses_fields_then_the_end() -> None:
    long = alert(1, message="é" * 200, fields={"proc.cmdline": "x" * 600})
    made, shortened = messages(limit=700).make(long)
    assert shortened
    assert "tiercel.fields" not in parsed(made)["sd"]
    assert parsed(made)["msg"] == "\ufeff" + "é" * 200
    made, shortened = messages(limit=SMALLEST).make(long)
    assert shortened
    assert len(made) in (SMALLEST, SMALLEST - 1)
    assert re.fullmatch("\ufeffé+…", parsed(made)["msg"])
    made, shortened = messages(limit=SMALLEST, local=True).make(alert(1, message="x" * 500))
    assert shortened
    assert len(made) == SMALLEST
    assert made.endswith("x…".encode())


texts = st.text(st.characters(codec=None), max_size=300)


@given(
    host=texts, source=texts, rule=texts, message=texts, tags=st.lists(texts, max_size=3), fields=st.dictionaries(texts, texts | st.integers() | st.none(), max_size=4),
    limit=st.integers(SMALLEST, 3000),
)  # fmt: skip
def test_whatever_comes_the_syntax_is_kept(host: str, source: str, rule: str, message: str, tags: list, fields: dict, limit: int) -> None:
    given = alert(1, hostname=host, source=source, rule=rule, message=message, tags=tuple(tags), fields=fields)
    made, shortened = messages(limit=limit, app_name="a" * 48, process=4194304).make(given)
    assert len(made) <= limit
    found = parsed(made)
    if not shortened:
        assert (found["msg"] or "").removeprefix("\ufeff") == Message().format(given).decode()
        if fields:
            assert len(values(found["sd"], "tiercel.fields@32473")) == len(fields)
    assert found["sd"] == "-" or values(found["sd"], "tiercel@32473")[0] == ("id", given.id)
