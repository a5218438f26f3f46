"""The eBPF source: asks for the loader, reads the ring, writes verdicts and places, takes snapshots; all of it without privilege."""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Final

from tiercel import Abilities, Context, Event, Loaded, RawBatch, Replan, Source, SourcePlan, Stability, UserError
from tiercel_ebpf import records as r
from tiercel_ebpf import snapshots, surroundings
from tiercel_ebpf.bpf import Map, iterate, possible_cpus
from tiercel_ebpf.event import SyscallEvent
from tiercel_ebpf.journal import Journal
from tiercel_ebpf.names import EVENT_NAMES
from tiercel_ebpf.process import UNKNOWN
from tiercel_ebpf.program import MAX_GENERATION, Program
from tiercel_ebpf.ring import Ring, drain_descriptor
from tiercel_ebpf.translate import COMPARED, OPENS, PLACES, SCALARS, Entry, translate
from tiercel_ebpf.turns import Turns
from tiercel_ebpf.verdicts import Verdicts

BATCH: Final = 1024
BUSY_PAUSE: Final = 0.008
"""Seconds between two readings while records keep coming: a batch costs less than its records one by one."""
PAUSE_PER_RECORD: Final = 0.002
"""Seconds, at most, for each record of the last reading: where there are few, an alert in time is worth more than a batch."""
BACKLOG: Final = 1 << 16
"""Bytes in the ring at which the reader does not pause."""
COUNTERS: Final = ("seen", "dropped_process", "dropped_scalars", "dropped_place", "passed", "lost", "i386", "unjudged")
SNAPSHOT_PAUSE: Final = 4
"""Times its own duration that must pass after a snapshot before the next."""
LOADER: Final = "ebpf"
DEFAULT_RING_MB: Final = 8
PERSISTENT: Final = ("events", "control", "counters")
"""Descriptors that stay the same whatever is loaded."""


