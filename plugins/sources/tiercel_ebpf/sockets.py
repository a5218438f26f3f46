"""Addresses of a socket event, from the head of its record."""

from __future__ import annotations

import socket
import struct
from typing import Any, Final

from tiercel_ebpf import records as r

AF_UNIX: Final = 1  # include/linux/socket.h
AF_INET: Final = 2
AF_INET6: Final = 10
_MAPPED: Final = b"\0" * 10 + b"\xff\xff"
PROTOCOLS: Final = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmp", 255: "raw"}  # IANA protocol numbers


def family(h: tuple[Any, ...]) -> int:
    """Family of the addresses, 0 if the descriptor is no socket. Of a connect that failed, the caller's: perhaps not the socket's."""
    return int(h[r.A0] & 0xFF)


def socket_family(h: tuple[Any, ...]) -> int:
    """Address family of the socket, 0 if the descriptor is none."""
    return int(h[r.A0] >> 8 & 0xFF)


def protocol(h: tuple[Any, ...]) -> str:
    """tcp, udp, icmp, raw, or Falco's text for anything else."""
    if family(h) not in (AF_INET, AF_INET6):
        return "<NA>"
    return PROTOCOLS.get(h[r.A0] >> 16 & 0xFFFF, "<NA>")


def _address(h: tuple[Any, ...], first: int) -> bytes | None:
    kind = family(h)
    if kind not in (AF_INET, AF_INET6):
        return None
    data = struct.pack("<QQ", h[first], h[first + 1])
    if kind == AF_INET:
        return data[:4]
    return data[12:] if data.startswith(_MAPPED) else data


def peer(h: tuple[Any, ...]) -> bytes | None:
    """Remote address, 4 or 16 bytes; an IPv4 address mapped into IPv6 as IPv4."""
    return _address(h, r.A0 + 2)


def own(h: tuple[Any, ...]) -> bytes | None:
    """Local address."""
    return _address(h, r.A0 + 4)


def peer_port(h: tuple[Any, ...]) -> int | None:
    """Remote port."""
    return int(h[r.A0] >> 48) if family(h) in (AF_INET, AF_INET6) else None


def own_port(h: tuple[Any, ...]) -> int | None:
    """Local port."""
    return int(h[r.A0] >> 32 & 0xFFFF) if family(h) in (AF_INET, AF_INET6) else None


def address_text(address: bytes) -> str:
    """Text of an address (inet_ntop(3))."""
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def tuple_text(h: tuple[Any, ...]) -> str | None:
    """``client:port->server:port`` as Falco names a connection; None for other descriptors."""
    mine, theirs = own(h), peer(h)
    if mine is None or theirs is None:
        return None
    return f"{address_text(mine)}:{own_port(h)}->{address_text(theirs)}:{peer_port(h)}"
