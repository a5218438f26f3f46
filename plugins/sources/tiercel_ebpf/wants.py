"""What the kernel has to collect so that the fields of a plan have values: nothing that nobody reads."""

from __future__ import annotations

from typing import Final

from tiercel import ChangePoint, SourcePlan

_PARAMETERS: Final = frozenset({"evt.arg", "evt.args", "evt.info", "evt.rawarg"})
COLLECT: Final[dict[str, frozenset[str]]] = {
    "exe": frozenset({"proc.exepath", "proc.pexepath", "proc.aexepath", "proc.sid.exepath"}) | _PARAMETERS,
    "args": _PARAMETERS | {
        "proc.exe", "proc.args", "proc.cmdline", "proc.cmdnargs", "proc.cmdlenargs", "proc.exeline", "proc.pexe", "proc.pcmdline",
        "proc.aexe", "proc.acmdline", "proc.aargs", "proc.sid.exe",
    },
    "ppid": _PARAMETERS | frozenset(
        {
            "proc.ppid", "proc.pname", "proc.pexe", "proc.pexepath", "proc.pcmdline", "proc.aname", "proc.aexe", "proc.aexepath",
            "proc.acmdline", "proc.aargs", "proc.apid", "proc.ppid.ts", "proc.ppid.duration", "proc.pvpid", "proc.loginshellid",
        }
    ),
    "uid": _PARAMETERS | {"user.uid", "user.name", "user.homedir", "user.shell"},
    "gid": _PARAMETERS | {"group.gid", "group.name"},
    "loginuid": _PARAMETERS | {"user.loginuid", "user.loginname"},
    "sid": frozenset({"proc.sid", "proc.sname", "proc.sid.exe", "proc.sid.exepath", "proc.is_sid_leader"}),
    "tty": _PARAMETERS | {"proc.tty"},
    "cgroups": frozenset({"thread.cgroups", "thread.cgroup"}),
    "cwd": frozenset({"proc.cwd"}),
    "memfd": frozenset({"proc.is_exe_from_memfd"}),
    "paths": _PARAMETERS | {
        "fd.name", "fd.realpath", "fd.nameraw", "fd.directory", "fd.filename", "fs.path.name", "fs.path.nameraw",
        "fd.dev", "fd.dev.major", "fd.dev.minor", "evt.abspath",
    },
}  # fmt: skip
"""What the loader can collect -> fields that need it."""

GUARDS: Final = {
    "credentials": (ChangePoint.CREDENTIALS, ("uid", "gid", "loginuid")),
    "cgroup": (ChangePoint.CGROUP, ("cgroups",)),
    "session": (ChangePoint.SESSION, ("sid",)),
    "tty": (ChangePoint.TTY, ("tty",)),
}
"""Guards of the loader -> the change point that they compare, and what must be collected to make a verdict with them."""


def wanted(plan: SourcePlan) -> frozenset[str]:
    """Names of what is collected for a plan."""
    out = {name for name, fields in COLLECT.items() if fields & plan.fields}
    for point, needs in GUARDS.values():
        if plan.guards & point:
            out.update(needs)
    if {"clone", "clone3", "vfork", "fork"} & plan.wanted_types:
        out.add("threads")
    if {"execve", "execveat"} & plan.wanted_types:
        out.add("failed_exec")
    return frozenset(out)
