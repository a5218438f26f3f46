"""The fields of source ``syscall`` about processes, users and groups, with their change points.

Names, types and meanings are Falco's; where they differ, docs/compatibility.md says so. Facts of the process image come from the table;
credentials, session, terminal, control group and parent come with the event, as the kernel saw them at that moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tiercel import PENDING, Argument, ChangePoint, FactGroup, Field, FieldType, Quantifier
from tiercel_ebpf.building import SOURCES, Getter, reading
from tiercel_ebpf.event import SyscallEvent
from tiercel_ebpf.records import CWD, F_CUT_CWD, TIME

__all__ = ["PROCESS_FIELDS"]

IMAGE: Final = ChangePoint.EXEC | ChangePoint.FORK
S, U, B, N, T = FieldType.STRING, FieldType.UINT32, FieldType.BOOL, FieldType.INT64, FieldType.TIME


def _image(name: str, attribute: str, kind: FieldType, description: str) -> Field:
    return Field(
        name=name, type=kind, description=description, group=FactGroup.PROCESS, changes=IMAGE, sources=SOURCES, path=("image", attribute),
        names_file=attribute == "exepath",
    )  # fmt: skip


def _process(name: str, path: tuple[str, ...], kind: FieldType, changes: ChangePoint, description: str) -> Field:
    return Field(name=name, type=kind, description=description, group=FactGroup.PROCESS, changes=changes, sources=SOURCES, path=path)


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
        in_comparison=False, in_transformer=False,
    )  # fmt: skip


def _arguments(argument: str | None) -> Getter:
    """All arguments joined, or one; past the last one it is empty."""
    if argument is None:
        return lambda event: event.image.args
    index = int(argument)

    def get(event: SyscallEvent) -> Any:
        words = event.image.arglist
        return words if words is PENDING else words[index] if index < len(words) else ""

    return get


def _ancestor_arguments(argument: str | None) -> Getter:
    """Arguments of one ancestor, or of all."""
    if argument is None:
        return lambda event: " ".join(each.image.args for each in event.ancestors() if each.image.args is not PENDING) or None
    level = int(argument)

    def get(event: SyscallEvent) -> Any:
        ancestors = event.ancestors() if level else [event.process]
        return ancestors[max(level - 1, 0)].image.args if level <= len(ancestors) else None

    return get


def _session(attribute: str) -> Getter:
    """Of the session's leader, while it lives."""

    def get(event: SyscallEvent) -> Any:
        leader = event.decoder.table.get(event.sid)
        return None if leader is None else getattr(leader.image, attribute)

    return get


def _cgroup(argument: str | None) -> Getter:
    """The path of one controller among the control groups."""

    def get(event: SyscallEvent) -> Any:
        groups = event.cgroups
        if not isinstance(groups, str):
            return groups
        return next((path for name, _, path in (pair.partition("=") for pair in groups.split()) if name == argument), None)

    return get


def _age(event: SyscallEvent) -> int:
    """Record and process have the same clock, the kernel's boot time."""
    return int(event.head[TIME] - event.process.start)


def _parent_start(event: SyscallEvent) -> Any:
    if event.ppid == 0:
        return None
    parent = event.decoder.table.get(event.ppid)
    return PENDING if parent is None else parent.start


def _parent_age(event: SyscallEvent) -> Any:
    start = _parent_start(event)
    return event.head[TIME] - start if type(start) is int else start


def _parent_ts(event: SyscallEvent) -> Any:
    age = _parent_age(event)
    return event.time - age if type(age) is int else age


def _parent_vpid(event: SyscallEvent) -> Any:
    if event.ppid == 0:
        return None
    ancestors = event.ancestors()
    return ancestors[0].vpid if ancestors else PENDING


def _login_shell(event: SyscallEvent) -> int | None:
    """Shells are told by their names, which end in "sh"."""
    line = [event.process, *event.ancestors()]
    shells = [each.pid for each in line if isinstance(each.image.name, str) and each.image.name.endswith("sh")]
    return shells[-1] if shells else None


def _cwd(event: SyscallEvent) -> Any:
    text = "" if event.flags & F_CUT_CWD else event.string(CWD)
    return (text if text.endswith("/") else f"{text}/") if text else PENDING


