"""Fields of Falco's that rules may name and that have no value here yet: always missing, so every check on them is false.

One line each: name, type, notes, meaning. Notes: ``key`` and ``index`` may take an argument, ``KEY`` must; ``any`` has several values at
once; ``list``; ``-out`` not in outputs; ``-cmp`` neither compared with another field nor transformed;
``-cmp-only`` not compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tiercel import Argument, Field, FieldType, Quantifier

__all__ = ["ABSENT"]

_TABLE: Final = """
evt.deltatime | ns | | Nanoseconds since the event before.
evt.deltatime.s | ns | | Whole seconds since the event before.
evt.deltatime.ns | ns | | Nanoseconds part of the time since the event before.
evt.cpu | int16 | | CPU on which the event happened.
evt.buffer | bytes | | Data that an I/O event carries.
evt.buflen | uint64 | | Length of the data of an I/O event.
evt.buflen.in | uint64 | | Length of the data, input only.
evt.buflen.out | uint64 | | Length of the data, output only.
evt.buflen.file | uint64 | | Length of the data, files only.
evt.buflen.file.in | uint64 | | Length of the data read from files.
evt.buflen.file.out | uint64 | | Length of the data written to files.
evt.buflen.net | uint64 | | Length of the data, sockets only.
evt.buflen.net.in | uint64 | | Length of the data received.
evt.buflen.net.out | uint64 | | Length of the data sent.
evt.io_dir | string | | read or write, for I/O events.
evt.around | uint64 | KEY -out -cmp | Events within so many milliseconds of a time.
evt.infra.docker.name | string | | Of Docker's old infrastructure events.
evt.infra.docker.container.id | string | | Of Docker's old infrastructure events.
evt.infra.docker.container.name | string | | Of Docker's old infrastructure events.
evt.infra.docker.container.image | string | | Of Docker's old infrastructure events.
evt.is_open_exec | bool | | True for opens that create a file with an execute bit.
evt.is_open_create | bool | | True for opens that created the file.
proc.env | string | key | Environment; with a name, one variable.
proc.aenv | string | key any -cmp | Environment of ancestors.
proc.vpgid | int64 | | Process group id in its own pid namespace.
proc.vpgid.name | string | | proc.name of that group's leader.
proc.vpgid.exe | string | | proc.exe of that group's leader.
proc.vpgid.exepath | string | | proc.exepath of that group's leader.
proc.pgid | int64 | | Process group id, as the host sees it.
proc.pgid.name | string | | proc.name of that group's leader.
proc.pgid.exe | string | | proc.exe of that group's leader.
proc.pgid.exepath | string | | proc.exepath of that group's leader.
proc.is_exe_writable | bool | | True if the user of the process may write its executable.
proc.is_exe_upper_layer | bool | | True if the executable is in the upper layer of an overlay file system.
proc.is_exe_lower_layer | bool | | True if the executable is in the lower layer of an overlay file system.
proc.is_vpgid_leader | bool | | True for the leader of the process group, by the ids of its pid namespace.
proc.is_pgid_leader | bool | | True for the leader of the process group.
proc.exe_ino | int64 | | Inode of the executable.
proc.exe_ino.ctime | ns | | Change time of the executable.
proc.exe_ino.mtime | ns | | Modification time of the executable.
proc.exe_ino.ctime_duration_proc_start | ns | | From the executable's change time to the start of the process.
proc.exe_ino.ctime_duration_pidns_start | ns | | From the start of the pid namespace to the executable's change time.
proc.pidns_init_start_ts | uint64 | | Start of the pid namespace.
proc.fdopencount | uint64 | | Open descriptors of the process.
proc.fdlimit | int64 | | Limit of open descriptors.
proc.fdusage | double | | Open descriptors by their limit.
proc.vmsize | uint64 | | Virtual memory, kB.
proc.vmrss | uint64 | | Resident memory, kB.
proc.vmswap | uint64 | | Swapped memory, kB.
proc.nthreads | uint64 | | Threads of the process.
proc.nchilds | uint64 | | Threads of the process but the first.
proc.stdin.type | string | | fd.type of descriptor 0.
proc.stdout.type | string | | fd.type of descriptor 1.
proc.stderr.type | string | | fd.type of descriptor 2.
proc.stdin.name | string | | fd.name of descriptor 0.
proc.stdout.name | string | | fd.name of descriptor 1.
proc.stderr.name | string | | fd.name of descriptor 2.
thread.cap_permitted | string | | Permitted capabilities.
thread.cap_inheritable | string | | Inheritable capabilities.
thread.cap_effective | string | | Effective capabilities.
thread.pfmajor | uint64 | | Major page faults of the thread.
thread.pfminor | uint64 | | Minor page faults of the thread.
thread.vtid | int64 | | Thread id in its own pid namespace.
thread.exectime | ns | | CPU time of the thread since it was scheduled.
thread.totexectime | ns | | CPU time of the thread.
thread.cpu | double | | Share of a CPU in the last second.
thread.cpu.user | double | | Share of a CPU in the last second, in user mode.
thread.cpu.system | double | | Share of a CPU in the last second, in the kernel.
thread.vmsize | uint64 | | Virtual memory of the first thread, kB.
thread.vmrss | uint64 | | Resident memory of the first thread, kB.
thread.vmsize.b | uint64 | | Virtual memory of the first thread, bytes.
thread.vmrss.b | uint64 | | Resident memory of the first thread, bytes.
fd.cip.name | string | -cmp | Name of the client's address.
fd.sip.name | string | -cmp | Name of the server's address.
fd.lip.name | string | -cmp | Name of the local address.
fd.rip.name | string | -cmp | Name of the remote address.
fd.ino | int64 | | Inode of the file.
fd.types | string | index list -cmp-only | Types of the descriptors that the event uses.
fd.is_upper_layer | bool | | True for a file in the upper layer of an overlay file system.
fd.is_lower_layer | bool | | True for a file in the lower layer of an overlay file system.
fs.path.source | string | | Source path of a call with two.
fs.path.sourceraw | string | | Source path, as the caller wrote it.
fs.path.target | string | | Target path of a call with two.
fs.path.targetraw | string | | Target path, as the caller wrote it.
fdlist.nums | string | | Descriptors of a poll call.
fdlist.names | string | | fd.name of the descriptors of a poll call.
fdlist.cips | string | | Client addresses of a poll call.
fdlist.sips | string | | Server addresses of a poll call.
fdlist.cports | string | | Client ports of a poll call.
fdlist.sports | string | | Server ports of a poll call.
util.cnt | uint64 | | A counter that grows with each use.
"""


_ARGUMENTS: Final = {"KEY": Argument.KEY, "key": Argument.OPTIONAL_KEY, "index": Argument.OPTIONAL_INDEX}


def _nothing(_event: Any) -> None:
    return None


def _nothing_for(_argument: str | None) -> Callable[[Any], None]:
    return _nothing


def _field(line: str) -> Field:
    name, kind, notes, meaning = (part.strip() for part in line.split("|"))
    words = notes.split()
    argument = next((kind for word, kind in _ARGUMENTS.items() if word in words), Argument.NONE)
    return Field(
        name=name, type=FieldType(kind), description=meaning, sources=frozenset({"syscall"}), absent=True, argument=argument,
        getter=_nothing if argument is Argument.NONE else _nothing_for,
        quantifier=Quantifier.ANY if "any" in words else Quantifier.ONE, is_list="list" in words,
        in_output="-out" not in words, in_comparison="-cmp" not in words and "-cmp-only" not in words, in_transformer="-cmp" not in words,
    )  # fmt: skip


ABSENT: Final = tuple(_field(line) for line in _TABLE.strip().splitlines())
"""The fields."""
