"""Values written in conditions, by the type of the field that they are compared with (rule language, section 9)."""

from __future__ import annotations

import re
import socket
from typing import Final

from tiercel.fields import FieldType

__all__ = ["MAX_BYTES", "encode", "literal", "parse_bool", "parse_hex", "parse_ip", "parse_net", "parse_number", "parse_port"]

Value = int | bool | str | bytes | tuple[bytes, int]

MAX_BYTES: Final = 255
"""Longest value in bytes."""
MAX_PORT: Final = 65_535
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,20}")
_HEX: Final = re.compile(r"0[xX]([0-9A-Fa-f]{1,16})")
_BITS: Final = {
    FieldType.INT16: 16,
    FieldType.INT32: 32,
    FieldType.INT64: 64,
    FieldType.UINT32: 32,
    FieldType.UINT64: 64,
    FieldType.FLAGS: 32,
    FieldType.MODE: 32,
    FieldType.TIME: 64,
    FieldType.DOUBLE: 64,
}
_SIGNED: Final = frozenset({FieldType.INT16, FieldType.INT32, FieldType.INT64, FieldType.DOUBLE})
_MAX_PREFIX: Final = {4: 32, 16: 128}


def encode(text: str) -> bytes:
    """The bytes that a text stands for."""
    return text.encode("utf-8", "surrogateescape")


def literal(text: str, kind: FieldType) -> Value:
    """The value of a literal for a field of that type; times in nanoseconds, addresses in network order.

    For a type that comes with the event it is the text: what that means is known when the value comes.

    Raises:
        ValueError: it is none; says what was expected.
    """
    raw = encode(text)
    if len(raw) > MAX_BYTES:
        raise ValueError(f"filter parameter too long (got {len(raw)} bytes, expected at most {MAX_BYTES})")
    if kind is FieldType.BYTES:
        return raw
    if kind is FieldType.BY_PARAMETER:
        return text
    if b"\0" in raw:
        raise ValueError("a NUL byte in a value (only fields of bytes can hold one)")
    if kind.is_text:
        return text
    if kind is FieldType.BOOL:
        return parse_bool(text)
    if kind is FieldType.PORT:
        return parse_port(text)
    if kind is FieldType.IP:
        return parse_ip(text)
    if kind is FieldType.NET:
        return parse_net(text)
    return parse_number(text, kind)


def parse_number(text: str, kind: FieldType) -> int:
    """A decimal or ``0x`` number. A negative one of an unsigned type wraps around, as in C.

    Raises:
        ValueError: it is no integer, or the type cannot hold it.
    """
    bits = _BITS[kind]
    hexadecimal = _HEX.fullmatch(text)
    if hexadecimal:
        value = int(hexadecimal[1], 16)
    elif _DECIMAL.fullmatch(text):
        value = int(text)
    else:
        raise ValueError(f'bad number (got "{text}", expected an integer such as 42, -1 or 0x2a)')
    if kind in _SIGNED:
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    else:
        low, high = -(1 << (bits - 1)), (1 << bits) - 1
    if not low <= value <= high:
        raise ValueError(f"number out of range (got {text}, expected {low if kind in _SIGNED else 0} to {high})")
    return value % (1 << bits) if value < 0 and kind not in _SIGNED else value


def parse_bool(text: str) -> bool:
    """``true`` or ``false``, nothing else.

    Raises:
        ValueError: it is neither.
    """
    if text not in ("true", "false"):
        raise ValueError(f'bad boolean (got "{text}", expected true or false)')
    return text == "true"


def parse_port(text: str) -> int:
    """A port number, or the name of a service in /etc/services.

    Raises:
        ValueError: it is neither.
    """
    if _DECIMAL.fullmatch(text) or _HEX.fullmatch(text):
        value = int(text, 16 if text[:2] in ("0x", "0X") else 10)
        if 0 <= value <= MAX_PORT:
            return value
    else:
        try:
            return socket.getservbyname(text)
        except (OSError, ValueError, UnicodeError):
            pass
    raise ValueError(f'bad port (got "{text}", expected 0 to {MAX_PORT} or the name of a service in /etc/services)')


def parse_ip(text: str) -> bytes:
    """An IPv4 or IPv6 address as 4 or 16 bytes.

    Raises:
        ValueError: it is none.
    """
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError, UnicodeError):
        raise ValueError(f'bad address (got "{text}", expected an IPv4 or IPv6 address)') from None


def parse_net(text: str) -> tuple[bytes, int]:
    """A network ``address/prefix`` as (address in network order, length of the prefix in bits). Host bits may be set.

    Raises:
        ValueError: it is none.
    """
    address, slash, prefix = text.partition("/")
    if not slash:
        raise ValueError(f'bad network (got "{text}", expected an address and a prefix length such as 10.0.0.0/8)')
    packed = parse_ip(address)
    most = _MAX_PREFIX[len(packed)]
    least = 0 if len(packed) == len(b"ipv4") else 1
    if not (prefix.isascii() and prefix.isdigit() and least <= int(prefix[:4]) <= most and len(prefix) <= 3):
        raise ValueError(f'bad prefix length (got "{prefix}", expected {least} to {most})')
    return packed, int(prefix)


def parse_hex(text: str) -> bytes:
    """An even number of hexadecimal digits as bytes, for ``bcontains`` and ``bstartswith``.

    Raises:
        ValueError: it is something else, or too long.
    """
    if len(text) > MAX_BYTES:
        raise ValueError(f"filter parameter too long (got {len(text)} bytes, expected at most {MAX_BYTES})")
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", text):
        raise ValueError(f'bad bytes (got "{text}", expected an even number of hexadecimal digits)')
    return bytes.fromhex(text)
