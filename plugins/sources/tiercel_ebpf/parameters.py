"""Parameters of events, by name or position: the raw value, and the text that rules compare (fields reference, section 5).

A parameter that an event does not have, or that is not collected, is missing; an empty one is ``<NA>``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tiercel import PENDING, FieldType
from tiercel_ebpf import arguments as a
from tiercel_ebpf import records as r
from tiercel_ebpf import sockets
from tiercel_ebpf.building import Getter
from tiercel_ebpf.event import SyscallEvent

__all__ = ["LAYOUTS", "PARAMETERS", "TYPES", "all_parameters", "raw", "text"]

_EXEC: Final = (
    "res exe args tid pid ptid cwd fdlimit pgft_maj pgft_min vm_size vm_rss vm_swap comm cgroups env tty vpgid loginuid flags "
    "cap_inheritable cap_permitted cap_effective exe_ino exe_ino_ctime exe_ino_mtime uid trusted_exepath pgid gid"
)
_FORK: Final = (
    "res exe args tid pid ptid cwd fdlimit pgft_maj pgft_min vm_size vm_rss vm_swap comm cgroups flags uid gid vtid vpid "
    "pidns_init_start_ts"
)
LAYOUTS: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(names.split())
    for name, names in {
        "execve": f"{_EXEC} filename", "execveat": _EXEC, **dict.fromkeys(("clone", "clone3", "fork", "vfork"), _FORK),
        "procexit": "status ret sig core reaper_tid", "open": "fd name flags mode dev ino", "openat": "fd dirfd name flags mode dev ino",
        "openat2": "fd dirfd name flags mode resolve dev ino", "creat": "fd name mode dev ino creat_flags", "connect": "res tuple fd addr",
        "dup": "res oldfd", "dup2": "res oldfd newfd", "dup3": "res oldfd newfd flags", "fcntl": "res fd cmd",
    }.items()
}  # fmt: skip
"""Type of event -> names of its parameters in Falco's order."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """How a parameter is read.

    Attributes:
        type: type of the raw value.
        value: the raw value; None if it is empty or not known, or the event is none of `events`.
        resolved: what it stands for, as text; None for nothing.
        events: types of events whose value is collected; None for all that have the parameter.
    """

    type: FieldType
    value: Getter
    resolved: Getter = lambda _: None
    events: frozenset[str] | None = None


def _of_dup(event: SyscallEvent) -> bool:
    return event.head[0] in r.DUPS


def _result_text(event: SyscallEvent) -> str | None:
    if _of_dup(event):
        return a.descriptor_text(event)
    return a.result_text(event.result) if event.result < 0 else None


def _flags(event: SyscallEvent) -> Any:
    known = event.head[r.A0 + 1]
    return int(event.head[r.A0] & 0xFFFFFFFF) if known == 1 else PENDING if known else None


def _user(number: Callable[[SyscallEvent], int]) -> Getter:
    return lambda e: "<NONE>" if number(e) == a.NOBODY else e.decoder.accounts.user(number(e)).name


def _name_of(pid: Callable[[SyscallEvent], int]) -> Getter:
    def get(event: SyscallEvent) -> Any:
        process = event.process if pid(event) == event.process.pid else event.decoder.table.get(pid(event))
        return None if process is None else process.image.name

    return get


_I, _U, _T = FieldType.INT64, FieldType.UINT32, FieldType.STRING
_OPENS: Final = frozenset({"open", "openat", "openat2", "creat"})
_EXECS: Final = frozenset({"execve", "execveat"})
PARAMETERS: Final[dict[str, Parameter]] = {
    "res": Parameter(_I, lambda e: e.result, _result_text),
    "status": Parameter(_I, lambda e: e.head[r.RESULT]),
    "fd": Parameter(_I, a.fd_number, a.descriptor_text, _OPENS | {"connect"}),
    "name": Parameter(_T, lambda e: e.nameraw, lambda e: e.name),
    "flags": Parameter(FieldType.FLAGS, _flags, a.open_flags, _OPENS),
    "dev": Parameter(_U, a.device),
    "tuple": Parameter(FieldType.BYTES, lambda e: sockets.tuple_text(e.head)),
    "exe": Parameter(_T, lambda e: e.image.exe, events=_EXECS),
    "args": Parameter(_T, lambda e: e.image.args, events=_EXECS),
    "comm": Parameter(_T, lambda e: e.image.name),
    "filename": Parameter(_T, lambda e: e.image.exepath if e.result >= 0 else e.string(r.TEXT) or None),
    "trusted_exepath": Parameter(_T, lambda e: e.image.exepath),
    "tid": Parameter(_I, lambda e: e.tid, _name_of(lambda e: e.process.pid)),
    "pid": Parameter(_I, lambda e: e.process.pid, _name_of(lambda e: e.process.pid)),
    "ptid": Parameter(_I, lambda e: e.ppid, _name_of(lambda e: e.ppid)),
    "tty": Parameter(_U, lambda e: e.tty, events=_EXECS),
    "loginuid": Parameter(_U, lambda e: e.loginuid, _user(lambda e: e.loginuid), _EXECS),
    "uid": Parameter(_U, lambda e: e.uid, _user(lambda e: e.uid)),
    "gid": Parameter(_U, lambda e: e.gid, lambda e: e.decoder.accounts.group(e.gid)),
}
"""Parameters with values."""
_EVENTS: Final = {
    name: frozenset(kind for kind, layout in LAYOUTS.items() if name in layout and (each.events is None or kind in each.events))
    for name, each in PARAMETERS.items()
}
"""Parameter -> types of events that give it a value."""
_UNKNOWN: Final = {
    FieldType.INT64: "dirfd oldfd newfd olddirfd newdirfd olddir newdir linkdirfd vpgid pgid vtid vpid ret sig reaper_tid",
    FieldType.UINT32: "size queuelen queuemax queuepct vm_size vm_rss vm_swap type proto backlog core",
    FieldType.UINT64: "ino fdlimit pgft_maj pgft_min exe_ino cap_inheritable cap_permitted cap_effective length pidns_init_start_ts",
    FieldType.TIME: "exe_ino_ctime exe_ino_mtime",
    FieldType.FLAGS: "resolve request nstype creat_flags cmd domain",
    FieldType.MODE: "mode",
    FieldType.STRING: "path oldpath newpath target linkpath cwd uargs",
    FieldType.BYTES: "data env cgroups img msgcontrol addr",
}
TYPES: Final = {name: kind for kind, names in _UNKNOWN.items() for name in names.split()} | {n: p.type for n, p in PARAMETERS.items()}
"""Parameter -> type of the raw value, also of those that have no value here yet."""


def _by_position(read: Callable[[str, SyscallEvent], Any], argument: str) -> Getter:
    index = int(argument)

    def get(event: SyscallEvent) -> Any:
        layout = LAYOUTS.get(event.type, ())
        return read(layout[index], event) if index < len(layout) else None

    return get


def _getter(read: Callable[[str, SyscallEvent], Any], argument: str) -> Getter:
    """The function that reads a parameter by name or position."""
    return _by_position(read, argument) if argument.isascii() and argument.isdigit() else lambda event: read(argument, event)


def _raw(name: str, event: SyscallEvent) -> Any:
    return PARAMETERS[name].value(event) if event.type in _EVENTS.get(name, ()) else None


def _text(name: str, event: SyscallEvent) -> Any:
    if event.type not in _EVENTS.get(name, ()):
        return None
    found = PARAMETERS[name].resolved(event)
    if found is None:
        found = PARAMETERS[name].value(event)
    return "<NA>" if found is None else found if found is PENDING else str(found)


def raw(argument: str) -> Getter:
    """The getter of ``evt.rawarg[argument]``."""
    return _getter(_raw, argument)


def text(argument: str) -> Getter:
    """The getter of ``evt.arg[argument]``."""
    return _getter(_text, argument)


def all_parameters(event: SyscallEvent) -> str:
    """The value of ``evt.args``: ``name=value(resolved)`` of each parameter, `<NA>` for those without a value here."""
    return " ".join(f"{name}={_shown(name, event)}" for name in LAYOUTS.get(event.type, ()))


def _shown(name: str, event: SyscallEvent) -> str:
    value = _raw(name, event)
    if value is None or value is PENDING:
        return "<NA>"
    found = PARAMETERS[name].resolved(event)
    value = -1 if value == a.NOBODY else value
    return str(value) if found is None or found is PENDING or found == value else f"{value}({found})"
