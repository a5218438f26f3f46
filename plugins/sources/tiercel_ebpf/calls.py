"""Fields that follow from the type and the result of a call: category, counts, parameters, and what is constant in Falco."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Final

from tiercel import PENDING, Argument, FactGroup, Field, FieldType
from tiercel_ebpf import arguments
from tiercel_ebpf import records as r
from tiercel_ebpf.building import reading
from tiercel_ebpf.event import SyscallEvent
from tiercel_ebpf.parameters import TYPES, all_parameters, raw

__all__ = ["CALL_FIELDS"]

CATEGORIES: Final = {
    **dict.fromkeys(("execve", "execveat", "clone", "clone3", "fork", "vfork", "procexit"), "process"),
    **dict.fromkeys(("open", "openat", "openat2", "creat", "dup", "dup2", "dup3", "fcntl"), "file"),
    "connect": "net",
}
"""Type of event -> Falco's category."""
SOCKETS: Final = frozenset({"4", "6", "u"})
"""Types of descriptors that can be connected."""


def _is(name: str | None) -> Callable[[SyscallEvent], int]:
    return lambda event: int(event.type == name)


def _failed(category: str | None) -> Callable[[SyscallEvent], int]:
    def get(event: SyscallEvent) -> int:
        return int(event.result is not None and event.result < 0 and (category is None or CATEGORIES.get(event.type) == category))

    return get


def _constant(value: Any) -> Callable[[SyscallEvent], Any]:
    return lambda _event: value


def _has_descriptor(event: SyscallEvent) -> bool:
    number = arguments.fd_number(event)
    return number is not None and number >= 0


def _connected(event: SyscallEvent) -> bool | None:
    """The kernel's result says it for a connect; of other sockets nothing is kept."""
    if event.type == "connect":
        return bool(event.result == 0)
    return False if _has_descriptor(event) and arguments.fd_typechar(event) not in SOCKETS else None


def _named(event: SyscallEvent) -> bool | None:
    """A connect gives a socket its name, as soon as it succeeds or goes on in the background (EINPROGRESS)."""
    if event.type == "connect":
        return event.result in (0, -errno.EINPROGRESS)
    return False if _has_descriptor(event) else None


def _name_and_tid(event: SyscallEvent) -> Any:
    return PENDING if event.image.name is PENDING else f"{event.image.name}{event.tid}"


def _path(event: SyscallEvent) -> Any:
    return event.name if event.head[0] in r.OPENS and event.result >= 0 else None


def _raw_path(event: SyscallEvent) -> Any:
    return event.nameraw if event.head[0] in r.OPENS and event.result >= 0 else None


def _absolute(side: str | None) -> Callable[[SyscallEvent], Any]:
    """Of calls with a directory descriptor; none that comes has two paths."""
    return lambda event: event.name if side is None and event.type in ("openat", "openat2") and event.result >= 0 else None


def _field(name: str, kind: FieldType, getter: Callable[..., Any], meaning: str, **more: Any) -> Field:
    return reading(name, kind, more.pop("group", FactGroup.SCALAR), getter, meaning, **more)


_REST: Final = FactGroup.REST
_U32, _TIME, _BOOL, _TEXT = FieldType.UINT32, FieldType.TIME, FieldType.BOOL, FieldType.STRING
_ZERO: Final = "Always 0: there are exit events only."

CALL_FIELDS: Final = (
    _field("syscall.type", _TEXT, lambda e: None if e.type == "procexit" else e.type, "Name of the system call; missing for others."),
    _field("evt.type.is", _U32, _is, "evt.type.is.NAME is 1 for events of that type, else 0.", argument=Argument.KEY),
    _field("evt.category", _TEXT, lambda e: CATEGORIES.get(e.type, "other"), "process, file, net, ..."),
    _field("evt.args", _TEXT, all_parameters, "All known parameters: 'name=value name=value'.", group=_REST),
    _field("evt.info", _TEXT, all_parameters, "The same as evt.args.", group=_REST),
    _field(
        "evt.rawarg", FieldType.BY_PARAMETER, raw, "One parameter with its own type: evt.rawarg.res.", group=_REST, argument=Argument.KEY,
        argument_types=TYPES, in_comparison=False, in_transformer=False,
    ),
    _field("evt.latency", _TIME, _constant(0), _ZERO),
    _field("evt.latency.s", _TIME, _constant(0), _ZERO),
    _field("evt.latency.ns", _TIME, _constant(0), _ZERO),
    _field("evt.latency.quantized", FieldType.UINT64, _constant(0), _ZERO),
    _field("evt.latency.human", _TEXT, _constant("0ns"), "Always 0ns: there are exit events only."),
    _field("evt.wait_latency", _TIME, _constant(0), _ZERO),
    _field("evt.is_io", _BOOL, _constant(False), "True for events that read or write data: none so far."),
    _field("evt.is_io_read", _BOOL, _constant(False), "True for events that read data: none so far."),
    _field("evt.is_io_write", _BOOL, _constant(False), "True for events that write data: none so far."),
    _field("evt.is_wait", _BOOL, _constant(False), "True for calls that wait: none so far."),
    _field("evt.is_syslog", _BOOL, _constant(False), "True for writes to /dev/log: none so far."),
    _field("evt.count", _U32, _constant(1), "Always 1."),
    _field("evt.count.error", _U32, _failed(None), "1 for events that failed."),
    _field("evt.count.error.file", _U32, _failed("file"), "1 for file events that failed."),
    _field("evt.count.error.net", _U32, _failed("net"), "1 for network events that failed."),
    _field("evt.count.error.memory", _U32, _failed("memory"), "1 for memory events that failed."),
    _field("evt.count.error.other", _U32, _failed("process"), "1 for other events that failed."),
    _field("evt.count.exit", _U32, _constant(1), "Always 1: there are exit events only."),
    _field("evt.count.procinfo", _U32, _constant(0), "1 for procinfo events: none."),
    _field("evt.count.threadinfo", _U32, _constant(0), "1 for procinfo events: none."),
    _field("thread.ismain", _BOOL, lambda e: e.tid == e.process.pid, "True for the first thread of a process.", group=_REST),
    _field("thread.nametid", _TEXT, _name_and_tid, "proc.name and thread.tid.", group=_REST),
    _field("fd.connected", _BOOL, _connected, "True for a connect that succeeded, false for files; missing for other events of sockets."),
    _field("fd.name_changed", _BOOL, _named, "True for a connect that named the socket."),
    _field("fs.path.name", _TEXT, _path, "Path of an open, absolute; missing if it failed.", group=_REST, names_file=True),
    _field("fs.path.nameraw", _TEXT, _raw_path, "That path, as the caller wrote it.", group=_REST),
    _field(
        "evt.abspath", _TEXT, _absolute, "Absolute path of an openat or openat2; missing if it failed, and as evt.abspath.src or .dst.",
        group=_REST, argument=Argument.OPTIONAL_KEY, names_file=True,
    ),
    _field("fd.is_server", _BOOL, lambda e: False if e.type == "connect" else None, "False for connect; not known for others."),
)  # fmt: skip
"""The fields."""