class EbpfSource(Source):
    """System calls of this host by eBPF, judged in the kernel."""

    name: ClassVar[str] = "ebpf"
    summary: ClassVar[str] = "System calls through eBPF without kernel headers; rules are judged in the kernel by masks."
    api_version: ClassVar[str] = "1.0"
    stability: ClassVar[Stability] = Stability.EXPERIMENTAL
    event_source: ClassVar[str] = "syscall"
    layout: ClassVar[str] = r.LAYOUT_NAME
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "ring_size_mb": {
                "enum": [1 << power for power in range(11)],
                "default": DEFAULT_RING_MB,
                "description": "Memory between kernel and sensor, in MiB: what a burst may bring before the sensor has read it.",
            },
        },
        "additionalProperties": False,
    }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Context) -> EbpfSource:
        """Takes the size of the ring."""
        return cls(context, ring_bytes=int(config.get("ring_size_mb", DEFAULT_RING_MB)) << 20)

    @classmethod
    def abilities(cls) -> Abilities:
        """What the kernel program can judge."""
        return Abilities(
            event_types=frozenset(r.KINDS[1:]),
            named_types=EVENT_NAMES.difference(r.KINDS),
            judged_types=frozenset({*OPENS, "connect", "dup", "dup2", "dup3", "fcntl"}),
            compared=COMPARED,
            scalars=SCALARS,
            places=PLACES,
        )

    def __init__(self, context: Context, *, ring_bytes: int) -> None:
        """Nothing is opened; a ring that there is already keeps its size."""
        self._host = context.host
        self._ring_bytes = ring_bytes
        self._descriptors: dict[str, int] = {}
        self._wake = -1
        self._stopped = False
        self._last_count = 0
        self._ring: Ring
        self._journal: Journal | None = None
        self._program: Program | None = None
        self._verdicts: Verdicts
        self._turns: Turns
        self._cut: deque[RawBatch] = deque()
        self._control: mmap.mmap | None = None
        self._lines: dict[tuple[int, int, int], bytes] = {}
        self._no_snapshot_before = 0.0

    def open(self, plan: SourcePlan) -> None:
        """Has the plan loaded, or takes over what an earlier sensor had loaded, if it fits."""
        surroundings.look()
        loaded = self._host.loaded(LOADER)
        if loaded is not None:
            self._ring_bytes = loaded.answer["ring_bytes"]
        message, entries = translate(plan, ring_bytes=self._ring_bytes)
        generation = 1
        if loaded is not None:
            program = self._take(loaded)
            generation = _after(program.generation)  # what an earlier sensor wrote under others means nothing
            if program.fits(message, entries):
                program.fill(entries, generation)
                program.switch(generation)
            else:
                program.close()
                loaded = None
        if loaded is None:
            program = self._load(message, entries, generation)
            self._host.commit(LOADER)
        self._program = program
        self._verdicts = program.verdicts(len(plan.judged), generation)
        self._turns = Turns(generation, plan.generation)

    def replan(self, plan: SourcePlan) -> Replan:
        """Enters other values beside those in force, or loads another program where the plan differs in more than values."""
        message, entries = translate(plan, ring_bytes=self._ring_bytes)
        program = self._program
        assert program is not None
        generation = _after(program.generation)
        same = program.fits(message, entries)
        if same:
            program.fill(entries, generation)
        else:
            program = self._load(message, entries, generation)
        verdicts = program.verdicts(len(plan.judged), generation)

        def commit() -> None:
            before = self._program
            if same:
                program.switch(generation)
            else:
                try:
                    self._host.commit(LOADER)
                except UserError:
                    program.close()
                    raise
            self._program, self._verdicts = program, verdicts
            self._turns.switched(generation, plan.generation, now=time.monotonic())
            if before is not None and before is not program:
                before.close()

        def discard() -> None:
            if not same:
                self._host.discard(LOADER)
                program.close()

        return Replan(commit, discard)

    def _load(self, message: Mapping[str, Any], entries: Sequence[Entry], generation: int) -> Program:
        """A program that is not in force yet, with its values."""
        program = self._take(self._host.prepare(LOADER, {**message, "generation": generation}))
        try:
            program.fill(entries, generation)
        except OSError as e:
            self._host.discard(LOADER)
            program.close()
            msg = f"source ebpf: the values of paths and networks that rules name cannot be entered ({e.strerror}; got {len(entries)})"
            raise UserError(msg) from e
        return program

    def _take(self, loaded: Loaded) -> Program:
        """The program of what was loaded; the first time, everything else of it is opened, too."""
        answer = loaded.answer
        if answer["layout"] != r.LAYOUT or any(answer["kinds"].get(k) != n for n, k in enumerate(r.KINDS) if k):
            msg = f"eBPF loader: record layout {answer['layout']} is not this source's {r.LAYOUT}; install both from one distribution"
            raise UserError(msg)
        if self._control is None:
            self._descriptors = {name: os.dup(loaded.descriptors[name]) for name in PERSISTENT}
            self._slots = answer["control"]
            self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._ring = Ring(self._descriptors["events"], answer["ring_bytes"])
            self._control = mmap.mmap(self._descriptors["control"], mmap.PAGESIZE)
            self._counters = Map(self._descriptors["counters"], key_size=4, value_size=64 * possible_cpus())
            journal = self._host.journal()
            self._journal = None if journal is None else Journal(journal)
        return Program(loaded)

    def _set_control(self, name: str, value: int) -> None:
        assert self._control is not None
        struct.pack_into("<Q", self._control, 8 * self._slots[name], value)

    def _control_value(self, name: str) -> int:
        assert self._control is not None
        return int(struct.unpack_from("<Q", self._control, 8 * self._slots[name])[0])

    @property
    def origin(self) -> str:
        """Boot and ring: positions count from the making of the ring."""
        assert self._control is not None
        ring = self._control_value("ring_id")
        with open("/proc/sys/kernel/random/boot_id") as file:
            return f"{file.read().strip()}:{ring:016x}"

    def read(self, timeout: float) -> RawBatch | None:
        """The next records of the ring. Pauses a little while they keep coming; sleeps, with the kernel told to wake it, when none do."""
        if self._cut:
            return self._cut.popleft()
        ring = self._ring
        if self._last_count and ring.unread < BACKLOG and not self._stopped:
            time.sleep(min(BUSY_PAUSE, PAUSE_PER_RECORD * self._last_count, timeout))
        records = ring.read(BATCH)
        if not records and not self._stopped:
            self._set_control("armed", 1)
            records = ring.read(BATCH)  # the kernel may have written between the look and the flag
            if not records:
                ring.wait(min(timeout, 1.0), self._wake)
                drain_descriptor(self._wake)
                records = ring.read(BATCH)
        self._last_count = len(records)
        if not records and self._stopped:
            return None
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        offset = time.time_ns() - now
        if self._turns.turning:
            self._cut.extend(self._cut_batches(records, now, offset))
            return self._cut.popleft()
        return self._batch(records, ring.position, now, offset)

    def _batch(self, records: list[tuple[int, bytes]], end: int, now: int, offset: int, number: int = 0) -> RawBatch:
        batch = RawBatch(source="syscall", records=records, clock=now, clock_offset=offset, generation=number)
        if records:
            batch.position = records[0][0]
            batch.acknowledge = self._acknowledgement(records, end)
        return batch

    def _cut_batches(self, records: list[tuple[int, bytes]], now: int, offset: int) -> Iterator[RawBatch]:
        """A batch for each run of records of one plan; at least one."""
        turns, ring = self._turns, self._ring
        runs = list(turns.runs(records)) or [(turns.newest, [])]
        for (number, run), (_, following) in pairwise([*runs, (0, [])]):
            yield self._batch(run, following[0][0] if following else ring.position, now, offset, number)
        turns.look(now=time.monotonic(), written=ring.written, read=ring.position)

    def _acknowledgement(self, records: list[tuple[int, bytes]], end: int) -> Callable[[], None]:
        journal = self._journal
        state = [v for _, v in records if v[0] <= r.LAST_STATE_KIND] if journal is not None else []

        def acknowledge() -> None:
            if journal is not None:
                for record in state:
                    journal.append(record)
            self._ring.release(end)

        return acknowledge

    def wake(self) -> None:
        """Has a waiting `read` return."""
        if self._wake >= 0:
            os.eventfd_write(self._wake, 1)

    def journal(self) -> Iterator[bytes]:
        """What an earlier sensor had read of starts and ends of processes."""
        return iter(()) if self._journal is None else self._journal.replay()

    def snapshot(self) -> RawBatch | None:
        """Rows of all processes; their command lines, where a process is the same before and after; mounts and accounts.

        None, instead, if snapshots would take more than a fifth of the time.
        """
        start = time.monotonic()
        if start < self._no_snapshot_before:
            return None
        program = self._program
        assert program is not None
        link = program.descriptors["tasks"]
        rows = _rows(iterate(link))
        records: list[Any] = []
        if "args" in program.message["collect"]:
            known, lines = self._lines, {}
            for identity in map(_identity, rows):
                line = known.get(identity) or _command_line(identity[0])
                if line is not None:
                    lines[identity] = line
            rows = _rows(iterate(link))
            self._lines = {i: lines[i] for i in map(_identity, rows) if i in lines}
            records += [r.CommandLine((*i, line)) for i, line in self._lines.items()]
        records += rows
        listed = {r.HEAD.unpack_from(row)[r.TGID] for row in rows}
        records += filter(None, (_unlisted(int(name)) for name in os.listdir("/proc") if name.isdigit() and int(name) not in listed))
        for kind, path in ((r.Mounts, _mountinfo()), (r.Accounts, _accounts("passwd")), (r.Groups, _accounts("group"))):
            try:
                with open(path, "rb") as file:
                    records.append(kind(file.read(1 << 22)))
            except OSError:
                continue
        end = time.monotonic()
        self._no_snapshot_before = end + SNAPSHOT_PAUSE * (end - start)
        return RawBatch(source="syscall", records=records)

    def pack(self, record: Any) -> bytes:
        """A record of a snapshot as bytes."""
        return snapshots.pack(record)

    def judge(self, event: Event, verdict: Sequence[int]) -> None:
        """Writes the verdict of the event's process image, for the context that the event was seen in."""
        assert isinstance(event, SyscallEvent)
        process = event.process
        if process.image is UNKNOWN or event.pending:
            return
        context = event.context
        self._verdicts.write(process, context, verdict)
        process.judged, process.judged_at = context, time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def stop(self) -> None:
        """Wakes the reader; it reads what is there, then ends."""
        self._stopped = True
        self.wake()

    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """Per event type, summed over processors: seen, dropped by which group, passed, lost, i386, unjudged."""
        out: dict[str, dict[str, int]] = {}
        for number, kind in enumerate(r.KINDS):
            value = self._counters.lookup(number.to_bytes(4, "little")) if kind else None
            if value is None:
                continue
            numbers = struct.unpack(f"<{len(value) // 8}Q", value)
            sums = [sum(numbers[i::8]) for i in range(8)]
            if any(sums):
                out[kind] = dict(zip(COUNTERS, sums, strict=True))
        return out

    def close(self) -> None:
        """Releases the descriptors of this process; what is attached lives as long as the supervisor keeps it."""
        if self._control is not None:
            self._control.close()
            self._control = None
            self._ring.close()
        if self._program is not None:
            self._program.close()
            self._program = None
        for fd in self._descriptors.values():
            os.close(fd)
        self._descriptors = {}
        if self._wake >= 0:
            os.close(self._wake)
            self._wake = -1


