"""Records of the kernel program become events; exec, fork and exit records keep the process table.

Every record carries the identity of its process (pid, start, exec id). Where the table's entry is another, the facts are PENDING, and a
snapshot is taken, at most once a batch, before the event is judged (docs/design.md, when a verdict may be believed).

A process gets its verdict when an event of it comes up unjudged, or when it has lived for `SETTLED` seconds after its exec: most
processes of a build or a shell script are gone by then, and cost nothing.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final

from tiercel import PENDING, Decoder, RawBatch, Replan, SourcePlan, Stability, join_path
from tiercel_ebpf import records as r
from tiercel_ebpf import snapshots
from tiercel_ebpf.accounts import Accounts
from tiercel_ebpf.event import SyscallEvent
from tiercel_ebpf.paths import NO_LENGTH, ORIGIN_LENGTH, POSITIVE, RESULT_SIGN, Views
from tiercel_ebpf.process import MAX_ANCESTORS, UNKNOWN, Process, Table
from tiercel_ebpf.reading import Reading
from tiercel_ebpf.roles import EXEC, EXIT, FORK, OPEN, QUIET

SETTLED: Final = 20_000_000
"""Nanoseconds after its exec at which a process is judged without having come up."""
MAX_SETTLING: Final = 65536
NO_IDENTITY: Final = -1
IMAGE_PARTS: Final = frozenset({"exe", "args", "memfd"})
"""Of what is collected, that which images hold."""
A_COMM: Final = 96
"""Offset of the short name in exec records and rows: a[1]."""
MAX_TEXTS: Final = 4096
CONTEXT: Final = slice(44, 80)
"""Credentials, session, terminal and control groups in a record."""


def _plain(path: str) -> str:
    """A path of mountinfo, in which blanks and the like are octal (proc_pid_mountinfo(5))."""
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), path)


def _number(text: str) -> int | None:
    """A number of at most 32 bits in digits; None for anything else, since snapshots may come from captures."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


