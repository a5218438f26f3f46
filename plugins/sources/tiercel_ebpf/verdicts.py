"""Verdicts of processes, written into the kernel's map (program/judge.h)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tiercel_ebpf.bpf import Map
from tiercel_ebpf.process import Process

MASK64: Final = (1 << 64) - 1
MAX_SUMS: Final = 4096


class Verdicts:
    """Writes verdicts of one loaded plan."""

    def __init__(self, fd: int, *, slots: int, generation: int, keys: Mapping[str, int], guards: frozenset[str]) -> None:
        """`slots` is the number of judged types (at least 1 in the kernel); `guards` what the kernel compares."""
        self._slots = max(1, slots)
        self._map = Map(fd, key_size=4, value_size=8 * (9 + self._slots))
        self._pack = struct.Struct(f"<{9 + self._slots}Q").pack
        self._keys = keys
        self._generation = generation
        self._base = generation * keys["VK_GENERATION"]
        self._credentials, self._cgroup = "credentials" in guards, "cgroup" in guards
        self._session, self._tty = "session" in guards, "tty" in guards
        self._sums: dict[tuple[int, ...], int] = {}
        self.written = 0

    def write(self, process: Process, context: tuple[Any, ...], masks: Sequence[int]) -> None:
        """Tells the kernel the masks of a process image in a context: (uid, gid, loginuid, sid, tty, control group, control group 2)."""
        uid, gid, loginuid, sid, tty, group, group2 = context
        guard = (
            uid | gid << 32 if self._credentials else 0,
            loginuid if self._credentials else 0,
            (sid if self._session else 0) | (tty << 32 if self._tty else 0),
            group if self._cgroup else 0,
            group2 if self._cgroup else 0,
        )
        keys, masks = self._keys, tuple(masks) or (MASK64,)
        rest = self._sums.get((*guard, *masks))
        if rest is None:
            if len(self._sums) >= MAX_SUMS:
                self._sums.clear()
            rest = sum(g * (keys["VK_GUARD"] + 2 * i) for i, g in enumerate(guard))
            rest += sum(m * (keys["VK_MASK"] + 2 * i) for i, m in enumerate(masks))
            self._sums[*guard, *masks] = rest
        total = process.pid * keys["VK_TGID"] + process.start * keys["VK_START"] + process.exec_id * keys["VK_EXEC"] + self._base + rest
        self._map.update(
            process.pid.to_bytes(4, "little"),
            self._pack(total & MASK64, process.start, process.exec_id, self._generation, *guard, *masks),
        )
        self.written += 1
