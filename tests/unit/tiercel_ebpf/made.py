"""Records as the kernel program writes them, and decoders that read them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

from tiercel import ChangePoint, Formula, JudgedType, RawBatch, SourcePlan
from tiercel_ebpf import records as r
from tiercel_ebpf.decode import SyscallDecoder
from tiercel_ebpf.event import SyscallEvent
from tiercel_ebpf.fields import FIELDS

NAMES = ("real", "text", "origin", "base", "group", "group2", "args", "cwd")
SECOND = 1_000_000_000


def record(kind: str, **given: Any) -> bytes:
    """One record; strings by their names in NAMES, `a` as a dictionary from index to value."""
    number = r.TASK if kind == "task" else r.KINDS.index(kind)
    values = {
        "flags": 0, "time": 100 * SECOND, "start": 5, "exec_id": 1, "tgid": 10, "tid": 10, "ppid": 1, "uid": 0, "gid": 0,
        "loginuid": 0xFFFFFFFF, "sid": 10, "tty": 0, "cgroup": 0, "cgroup2": 77, "result": 0,
    }  # fmt: skip
    a, texts, at, length = dict(given.pop("a", {})), b"", [0] * 8, [0] * 8
    for i, name in enumerate(NAMES):
        text = given.pop(name, None)
        if text is not None:
            data = text if isinstance(text, bytes) else text.encode(errors="surrogateescape")
            at[i], length[i] = len(texts), len(data)
            texts += data
    assert not set(given) - set(values) - {"generation"}, given
    values |= given
    generation = values.pop("generation", 1)
    head = r.HEAD.pack(number, generation, *values.values(), *(a.get(i, 0) for i in range(6)), *at, *length)
    return head + texts


def image(kind: str = "execve", *, comm: str = "cat", pid: int = 10, **given: Any) -> bytes:
    """An exec, or the row of a process."""
    low, high = struct.unpack("<QQ", comm.encode().ljust(16, b"\0"))
    return record(
        kind, **({"tgid": pid, "tid": pid, "real": f"/usr/bin/{comm}", "group2": "/a.slice", "a": {0: pid, 1: low, 2: high}} | given)
    )


def opened(kind: str = "openat", *, flags_of_file: int = 0, known: int = 1, mode: int = 0o100644, device: int = 0, **given: Any) -> bytes:
    """The end of an open."""
    return record(kind, a={0: flags_of_file | mode << 32, 1: known, 2: device}, **({"result": 3} | given))


def connected(
    peer: str,
    port: int,
    *,
    own: str = "",
    own_port: int = 40000,
    family: int | None = None,
    socket_family: int | None = None,
    protocol: int = 6,
    kind: str = "connect",
    fd: int = 3,
    **given: Any,
) -> bytes:
    """The end of a connect (or dup) of a socket; `family` of the addresses and of the socket, unless `socket_family` is another."""
    family = family if family is not None else (socket.AF_INET6 if ":" in peer else socket.AF_INET)

    def words(address: str) -> tuple[int, int]:
        data = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address) if address else b""
        return struct.unpack("<QQ", data.ljust(16, b"\0"))

    (p, q), (m, n) = words(peer), words(own)
    families = family | (family if socket_family is None else socket_family) << 8
    a = {0: families | protocol << 16 | own_port << 32 | port << 48, 1: fd & 0xFFFFFFFF | 0o140777 << 32, 2: p, 3: q, 4: m, 5: n}
    return record(kind, a=a, **given)


def plan(*, types: Iterable[str] = r.KINDS[1:], fields: Iterable[str] | None = None, judged: bool = True) -> SourcePlan:
    """A plan that collects everything."""
    yes = (Formula("true"),)
    return SourcePlan(
        event_source="syscall", generation=1, wanted_types=frozenset(types),
        judged=(JudgedType("openat", (("rule",),), (), yes, (), yes),) if judged else (),
        fields=frozenset(f.name for f in FIELDS) if fields is None else frozenset(fields), guards=ChangePoint.NEVER, verdict=lambda _: (1,),
    )  # fmt: skip


class Kernel:
    """What snapshots are taken of."""

    def __init__(self, *rows: Any) -> None:
        self.rows: list[Any] = list(rows)
        self.taken = 0

    def snapshot(self) -> RawBatch:
        self.taken += 1
        return RawBatch("syscall", list(self.rows))


def decoder(kernel: Kernel | None = None, plan_: SourcePlan | None = None) -> SyscallDecoder:
    """A decoder that has taken its first snapshot."""
    out = SyscallDecoder.from_config({}, None)
    out.open(plan_ or plan(), (kernel or Kernel()).snapshot)
    return out


def batch(*records: bytes, clock: int = 100 * SECOND) -> RawBatch:
    """A batch; positions count from 1000."""
    return RawBatch("syscall", [(1000 + i, data) for i, data in enumerate(records)], position=1000, clock=clock, clock_offset=7)


def decode(decoder_: SyscallDecoder, *records: bytes, read: Callable[[SyscallEvent], Any], clock: int = 100 * SECOND) -> list[Any]:
    """What `read` says of each event while it is valid, processes that only want a verdict left out."""
    return [read(e) for e in decoder_.decode(batch(*records, clock=clock)) if e.type]