PROCESS_FIELDS: Final = (
    _image("proc.name", "name", S, "Short name of the process at its exec or fork, up to 15 bytes."),
    _image("proc.exe", "exe", S, "First argument (argv[0]) of the process."),
    _image("proc.exepath", "exepath", S, "Path of the executable, from the kernel's own object."),
    Field(
        name="proc.args", type=S, description="Arguments without the first, joined by blanks; with an index, one of them, from 0.",
        group=FactGroup.PROCESS, changes=IMAGE, sources=SOURCES, argument=Argument.OPTIONAL_INDEX, getter=_arguments,
    ),
    _image("proc.cmdline", "cmdline", S, "proc.name and proc.args, joined by a blank."),
    _image("proc.is_exe_from_memfd", "memfd", B, "True if the executable exists in memory only (memfd_create(2))."),
    _image("proc.cmdnargs", "count", FieldType.UINT64, "Number of arguments."),
    _image("proc.cmdlenargs", "length", FieldType.UINT64, "Length of the arguments in bytes, without blanks between them."),
    _image("proc.exeline", "exeline", S, "proc.exe and proc.args, joined by a blank."),
    _process("proc.pid", ("process", "pid"), N, ChangePoint.FORK, "Process id, as the host sees it."),
    _process("proc.vpid", ("process", "vpid"), N, ChangePoint.FORK, "Process id in its own pid namespace."),
    _process("proc.sid", ("sid",), N, ChangePoint.SESSION | ChangePoint.FORK, "Session id, as the host sees it."),
    _process("proc.tty", ("tty",), U, ChangePoint.TTY | ChangePoint.FORK, "Device number of the controlling terminal, 0 if there is none."),
    _process("user.uid", ("uid",), U, ChangePoint.CREDENTIALS | IMAGE, "Effective user id of the calling thread."),
    _process("group.gid", ("gid",), U, ChangePoint.CREDENTIALS | IMAGE, "Effective group id of the calling thread."),
    reading(
        "user.loginuid", N, FactGroup.PROCESS, lambda e: -1 if e.loginuid == 0xFFFFFFFF else e.loginuid,
        "Audit user id, -1 if unset.", changes=ChangePoint.CREDENTIALS | IMAGE,
    ),
    _process(
        "thread.cgroups", ("cgroups",), S, ChangePoint.CGROUP | ChangePoint.FORK,
        "Control groups of the calling thread: 'pids=PATH unified=PATH'; the first where a version 1 hierarchy is mounted.",
    ),
    reading(
        "user.loginname", S, FactGroup.REST, lambda e: e.decoder.accounts.user(e.loginuid).name, "Name of the audit user on the host.",
        changes=ChangePoint.CREDENTIALS | ChangePoint.TIME, inputs=("user.loginuid",),
    ),
    reading(
        "user.name", S, FactGroup.REST, lambda e: e.decoder.accounts.user(e.uid).name, "Name of that user on the host, or <NA>.",
        changes=ChangePoint.CREDENTIALS | ChangePoint.TIME, inputs=("user.uid",),
    ),
    reading(
        "user.homedir", S, FactGroup.REST, lambda e: e.decoder.accounts.user(e.uid).home, "Home directory of that user on the host.",
        changes=ChangePoint.CREDENTIALS | ChangePoint.TIME, inputs=("user.uid",),
    ),
    reading(
        "user.shell", S, FactGroup.REST, lambda e: e.decoder.accounts.user(e.uid).shell, "Login shell of that user on the host.",
        changes=ChangePoint.CREDENTIALS | ChangePoint.TIME, inputs=("user.uid",),
    ),
    reading(
        "group.name", S, FactGroup.REST, lambda e: e.decoder.accounts.group(e.gid), "Name of that group on the host, or <NA>.",
        changes=ChangePoint.CREDENTIALS | ChangePoint.TIME, inputs=("group.gid",),
    ),
    reading("thread.tid", N, FactGroup.REST, lambda e: e.tid, "Thread id of the calling thread."),
    reading("proc.ppid", N, FactGroup.REST, lambda e: e.ppid, "Process id of the parent.", changes=ChangePoint.ANCESTORS),
    reading(
        "proc.pvpid", N, FactGroup.REST, _parent_vpid, "Process id of the parent in its own pid namespace.", changes=ChangePoint.ANCESTORS,
    ),
    reading(
        "proc.loginshellid", N, FactGroup.REST, _login_shell, "Process id of the oldest shell among the process and its ancestors.",
        changes=ChangePoint.ANCESTORS,
    ),
    reading("proc.cwd", S, FactGroup.REST, _cwd, "Current directory at the event; ends with a slash.", changes=ChangePoint.DIRECTORY),
    _parent("proc.pname", "name", "proc.name of the parent."),
    _parent("proc.pexe", "exe", "proc.exe of the parent."),
    _parent("proc.pexepath", "exepath", "proc.exepath of the parent."),
    _parent("proc.pcmdline", "cmdline", "proc.cmdline of the parent."),
    _ancestor("proc.aname", lambda p: p.image.name, S, "proc.name of an ancestor ([0] the process itself); without index any but itself."),
    _ancestor("proc.aexe", lambda p: p.image.exe, S, "proc.exe of an ancestor."),
    _ancestor("proc.aexepath", lambda p: p.image.exepath, S, "proc.exepath of an ancestor."),
    _ancestor("proc.acmdline", lambda p: p.image.cmdline, S, "proc.cmdline of an ancestor."),
    _ancestor("proc.apid", lambda p: p.pid, N, "Process id of an ancestor."),
    reading(
        "proc.aargs", S, FactGroup.REST, _ancestor_arguments, "proc.args of an ancestor; without index those of all, joined by blanks.",
        changes=ChangePoint.ANCESTORS, argument=Argument.OPTIONAL_INDEX,
    ),
    reading("proc.sname", S, FactGroup.REST, _session("name"), "proc.name of the session's leader, while it lives."),
    reading("proc.sid.exe", S, FactGroup.REST, _session("exe"), "proc.exe of the session's leader."),
    reading("proc.sid.exepath", S, FactGroup.REST, _session("exepath"), "proc.exepath of the session's leader."),
    reading("proc.is_sid_leader", B, FactGroup.REST, lambda e: e.sid == e.process.pid, "True for the session's leader."),
    reading("proc.duration", T, FactGroup.REST, _age, "Nanoseconds since the process started."),
    reading("proc.pid.ts", T, FactGroup.REST, lambda e: e.time - _age(e), "Start of the process, nanoseconds since the epoch."),
    reading("proc.ppid.duration", T, FactGroup.REST, _parent_age, "Nanoseconds since the parent started."),
    reading("proc.ppid.ts", T, FactGroup.REST, _parent_ts, "Start of the parent, nanoseconds since the epoch."),
    reading(
        "thread.cgroup", S, FactGroup.REST, _cgroup, "Control group of one controller: thread.cgroup.pids.", argument=Argument.KEY,
        changes=ChangePoint.CGROUP | ChangePoint.FORK,
    ),
)  # fmt: skip
