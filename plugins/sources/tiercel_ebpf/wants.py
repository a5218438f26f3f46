"""What the kernel has to collect so that the fields of a plan have values: nothing that nobody reads."""

from __future__ import annotations

from typing import Final

from tiercel import ChangePoint, SourcePlan

COLLECT: Final[dict[str, frozenset[str]]] = {
    "exe": frozenset({"proc.exepath", "proc.pexepath", "proc.aexepath", "evt.arg"}),
    "args": frozenset(
        {
            "proc.exe", "proc.args", "proc.cmdline", "proc.cmdnargs", "proc.exeline", "proc.pexe", "proc.pcmdline", "proc.aexe",
            "proc.acmdline", "evt.arg",
        }
    ),
    "ppid": frozenset(
        {
            "proc.ppid", "proc.pname", "proc.pexe", "proc.pexepath", "proc.pcmdline", "proc.aname", "proc.aexe", "proc.aexepath",
            "proc.acmdline", "proc.apid",
        }
    ),
    "uid": frozenset({"user.uid", "user.name"}),
    "gid": frozenset({"group.gid"}),
    "loginuid": frozenset({"user.loginuid", "user.loginname"}),
    "sid": frozenset({"proc.sid"}),
    "tty": frozenset({"proc.tty"}),
    "cgroups": frozenset({"thread.cgroups"}),
    "cwd": frozenset({"proc.cwd"}),
    "memfd": frozenset({"proc.is_exe_from_memfd"}),
    "paths": frozenset(
        {
            "fd.name", "fd.realpath", "fd.nameraw", "fd.directory", "fd.filename", "evt.arg.name", "evt.arg.filename", "evt.arg",
        }
    ),
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