def _after(generation: int) -> int:
    """The next generation; by the time they begin anew nothing of the first ones is left."""
    return generation % MAX_GENERATION + 1


def _rows(data: bytes) -> list[bytes]:
    """The rows of an iterator's output; each says its length in place of a thread id."""
    out: list[bytes] = []
    at = 0
    while at + r.HEAD.size <= len(data):
        length = r.HEAD.unpack_from(data, at)[r.TID]
        out.append(data[at : at + length])
        at += length
    return out


def _mountinfo() -> str:
    """The mounts of the host, which are not ours where a service manager or a container gives us others."""
    return "/proc/1/mountinfo" if os.access("/proc/1/mountinfo", os.R_OK) else "/proc/self/mountinfo"


def _accounts(name: str) -> str:
    """The host's file in /etc: ours, or in a container the one that is mounted for us (docs/deploying.md)."""
    mounted = f"/host/etc/{name}"
    return mounted if os.access(mounted, os.R_OK) else f"/etc/{name}"


def _identity(row: bytes) -> tuple[int, int, int]:
    h = r.HEAD.unpack_from(row)
    return h[r.TGID], h[r.START], h[r.EXEC_ID]


def _unlisted(pid: int) -> r.Unlisted | None:
    """What /proc/PID/stat says (proc_pid_stat(5)); None if the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            head, _, rest = file.read().rpartition(b")")
    except OSError:
        return None
    words = rest.split()
    start = int(words[19]) * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))
    return r.Unlisted((pid, int(words[1]), start, head.partition(b"(")[2], _command_line(pid) or b""))


def _command_line(pid: int) -> bytes | None:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(4095).rstrip(b"\0")  # programs that write a title there leave the rest of the room empty
    except OSError:
        return None