class SyscallDecoder(Decoder):
    """Decodes source ``syscall``."""

    name: ClassVar[str] = "syscall"
    summary: ClassVar[str] = "System call events and the process table, from the records of the eBPF source."
    api_version: ClassVar[str] = "1.0"
    stability: ClassVar[Stability] = Stability.EXPERIMENTAL
    event_source: ClassVar[str] = "syscall"
    layouts: ClassVar[frozenset[str]] = frozenset({r.LAYOUT_NAME})

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Any) -> SyscallDecoder:
        """There is nothing to configure."""
        del config, context
        return cls()

    def __init__(self) -> None:
        """An empty table."""
        self.table = Table()
        self._event = SyscallEvent(self)
        self._number = 0
        self._refresh: Callable[[], RawBatch | None] = lambda: None
        self._refreshed = False
        self._ahead: dict[int, Process] = {}
        self._ahead_at = 0
        self._settling: deque[Process] = deque()
        self._cgroup_by_id: dict[tuple[int, int], str] = {}
        self._mounts: dict[int, str] = {}
        self.accounts: Accounts = Accounts(self._snapshot)
        self._readings: dict[int, Reading] = {}
        self._reading: Reading
        self._wants: frozenset[str] = frozenset()
        self._wants_cgroups = False
        self._collected: frozenset[str] = frozenset()  # of the records that are read; of those of an earlier sensor it is not known
        self._renewing = False
        self._views = Views(text=self._text, origin=self._origin)
        self._counts = {"malformed": 0, "repaired": 0, "unknown": 0, "snapshots": 0, "dismissed": 0}

    def open(self, plan: SourcePlan, refresh: Callable[[], RawBatch | None]) -> None:
        """Takes a first snapshot."""
        self._refresh = refresh
        self._put_in_force(Reading(plan))
        self._snapshot()
        self._refreshed = False

    def replan(self, plan: SourcePlan) -> Replan:
        """Records of earlier plans are read as they were; the table gets what only the new one wants from a snapshot."""
        reading = Reading(plan)
        return Replan(lambda: self._turn(reading))

    def _put_in_force(self, reading: Reading) -> None:
        self._reading = self._readings[reading.number] = reading
        self._wants = reading.wants
        self._wants_cgroups = "cgroups" in self._wants

    def _turn(self, reading: Reading) -> None:
        grown = reading.wants - self._wants
        self._put_in_force(reading)
        self.table.forget(grown & IMAGE_PARTS)
        self._renewing = bool(grown)
        self._renew()
        self._settling.clear()
        for process in self.table.by_pid.values():
            process.judged = None  # what was judged by other rules is not judged
            if process.context:  # of what no iterator lists it is not known
                self._settle(process, 0)

    def _renew(self) -> None:
        """Has a snapshot complete what is known of processes, as soon as one is to be had."""
        if self._renewing:
            self._refreshed = False
            self._snapshot()

    def counters(self) -> Mapping[str, int]:
        """Malformed records, repairs, processes that stayed unknown, snapshots, records dropped unseen, and the size of the table."""
        return self._counts | {"processes": len(self.table), "evicted": self.table.evicted}

    def unpack(self, data: bytes) -> Any:
        """A record of a snapshot from a capture."""
        return snapshots.unpack(data)

    def due(self) -> float | None:
        """Seconds until a process has to be judged; None if none waits."""
        return 0.02 if self._settling else None

    # Snapshots

    def _snapshot(self) -> None:
        """Renews the table from the kernel's own; rows of processes in the middle of an exec are left out."""
        if self._refreshed:
            return
        self._refreshed = True
        batch = self._refresh()
        if batch is None:
            return
        self._counts["snapshots"] += 1
        renewing, self._renewing = self._renewing, False
        self._ahead.clear()
        lines = {c[:3]: c[3] for c in batch.records if isinstance(c, r.CommandLine)}
        for record in batch.records:
            if isinstance(record, r.Mounts):
                self._read_mounts(record)
            elif isinstance(record, r.Accounts):
                self.accounts.take_users(record)
            elif isinstance(record, r.Groups):
                self.accounts.take_groups(record)
            elif isinstance(record, bytes):
                self._row(record, lines, renewing=renewing)
            elif isinstance(record, r.Unlisted) and self.table.get(record[0]) is None:
                pid, ppid, start, name, args = record
                image = self.table.image(name, None, args, memfd=False)
                self.table.put(Process(pid=pid, start=start, exec_id=NO_IDENTITY, ppid=ppid, vpid=PENDING, image=image, context=()))

    def _row(self, record: bytes, lines: Mapping[tuple[int, int, int], bytes], *, renewing: bool) -> None:
        h = r.HEAD.unpack_from(record)
        if h[r.FLAGS] & r.F_CHANGING:
            return
        known = self.table.get(h[r.TGID])
        identity = (h[r.TGID], h[r.START], h[r.EXEC_ID])
        same = known is not None and (known.pid, known.start, known.exec_id) == identity and known.image is not UNKNOWN
        if known is not None and same:
            known.ppid = h[r.PPID]
            if known.image.whole and not renewing:
                return
        args: bytes | None = b"" if h[r.FLAGS] & r.F_KTHREAD or "args" not in self._wants else lines.get(identity)
        process = self._new(h, record, args, bool(h[r.FLAGS] & r.F_KTHREAD))
        if known is not None and same:
            known.image = known.image.completed(process.image)
            if renewing:
                known.context = process.context
            return
        if known is not None and known.image is not UNKNOWN and (known.start, known.exec_id) < identity[1:]:
            # Records of what it was may still be in the ring, in front of the one that says what it became.
            self._ahead[process.pid], self._ahead_at = process, h[r.TIME]
        else:
            self._take(process)

    def _take(self, process: Process) -> None:
        self.table.put(process)
        self._settle(process, 0)

    def _catch_up(self) -> None:
        """All records up to the last snapshot have been seen: what is still ahead of the table has none, as it was lost."""
        for pid, process in self._ahead.items():
            known = self.table.get(pid)
            if known is not None and (known.start, known.exec_id) < (process.start, process.exec_id):
                self._take(process)
        self._ahead.clear()

    def _read_mounts(self, text: bytes) -> None:
        self._mounts.clear()
        for line in text.decode(errors="surrogateescape").splitlines():
            parts = line.split(" ")
            if len(parts) > 4 and parts[3] == "/":
                major, minor = map(_number, parts[2].split(":", 1)) if ":" in parts[2] else (None, None)
                if major is not None and minor is not None:
                    self._mounts.setdefault(major << 20 | minor, _plain(parts[4]))

    # Processes

    def _new(self, h: tuple[Any, ...], record: bytes, args: bytes | None, kernel_thread: bool) -> Process:  # noqa: FBT001
        """A process from an exec record or a row."""
        flags = h[r.FLAGS]
        path: bytes | None = b""
        if "exe" in self._wants and not kernel_thread:
            path = None if flags & r.F_CUT else r.string(record, h, r.REAL) or None
        image = self.table.image(record[A_COMM : A_COMM + 16], path, args, memfd=bool(flags & r.F_MEMFD))
        self.cgroups(h[r.CGROUP : r.RESULT], h, record)  # remembered for the process's verdict
        return Process(
            pid=h[r.TGID], start=h[r.START], exec_id=h[r.EXEC_ID], ppid=h[r.PPID], vpid=h[r.A0], image=image, context=h[r.UID : r.RESULT]
        )

    def _settle(self, process: Process, time: int) -> None:
        if self._reading.judging:
            process.settles = time
            if len(self._settling) >= MAX_SETTLING:
                self._settling.popleft()
            self._settling.append(process)

    def _exec(self, h: tuple[Any, ...], record: bytes) -> Process:
        args: bytes | None = b""
        if "args" in self._wants:
            args = r.string(record, h, r.ARGS)
            if not args and (h[r.FLAGS] & r.F_ARGS_CUT or "args" not in self._collected):
                args = None
        process = self._new(h, record, args, False)
        self.table.put(process)
        self._settle(process, h[r.TIME])
        return process

    def _fork(self, h: tuple[Any, ...], parent: Process) -> None:
        if h[r.FLAGS] & r.F_THREAD or parent.image is UNKNOWN:  # of an unknown parent: its first event asks for a snapshot
            return
        child = Process(
            pid=h[r.A0] & 0xFFFFFFFF, start=h[r.A0 + 1], exec_id=h[r.A0 + 3], ppid=h[r.TGID], vpid=h[r.A0 + 2], image=parent.image,
            context=h[r.UID : r.RESULT],
        )  # fmt: skip
        self.table.put(child)
        self._settle(child, h[r.TIME])

    def _process(self, h: tuple[Any, ...]) -> Process:
        """The process image that a record is about, repaired if the table has another."""
        process = self.table.get(h[r.TGID])
        if process is not None and process.start == h[r.START] and process.exec_id == h[r.EXEC_ID]:
            return process
        self._snapshot()
        process = self.table.get(h[r.TGID])
        ahead = self._ahead.get(h[r.TGID])
        if ahead is not None and ahead.start == h[r.START] and ahead.exec_id == h[r.EXEC_ID]:
            self._take(process := ahead)
        if process is not None and process.start == h[r.START] and process.exec_id == h[r.EXEC_ID]:
            self._counts["repaired"] += 1
            return process
        self._counts["unknown"] += 1
        return Process(
            pid=h[r.TGID], start=h[r.START], exec_id=h[r.EXEC_ID], ppid=h[r.PPID], vpid=PENDING, image=UNKNOWN, context=h[r.UID : r.RESULT]
        )

    def ancestors(self, event: SyscallEvent) -> list[Process]:
        """The ancestors of an event's process; a chain that ends before the top is repaired once a batch."""
        table, process = self.table, event.process
        found = table.ancestors(process, event.ppid)
        if (found[-1].ppid if found else event.ppid) != 0 and len(found) < MAX_ANCESTORS and not self._refreshed:
            self._snapshot()
            found = table.ancestors(process, event.ppid)
        return found

    # Events

    def replay(self, record: bytes) -> None:
        """Takes a record for its state alone: only the table changes."""
        try:
            h = r.HEAD.unpack_from(record)
        except struct.error:
            self._counts["malformed"] += 1
            return
        kind = h[r.KIND]
        if kind in r.EXECS:
            if h[r.RESULT] >= 0:
                self._exec(h, record)
        elif kind in r.FORKS:
            parent = self.table.get(h[r.TGID])
            if parent is None or parent.start != h[r.START] or parent.exec_id != h[r.EXEC_ID]:
                parent = self._process(h)
            self._fork(h, parent)
        elif kind == r.EXIT:
            self.table.remove(h[r.TGID], h[r.START])

    def decode(self, batch: RawBatch) -> Iterator[SyscallEvent]:
        """The events of a batch, and processes that want a verdict as events without a type."""
        reading = self._reading_of(batch)
        self._collected = reading.wants
        event, unpack, offset, roles, size = self._event, r.IDENTITY.unpack_from, batch.clock_offset, reading.roles, r.HEAD.size
        judging, has_parents, dismissals = reading.judging and reading is self._reading, reading.has_parents, reading.dismissals
        processes, one_view, same, views = self.table.by_pid, r.F_SAME | r.F_CUT, r.F_SAME, self._views.read
        young, dismissed, ahead, number = batch.clock - SETTLED, 0, self._ahead, self._number
        self._refreshed = False
        self._renew()
        if batch.records and not isinstance(batch.records[0], tuple):  # of a capture that is none of ours
            self._counts["malformed"] += len(batch.records)
            return
        for position, record in batch.records:
            if len(record) < size:
                self._counts["malformed"] += 1
                continue
            kind, _, flags, time, start, exec_id, pid, _, ppid = unpack(record)
            try:
                role = roles[kind]
            except IndexError:
                self._counts["malformed"] += 1
                continue
            if ahead and time > self._ahead_at:
                self._catch_up()
            if role is QUIET:
                self.replay(record)
                continue
            event.raw = record
            event.unpacked = None
            if role is EXEC and event.head[r.RESULT] >= 0:
                process = self._exec(event.head, record)
            else:
                process = processes.get(pid)  # type: ignore[assignment]  # the next line looks
                if process is None or process.start != start or process.exec_id != exec_id:
                    process = self._process(event.head)
                if has_parents:
                    process.ppid = ppid
            number += 1
            context = record[CONTEXT]
            key = process.key if context == process.seen else process.key_of(context)
            # Most opens failed, or have one path: it is whole, and it is the caller's text.
            many = role is OPEN and (flags & one_view != same or record[ORIGIN_LENGTH] != NO_LENGTH) and record[RESULT_SIGN] <= POSITIVE
            unjudged = (
                judging and flags & 1 and kind > r.LAST_STATE_KIND and process.settles <= young
                and (process.judged != r.context(record) or time > process.judged_at)
            )  # fmt: skip
            if not (many or unjudged) and (drops := dismissals[kind]) is not None and drops(key, record):
                dismissed += 1
                continue
            # One by one: tuples on both sides would be made and taken apart for each event.
            event.number = self._number = number
            event.position = position
            event.time = time + offset
            event.kind = kind
            event.type = r.KINDS[kind]
            event.flags = flags
            event.ppid = ppid
            event.process = process
            event.image = image = process.image
            event.pending = image is UNKNOWN
            event.process_key = key
            event.wants_verdict = unjudged
            event.views = 1
            event.texts_read = False
            if many:
                views(event)
            yield event
            if role is FORK:
                self._fork(event.head, process)
            elif role is EXIT:
                self.table.remove(pid, start)
        self._number = number
        self._counts["dismissed"] += dismissed
        if self._settling and reading is self._reading:
            yield from self._settled(young)

    def _reading_of(self, batch: RawBatch) -> Reading:
        """How the records of a batch are read. Those of earlier plans are forgotten when no more of them come."""
        if batch.generation:
            return self._readings.get(batch.generation, self._reading)
        if len(self._readings) > 1:
            self._readings = {self._reading.number: self._reading}
        return self._reading

    def _settled(self, young: int) -> Iterator[SyscallEvent]:
        event, settling = self._event, self._settling
        while settling and settling[0].settles <= young:
            process = settling.popleft()
            if not process.alive or process.judged is not None or process.image is UNKNOWN:
                continue
            event.type, event.kind, event.process, event.image, event.wants_verdict = "", 0, process, process.image, True
            event.raw, event.unpacked, event.pending, event.ppid = b"", (), False, process.ppid
            event.views, event.texts_read = 1, False
            yield event

    def cgroups(self, key: tuple[Any, ...], h: tuple[Any, ...], record: bytes) -> Any:
        """``pids=PATH unified=PATH`` of a thread, remembered by the ids of the groups.

        Args:
            key: the ids.
            h: the head of the record that says the paths; empty if there is none.
            record: the record.

        Returns:
            None if nobody wants it, PENDING if neither the record nor an earlier one says it.
        """
        if not self._wants_cgroups:
            return None
        text = self._cgroup_by_id.get(key)
        if text is None and not h:
            return PENDING
        if text is None:
            if len(self._cgroup_by_id) >= MAX_TEXTS:
                self._cgroup_by_id.clear()
            parts = []
            for name, number in (("pids", r.CGROUP_PATH), ("unified", r.CGROUP2_PATH)):
                if path := r.string(record, h, number):
                    parts.append(f"{name}={str(path, 'utf-8', 'surrogateescape')}")
            text = self._cgroup_by_id[key] = " ".join(parts)
        return text

    @staticmethod
    def _text(event: SyscallEvent) -> str | None:
        """The caller's path made absolute; None if the top of the directory that it starts from is not known."""
        text = event.string(r.TEXT)
        if event.flags & r.F_CUT_BASE and not text.startswith("/"):
            return None
        return join_path(event.string(r.BASE), text)

    def _origin(self, inside: str, device: int) -> str | None:
        """The path by which the host reaches a file behind a bind mount; None if its file system's root is not mounted anywhere."""
        if device not in self._mounts:
            self._snapshot()
        where = self._mounts.get(device)
        return None if where is None else f"{where}{inside}" if where != "/" else inside

    def describe(self, event: Any) -> Mapping[str, Any]:
        """The head of the record by name and the strings that it carries."""
        strings = ("real", "text", "origin", "base", "cgroup", "cgroup2", "args", "cwd")
        return {"type": event.type, "head": event.head, "strings": {n: event.string(i) for i, n in enumerate(strings)}}
