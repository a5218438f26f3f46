"""The fields of source ``syscall`` about the event and its descriptor.

Names, types and meanings are Falco's; where they differ, docs/compatibility.md says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from socket import getservbyport
from typing import Any, Final

from tiercel import PENDING, Argument, FactGroup, Field, FieldType, Quantifier
from tiercel_ebpf import arguments, sockets
from tiercel_ebpf.building import FILTER_ONLY, SOURCES, Getter, computed, reading
from tiercel_ebpf.event import SyscallEvent
from tiercel_ebpf.parameters import text
from tiercel_ebpf.records import A0, CONNECT, OPENS

__all__ = ["EVENT_FIELDS"]

S, B, N, P = FieldType.STRING, FieldType.BOOL, FieldType.INT64, FieldType.PORT


def _open_mode(wanted: int) -> Getter:
    def get(event: SyscallEvent) -> Any:
        head = event.head
        if head[0] not in OPENS:
            return False
        if head[A0 + 1] != 1:
            return PENDING if head[A0 + 1] == 2 else False
        mode = head[A0] & 3  # O_ACCMODE, include/uapi/asm-generic/fcntl.h
        return mode in (wanted, 2)

    return get


def _result(event: SyscallEvent) -> str | None:
    return None if event.result is None else arguments.result_text(event.result)


def _directory(name: str) -> str | None:
    if not name.startswith("/"):
        return None
    return name[: name.rindex("/")] or "/"


def _filename(name: str) -> str | None:
    return name[name.rindex("/") + 1 :] if name.startswith("/") else None


def _family(event: SyscallEvent) -> str | None:
    char = arguments.fd_typechar(event)
    return {"4": "ip", "6": "ip", "u": "unix"}.get(char or "")


def _unique(event: SyscallEvent) -> str | None:
    number = arguments.fd_number(event)
    return None if number is None else f"{number}{event.tid}"


def _part(event: SyscallEvent, read: Callable[[int], int]) -> int | None:
    device = arguments.device(event)
    return None if device is None else read(device)


def _socket(read: Callable[[tuple[Any, ...]], Any]) -> Getter:
    return lambda event: read(event.head) if event.head and event.head[0] >= CONNECT else None


def _both(read: tuple[Callable[[tuple[Any, ...]], Any], Callable[[tuple[Any, ...]], Any]]) -> Getter:
    def get(event: SyscallEvent) -> Any:
        if not event.head or event.head[0] < CONNECT or (mine := read[0](event.head)) is None:
            return None
        return (mine, read[1](event.head))

    return get


@lru_cache(maxsize=4096)
def _service(port: int | None) -> str | None:
    """Name of a port in /etc/services, or its number."""
    if port is None:
        return None
    try:
        return getservbyport(port)
    except OSError:
        return str(port)


def _service_of(port: Callable[[tuple[Any, ...]], int | None]) -> Getter:
    return _socket(lambda head: _service(port(head)))


_PLACE: Final = FactGroup.PLACE
_SCALAR: Final = FactGroup.SCALAR

EVENT_FIELDS: Final = (
    Field(
        name="evt.type", type=S, description="Name of the event: the system call, or procexit.", group=_SCALAR, sources=SOURCES,
        path=("type",),
    ),
    Field(
        name="evt.rawres", type=N, group=_SCALAR, sources=SOURCES, path=("result",),
        description="Result of the call as a number; missing for procexit.",
    ),
    reading("evt.res", S, _SCALAR, _result, "SUCCESS, or the name of the error; missing for procexit."),
    reading(
        "evt.failed", B, _SCALAR, lambda e: None if e.result is None else e.result < 0, "True if the call failed; missing for procexit.",
    ),
    reading("evt.is_open_read", B, _SCALAR, _open_mode(0), "True for opens with read access."),
    reading("evt.is_open_write", B, _SCALAR, _open_mode(1), "True for opens with write access."),
    reading("evt.dir", S, _SCALAR, lambda _: "<", "Always '<': there are exit events only."),
    reading(
        "evt.arg", S, FactGroup.REST, text, "One parameter of the event as text, by name or position: evt.arg.flags, evt.arg[0].",
        argument=Argument.KEY,
    ),
    reading("fd.num", N, _SCALAR, arguments.fd_number, "Number of the descriptor; the negative result after a failed open."),
    reading("fd.type", S, _SCALAR, arguments.fd_type, "file, directory, pipe, ipv4, ipv6, unix; missing for other descriptors."),
    reading("fd.typechar", S, _SCALAR, arguments.fd_typechar, "The type as one character: f d p 4 6 u."),
    Field(
        name="fd.name", type=FieldType.PATH, group=_PLACE, sources=SOURCES, path=("name",), names_file=True,
        description="Path as the caller wrote it, made absolute; where the kernel's differs, rules see both. Or 'ip:port->ip:port'.",
    ),
    Field(
        name="fd.realpath", type=FieldType.PATH, group=_PLACE, sources=SOURCES, path=("realpath",), names_file=True,
        description="Path of the opened object, from the kernel.",
    ),
    Field(
        name="fd.nameraw", type=FieldType.PATH, group=FactGroup.REST, sources=SOURCES, path=("nameraw",),
        description="Path exactly as the caller wrote it.",
    ),
    computed(
        "fd.directory", "fd.name", FieldType.PATH, _directory, "fd.name up to its last slash.", names_file=True, path_part="directory",
    ),
    computed("fd.filename", "fd.name", S, _filename, "fd.name behind its last slash.", path_part="filename"),
    reading("fd.sip", FieldType.IP, _PLACE, _socket(sockets.peer), "Address of the server: of the peer, for connect."),
    reading("fd.rip", FieldType.IP, _PLACE, _socket(sockets.peer), "Address of the peer."),
    reading("fd.cip", FieldType.IP, _PLACE, _socket(sockets.own), "Address of the client."),
    reading("fd.lip", FieldType.IP, _PLACE, _socket(sockets.own), "Local address."),
    reading("fd.snet", FieldType.NET, _PLACE, _socket(sockets.peer), "Address of the server, to compare with networks.", **FILTER_ONLY),
    reading("fd.rnet", FieldType.NET, _PLACE, _socket(sockets.peer), "Address of the peer, to compare with networks.", **FILTER_ONLY),
    reading("fd.cnet", FieldType.NET, _PLACE, _socket(sockets.own), "Address of the client, to compare with networks.", **FILTER_ONLY),
    reading("fd.lnet", FieldType.NET, _PLACE, _socket(sockets.own), "Local address, to compare with networks.", **FILTER_ONLY),
    reading(
        "fd.ip", FieldType.IP, _PLACE, _both((sockets.own, sockets.peer)), "Either address.", **FILTER_ONLY, quantifier=Quantifier.EITHER,
    ),
    reading(
        "fd.net", FieldType.NET, _PLACE, _both((sockets.own, sockets.peer)), "Either address, to compare with networks.", **FILTER_ONLY,
        quantifier=Quantifier.EITHER,
    ),
    reading("fd.sport", P, _SCALAR, _socket(sockets.peer_port), "Port of the server: of the peer, for connect."),
    reading("fd.rport", P, _SCALAR, _socket(sockets.peer_port), "Port of the peer."),
    reading("fd.cport", P, FactGroup.REST, _socket(sockets.own_port), "Port of the client."),
    reading("fd.lport", P, FactGroup.REST, _socket(sockets.own_port), "Local port."),
    reading(
        "fd.port", P, FactGroup.REST, _both((sockets.own_port, sockets.peer_port)), "Either port.", **FILTER_ONLY,
        quantifier=Quantifier.EITHER,
    ),
    reading("fd.l4proto", S, _SCALAR, arguments.protocol, "tcp, udp, icmp, raw; <NA> for anything else."),
    reading("fd.uid", S, FactGroup.REST, _unique, "Number of the descriptor and thread id, as one text."),
    reading("fd.dev", FieldType.INT32, FactGroup.REST, arguments.device, "Device of an opened file, as stat(2) has it."),
    reading("fd.dev.major", FieldType.INT32, FactGroup.REST, lambda e: _part(e, os.major), "Major number of that device."),
    reading("fd.dev.minor", FieldType.INT32, FactGroup.REST, lambda e: _part(e, os.minor), "Minor number of that device."),
    reading("fd.sockfamily", S, _SCALAR, _family, "ip or unix, for sockets."),
    reading("fd.sproto", S, FactGroup.REST, _service_of(sockets.peer_port), "Name of the server's port in /etc/services, or its number."),
    reading("fd.rproto", S, FactGroup.REST, _service_of(sockets.peer_port), "Name of the peer's port."),
    reading("fd.cproto", S, FactGroup.REST, _service_of(sockets.own_port), "Name of the client's port."),
    reading("fd.lproto", S, FactGroup.REST, _service_of(sockets.own_port), "Name of the local port."),
    reading(
        "fd.proto", P, FactGroup.REST, _both((sockets.own_port, sockets.peer_port)), "Either port, by number or name.",
        quantifier=Quantifier.EITHER, **FILTER_ONLY,
    ),
)  # fmt: skip
