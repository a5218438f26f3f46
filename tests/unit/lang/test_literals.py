from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.fields import FieldType
from tiercel.lang.literals import literal, parse_hex

T = FieldType


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("abc", T.STRING, "abc"),
        ("", T.PATH, ""),
        ("é\udcff", T.BYTES, b"\xc3\xa9\xff"),
        ("\0", T.BYTES, b"\0"),
        ("true", T.BOOL, True),
        ("false", T.BOOL, False),
        ("-1", T.INT64, -1),
        ("+7", T.INT32, 7),
        ("0x8000", T.FLAGS, 0x8000),
        ("0XFF", T.UINT64, 255),
        ("-1", T.UINT32, 2**32 - 1),
        ("-1", T.UINT64, 2**64 - 1),
        ("32767", T.INT16, 32767),
        ("5", T.DOUBLE, 5),
        ("1000000000", T.TIME, 10**9),
        ("443", T.PORT, 443),
        ("0x50", T.PORT, 80),
        ("10.0.0.1", T.IP, b"\x0a\0\0\1"),
        ("::1", T.IP, bytes(15) + b"\1"),
        ("::ffff:1.2.3.4", T.IP, bytes(10) + b"\xff\xff\1\2\3\4"),
        ("10.1.2.3/8", T.NET, (b"\x0a\1\2\3", 8)),
        ("0.0.0.0/0", T.NET, (bytes(4), 0)),
        ("2001:db8::/32", T.NET, (b"\x20\1\x0d\xb8" + bytes(12), 32)),
    ],
)
def test_values(text: str, kind: FieldType, value: Any) -> None:
    result = literal(text, kind)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("1.0", T.DOUBLE, "bad number"),
        ("", T.INT64, "bad number"),
        ("1_0", T.INT64, "bad number"),
        ("\u0661", T.INT64, "bad number"),
        ("32768", T.INT16, "out of range .got 32768, expected -32768 to 32767"),
        ("4294967296", T.UINT32, "out of range .got 4294967296, expected 0 to 4294967295"),
        ("18446744073709551616", T.UINT64, "out of range"),
        ("True", T.BOOL, "expected true or false"),
        ("1", T.BOOL, "expected true or false"),
        ("65536", T.PORT, "bad port"),
        ("-1", T.PORT, "bad port"),
        ("no-such-service", T.PORT, "bad port"),
        ("10.0.0", T.IP, "bad address"),
        ("::g", T.IP, "bad address"),
        ("10.0.0.1", T.NET, "bad network"),
        ("10.0.0.0/33", T.NET, 'bad prefix length .got "33", expected 0 to 32'),
        ("::/0", T.NET, "bad prefix length"),
        ("::/+8", T.NET, "bad prefix length"),
        ("10.0.0.0/", T.NET, "bad prefix length"),
        ("a\0b", T.STRING, "NUL byte"),
        ("é" * 128, T.STRING, "filter parameter too long .got 256 bytes, expected at most 255"),
        ("a" * 256, T.BYTES, "filter parameter too long"),
    ],
)
def test_refused(text: str, kind: FieldType, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        literal(text, kind)


def test_service_names() -> None:
    assert literal("ssh", FieldType.PORT) == 22


def test_hexadecimal_bytes() -> None:
    assert parse_hex("") == b""
    assert parse_hex("00fF") == b"\0\xff"
    for bad in ("0", "0g", " 00", "0x00"):
        with pytest.raises(ValueError, match="bad bytes"):
            parse_hex(bad)
    with pytest.raises(ValueError, match="too long"):
        parse_hex("00" * 128)


@given(st.ip_addresses())
def test_addresses(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert literal(str(address), FieldType.IP) == address.packed


@given(st.text(max_size=20), st.sampled_from(FieldType))
def test_any_text_is_a_value_or_refused(text: str, kind: FieldType) -> None:
    message = "fine"
    try:
        literal(text, kind)
    except ValueError as error:
        message = str(error)
    assert message
