"""Starting an unprivileged child: all privilege is gone before it executes, and with it before any plugin is imported."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import socket
from typing import Final

USER: Final = "tiercel"
PATIENCE: Final = 5.0
"""Seconds that the child may leave us in the middle of a message."""
CHANNEL: Final = 3
"""Descriptor of the broker's socket in the child."""
PR_SET_PDEATHSIG: Final = 1  # include/uapi/linux/prctl.h
PR_SET_NO_NEW_PRIVS: Final = 38
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_CLEAR_ALL: Final = 4

_libc = ctypes.CDLL(None, use_errno=True)


def account() -> tuple[int, int] | None:
    """(uid, gid) of the sensor's user, or None if there is none."""
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        return None
    return (entry.pw_uid, entry.pw_gid) if entry.pw_uid else None


def spawn(
    command: list[str], uid: int, gid: int, *, extra: tuple[str, ...] = (), patient: bool = False
) -> tuple[int, socket.socket]:  # fmt: skip
    """Starts a command as another user, without capabilities, with a socket to this process as descriptor `CHANNEL`.

    It is told to end when this process ends.

    Args:
        command: program and arguments.
        uid: the user.
        gid: the user's group, its only one.
        extra: names of variables that it gets of our environment, beside those that say how to print.
        patient: signals that ask for something do not end it before it understands them.

    Returns:
        Its pid, and this side of the socket.
    """
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    handed_on = {"LANG", "LC_ALL", "TERM", "NO_COLOR", "TZ", "COLUMNS", "FALCO_HOSTNAME", "JOURNAL_STREAM", *extra}
    environment = {k: v for k, v in os.environ.items() if k in handed_on}
    environment |= {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "TIERCEL_CHANNEL": str(CHANNEL), "PYTHONDONTWRITEBYTECODE": "1"}
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(theirs.fileno(), CHANNEL)
            os.closerange(CHANNEL + 1, 1 << 12)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            if patient:
                for number in (signal.SIGHUP, signal.SIGUSR1):
                    signal.signal(number, signal.SIG_IGN)
            os.setsid()  # root's terminal is not its own: it could type into it (TIOCSTI, ioctl_tty(2)); our signals are forwarded
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
            _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
            os.execve(command[0], command, environment)
        finally:
            os._exit(127)
    theirs.close()
    ours.settimeout(PATIENCE)
    return pid, ours
