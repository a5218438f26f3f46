"""The fields of source ``syscall`` that this plugin's decoder fills, with their change points.

Names, types and meanings are Falco's; where they differ, docs/compatibility.md says so. Facts of the process image come from the table;
credentials, session, terminal, control group and parent come with the event, as the kernel saw them at that moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tiercel import PENDING, Argument, ChangePoint, FactGroup, Field, FieldType, Quantifier
from tiercel_ebpf import arguments, sockets
from tiercel_ebpf.event import SyscallEvent
from tiercel_ebpf.records import A0, CONNECT, CWD, F_CUT_CWD, OPENS

SOURCES: Final = frozenset({"syscall"})
IMAGE: Final = ChangePoint.EXEC | ChangePoint.FORK
S, U, B, N, P = FieldType.STRING, FieldType.UINT32, FieldType.BOOL, FieldType.INT64, FieldType.PORT
Getter = Callable[[SyscallEvent], Any]


def _image(name: str, attribute: str, kind: FieldType, description: str) -> Field:
    return Field(
        name=name, type=kind, description=description, group=FactGroup.PROCESS, changes=IMAGE, sources=SOURCES, path=("image", attribute),
        names_file=attribute == "exepath",
    )  # fmt: skip


def _process(name: str, path: tuple[str, ...], kind: FieldType, changes: ChangePoint, description: str) -> Field:
    return Field(name=name, type=kind, description=description, group=FactGroup.PROCESS, changes=changes, sources=SOURCES, path=path)


def _event(name: str, kind: FieldType, group: FactGroup, getter: Callable[..., Any], description: str, **more: Any) -> Field:
    return Field(name=name, type=kind, description=description, group=group, sources=SOURCES, getter=getter, **more)


def _of_image(
    name: str, source: str, kind: FieldType, function: Callable[..., Any], description: str, *, names_file: bool = False
) -> Field:
    return Field(
        name=name, type=kind, description=description, group=FactGroup.PROCESS, changes=ChangePoint.NEVER, sources=SOURCES,
        inputs=(source,), function=function, names_file=names_file,
    )  # fmt: skip


def _parent(name: str, attribute: str, description: str) -> Field:
    def get(event: SyscallEvent) -> Any:
        image = event.parent_image()
        return getattr(image, attribute) if image is not None and image is not PENDING else image

    return Field(
        name=name, type=S, description=description, group=FactGroup.REST, changes=ChangePoint.ANCESTORS, sources=SOURCES, getter=get,
        names_file=attribute == "exepath",
    )  # fmt: skip


def _ancestor(name: str, read: Callable[[Any], Any], kind: FieldType, description: str) -> Field:
    def make(argument: str | None) -> Getter:
        if argument is None:
            return lambda event: tuple(read(p) for p in event.ancestors()) or None
        level = int(argument)

        def get(event: SyscallEvent) -> Any:
            if level == 0:
                return read(event.process)
            ancestors = event.ancestors()
            return read(ancestors[level - 1]) if level <= len(ancestors) else None

        return get

    return Field(
        name=name, type=kind, description=description, group=FactGroup.REST, changes=ChangePoint.ANCESTORS, sources=SOURCES,
        argument=Argument.OPTIONAL_INDEX, quantifier=Quantifier.ANY, getter=make, names_file=name == "proc.aexepath",
    )  # fmt: skip


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


def _directory(name: str) -> str | None:
    if not name.startswith("/"):
        return None
    return name[: name.rindex("/")] or "/"


def _filename(name: str) -> str | None:
    return name[name.rindex("/") + 1 :] if name.startswith("/") else None


def _cwd(event: SyscallEvent) -> Any:
    text = "" if event.flags & F_CUT_CWD else event.string(CWD)
    return (text if text.endswith("/") else f"{text}/") if text else PENDING


def _socket(read: Callable[[tuple[Any, ...]], Any]) -> Getter:
    return lambda event: read(event.head) if event.head and event.head[0] >= CONNECT else None


def _both(read: tuple[Callable[[tuple[Any, ...]], Any], Callable[[tuple[Any, ...]], Any]]) -> Getter:
    def get(event: SyscallEvent) -> Any:
        if not event.head or event.head[0] < CONNECT or (mine := read[0](event.head)) is None:
            return None
        return (mine, read[1](event.head))

    return get


_PLACE: Final = FactGroup.PLACE
_SCALAR: Final = FactGroup.SCALAR

PROCESS_FIELDS: Final = (
    _image("proc.name", "name", S, "Short name of the process at its exec or fork, up to 15 bytes."),
    _image("proc.exe", "exe", S, "First argument (argv[0]) of the process."),
    _image("proc.exepath", "exepath", S, "Path of the executable, from the kernel's own object."),
    _image("proc.args", "args", S, "Arguments without the first, joined by blanks."),
    _image("proc.cmdline", "cmdline", S, "proc.name and proc.args, joined by a blank."),
    _image("proc.is_exe_from_memfd", "memfd", B, "True if the executable exists in memory only (memfd_create(2))."),
    _of_image("proc.cmdnargs", "proc.args", FieldType.UINT64, lambda a: len(a.split(" ")) if a else 0, "Number of arguments."),
    Field(
        name="proc.exeline", type=S, description="proc.exe and proc.args, joined by a blank.", group=FactGroup.PROCESS, sources=SOURCES,
        changes=ChangePoint.NEVER, inputs=("proc.exe", "proc.args"), function=lambda exe, args: f"{exe} {args}" if args else exe,
    ),
    _process("proc.pid", ("process", "pid"), N, ChangePoint.FORK, "Process id, as the host sees it."),
    _process("proc.vpid", ("process", "vpid"), N, ChangePoint.FORK, "Process id in its own pid namespace."),
    _process("proc.sid", ("sid",), N, ChangePoint.SESSION | ChangePoint.FORK, "Session id, as the host sees it."),
    _process("proc.tty", ("tty",), U, ChangePoint.TTY | ChangePoint.FORK, "Device number of the controlling terminal, 0 if there is none."),
    _process("user.uid", ("uid",), U, ChangePoint.CREDENTIALS | IMAGE, "Effective user id of the calling thread."),
    _process("group.gid", ("gid",), U, ChangePoint.CREDENTIALS | IMAGE, "Effective group id of the calling thread."),
    _event(
        "user.loginuid", N, FactGroup.PROCESS, lambda e: -1 if e.loginuid == 0xFFFFFFFF else e.loginuid,
        "Audit user id, -1 if unset.", changes=ChangePoint.CREDENTIALS | IMAGE,
    ),
    _process(
        "thread.cgroups", ("cgroups",), S, ChangePoint.CGROUP | ChangePoint.FORK,
        "Control groups of the calling thread: 'pids=PATH unified=PATH'; the first where a version 1 hierarchy is mounted.",
    ),
    _event(
        "user.name", S, FactGroup.REST, lambda e: e.decoder.user_name(e.uid), "Name of that user on the host; <NA> if it has none.",
        changes=ChangePoint.CREDENTIALS | ChangePoint.TIME, inputs=("user.uid",),
    ),
    _event("thread.tid", N, FactGroup.REST, lambda e: e.tid, "Thread id of the calling thread."),
    _event("proc.ppid", N, FactGroup.REST, lambda e: e.ppid, "Process id of the parent.", changes=ChangePoint.ANCESTORS),
    _event("proc.cwd", S, FactGroup.REST, _cwd, "Current directory at the event; ends with a slash.", changes=ChangePoint.DIRECTORY),
    _parent("proc.pname", "name", "proc.name of the parent."),
    _parent("proc.pexe", "exe", "proc.exe of the parent."),
    _parent("proc.pexepath", "exepath", "proc.exepath of the parent."),
    _parent("proc.pcmdline", "cmdline", "proc.cmdline of the parent."),
    _ancestor("proc.aname", lambda p: p.image.name, S, "proc.name of an ancestor ([0] the process itself); without index any but itself."),
    _ancestor("proc.aexe", lambda p: p.image.exe, S, "proc.exe of an ancestor."),
    _ancestor("proc.aexepath", lambda p: p.image.exepath, S, "proc.exepath of an ancestor."),
    _ancestor("proc.acmdline", lambda p: p.image.cmdline, S, "proc.cmdline of an ancestor."),
    _ancestor("proc.apid", lambda p: p.pid, N, "Process id of an ancestor."),
)  # fmt: skip

EVENT_FIELDS: Final = (
    Field(
        name="evt.type", type=S, description="Name of the event: the system call, or procexit.", group=_SCALAR, sources=SOURCES,
        path=("type",),
    ),
    Field(
        name="evt.rawres", type=N, description="Result of the call as a number.", group=_SCALAR, sources=SOURCES, path=("result",),
    ),
    _event("evt.res", S, _SCALAR, lambda e: arguments.result_text(e.result), "SUCCESS, or the name of the error."),
    _event("evt.failed", B, _SCALAR, lambda e: e.result < 0, "True if the call failed."),
    _event("evt.is_open_read", B, _SCALAR, _open_mode(0), "True for opens with read access."),
    _event("evt.is_open_write", B, _SCALAR, _open_mode(1), "True for opens with write access."),
    _event("evt.dir", S, _SCALAR, lambda _: "<", "Always '<': there are exit events only."),
    _event(
        "evt.arg", S, FactGroup.REST, arguments.argument, "One parameter of the event as text, by name: evt.arg.flags.",
        argument=Argument.KEY,
    ),
    _event("fd.num", N, _SCALAR, arguments.fd_number, "Number of the descriptor; the negative result after a failed open."),
    _event("fd.type", S, _SCALAR, arguments.fd_type, "file, directory, pipe, ipv4, ipv6, unix; missing for other descriptors."),
    _event("fd.typechar", S, _SCALAR, arguments.fd_typechar, "The type as one character: f d p 4 6 u."),
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
    _of_image("fd.directory", "fd.name", FieldType.PATH, _directory, "fd.name up to its last slash.", names_file=True),
    _of_image("fd.filename", "fd.name", S, _filename, "fd.name behind its last slash."),
    _event("fd.sip", FieldType.IP, _PLACE, _socket(sockets.peer), "Address of the server: of the peer, for connect."),
    _event("fd.rip", FieldType.IP, _PLACE, _socket(sockets.peer), "Address of the peer."),
    _event("fd.cip", FieldType.IP, _PLACE, _socket(sockets.own), "Address of the client."),
    _event("fd.lip", FieldType.IP, _PLACE, _socket(sockets.own), "Local address."),
    _event("fd.snet", FieldType.NET, _PLACE, _socket(sockets.peer), "Address of the server, to compare with networks.", in_output=False),
    _event("fd.rnet", FieldType.NET, _PLACE, _socket(sockets.peer), "Address of the peer, to compare with networks.", in_output=False),
    _event("fd.cnet", FieldType.NET, _PLACE, _socket(sockets.own), "Address of the client, to compare with networks.", in_output=False),
    _event("fd.lnet", FieldType.NET, _PLACE, _socket(sockets.own), "Local address, to compare with networks.", in_output=False),
    _event(
        "fd.ip", FieldType.IP, _PLACE, _both((sockets.own, sockets.peer)), "Either address.", in_output=False, quantifier=Quantifier.EITHER,
    ),
    _event(
        "fd.net", FieldType.NET, _PLACE, _both((sockets.own, sockets.peer)), "Either address, to compare with networks.", in_output=False,
        quantifier=Quantifier.EITHER,
    ),
    _event("fd.sport", P, _SCALAR, _socket(sockets.peer_port), "Port of the server: of the peer, for connect."),
    _event("fd.rport", P, _SCALAR, _socket(sockets.peer_port), "Port of the peer."),
    _event("fd.cport", P, FactGroup.REST, _socket(sockets.own_port), "Port of the client."),
    _event("fd.lport", P, FactGroup.REST, _socket(sockets.own_port), "Local port."),
    _event(
        "fd.port", P, FactGroup.REST, _both((sockets.own_port, sockets.peer_port)), "Either port.", in_output=False,
        quantifier=Quantifier.EITHER,
    ),
    _event("fd.l4proto", S, _SCALAR, arguments.protocol, "tcp, udp, icmp, raw; <NA> for anything else."),
)  # fmt: skip

FIELDS: Final = (*PROCESS_FIELDS, *EVENT_FIELDS)
