"""Where the sensor runs, looked at once, at its start: nothing of this is for events, so it may log."""

from __future__ import annotations

import logging
import os
from typing import Final

__all__ = ["INITIAL_PIDS", "look"]

INITIAL_PIDS: Final = 0xEFFFFFFC
"""Inode of the namespace of process ids that the kernel starts with: PROC_PID_INIT_INO of include/linux/proc_ns.h."""

_log = logging.getLogger("tiercel.ebpf")


def look() -> None:
    """Warns if /proc shows the processes of a container only."""
    namespace = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116  no path to follow
    if namespace != INITIAL_PIDS:
        _log.warning(
            "ebpf: /proc is a container's (got pid namespace %d, expected the host's); start the container with --pid=host", namespace
        )
