"""``tiercel doctor``: what the eBPF sensor needs of a host, what of it is there, and how to get the rest."""

from __future__ import annotations

import os
import platform
import pwd
import re
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click

from tiercel.cli.session import json_option
from tiercel.cli.show import print_json

__all__ = ["Finding", "command", "examine"]

KERNEL: Final = (5, 19)
"""Oldest kernel: from it on a process without capabilities may work with the maps that root hands to it."""
SYSTEM_PYTHON: Final = "/usr/bin/python3"
"""Debian's bcc belongs to the distribution's Python."""
USER: Final = "tiercel"
CHANNEL: Final = "TIERCEL_CHANNEL"
"""Set by the supervisor, which is root, for what it starts as another user."""
INITIAL_PIDS: Final = 0xEFFFFFFC
"""Inode of the namespace of process ids that the kernel starts with: PROC_PID_INIT_INO of include/linux/proc_ns.h."""
HAS_BCC: Final = "import bcc; raise SystemExit(0 if hasattr(bcc, 'BPF') else 3)"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        name: what it is.
        ok: whether it is there.
        found: what was found.
        remedy: how to get it; "" if it is there.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""


@click.command("doctor", short_help="Say what this host lacks to run the sensor.")
@json_option
def command(*, as_json: bool) -> int:
    """Looks whether this host has what the eBPF sensor needs. Exit code 1 if something is missing."""
    findings = list(examine())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            remedy = f"; {finding.remedy}" if finding.remedy else ""
            print(f"{'ok' if finding.ok else 'missing':<8} {finding.name}: {finding.found}{remedy}")
    return 0 if all(finding.ok for finding in findings) else 1


def examine(
    *, root: Path = Path("/"), release: str | None = None, python: str = SYSTEM_PYTHON, user: str = USER, namespace: int | None = None
) -> Iterator[Finding]:
    """Looks for everything, in the order in which it is needed.

    Args:
        root: where the files of the system are.
        release: the kernel's version; by default the running one's.
        python: the interpreter that has bcc.
        user: account of the sensor.
        namespace: inode of the namespace of process ids; by default this process's.
    """
    yield _kernel(release or platform.release())
    yield _btf(root / "sys/kernel/btf/vmlinux")
    yield _bcc(python)
    yield _headers(root / "usr/include")
    yield _privilege()
    yield _account(user)
    yield _processes(os.stat("/proc/self/ns/pid").st_ino if namespace is None else namespace)  # noqa: PTH116  no path to follow


def _kernel(release: str) -> Finding:
    match = re.match(r"(\d+)\.(\d+)", release)
    ok = bool(match) and (int(match[1]), int(match[2])) >= KERNEL if match else False
    return Finding("kernel", ok, release, "" if ok else f"needs {KERNEL[0]}.{KERNEL[1]} or newer")


def _btf(path: Path) -> Finding:
    if path.is_file() and os.access(path, os.R_OK):
        return Finding("BTF", True, str(path))
    return Finding("BTF", False, f"no {path}", "needs a kernel with CONFIG_DEBUG_INFO_BTF=y, as the distributions build it")


def _bcc(python: str) -> Finding:
    """Asks the interpreter: importing bcc takes 100 MB, and it is another interpreter's module."""
    remedy = "apt-get install python3-bpfcc"
    try:
        done = subprocess.run([python, "-I", "-c", HAS_BCC], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("bcc", False, f"{python} does not run ({type(error).__name__})", remedy)
    if done.returncode == 0:
        return Finding("bcc", True, f"imported by {python}")
    if done.returncode == 3:
        return Finding("bcc", False, f"{python} imports another module of that name", f"pip uninstall bcc; {remedy}")
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return Finding("bcc", False, f"{python}: {last}", remedy)


def _headers(include: Path) -> Finding:
    """The kernel's user-space headers, which bcc compiles with; headers of the running kernel are not needed."""
    if (include / "linux/types.h").is_file() and any(include.glob("*/asm/types.h")):
        return Finding("user-space headers", True, f"{include}/linux")
    return Finding("user-space headers", False, f"no linux/types.h and asm/types.h below {include}", "apt-get install linux-libc-dev")


def _privilege() -> Finding:
    if os.geteuid() == 0 or CHANNEL in os.environ:
        return Finding("privilege", True, "started by root")
    return Finding("privilege", False, f"started by uid {os.geteuid()}", "run it as root; the sensor itself drops all privilege")


def _account(user: str) -> Finding:
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        remedy = f"useradd --system --user-group --no-create-home --shell /usr/sbin/nologin {user}"
        return Finding("user", False, f"no user {user}", remedy)
    if entry.pw_uid == 0:
        return Finding("user", False, f"{user} has uid 0", "the sensor must not be root; give the account another uid")
    return Finding("user", True, f"{user} (uid {entry.pw_uid})")


def _processes(namespace: int) -> Finding:
    """Events name processes by the host's ids, and so must /proc."""
    if namespace == INITIAL_PIDS:
        return Finding("process ids", True, "the host's")
    return Finding("process ids", False, "a container's", "start the container with --pid=host, or hostPID: true")
