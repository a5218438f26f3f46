"""Facts that follow from others: a test that states ``evt.rawres: -13`` need not state ``evt.res: EACCES``.

The table is applied in order, until nothing new follows, to events of source ``syscall``. A stated value always wins, also one that
says that the value is missing. Nothing is guessed: what is not stated and does not follow is missing. Two conventions stand beside
it: without a word of containers the process runs on the host, and a command line that states no arguments has none.

Meanings of the fields: fields reference; numbers of errors: errno(3).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tiercel.fields import Unknown
from tiercel.lang.literals import encode
from tiercel.testing.rules.clock import utc

__all__ = ["TABLE", "Derivation", "derive"]

SOURCE: Final = "syscall"
HOSTNAME: Final = "testhost"
"""Value of ``evt.hostname`` that no test states."""
MAX_DIGITS: Final = 3
"""Of the index of an ancestor: nobody has a thousand."""
OPENS: Final = frozenset({"open", "openat", "openat2", "open_by_handle_at", "creat"})
RETURN_DESCRIPTORS: Final = OPENS | {"dup", "dup2", "dup3", "socket", "accept", "accept4", "memfd_create"}
SERVERS: Final = frozenset({"accept", "accept4", "listen", "bind"})
NO_CALLS: Final = frozenset({"procexit", "signaldeliver"})
SERVER: Final = "(server)"
"""No field: whether the process has the server's end, also where rules see nothing of it."""
_KINDS: Final = {
    "file": "f", "directory": "d", "pipe": "p", "ipv4": "4", "ipv6": "6", "unix": "u", "event": "e", "signalfd": "s", "eventpoll": "l",
    "inotify": "i", "timerfd": "t", "bpf": "b", "memfd": "m", "netlink": "n",
}  # fmt: skip
_CHARACTERS: Final = {character: kind for kind, character in _KINDS.items()}
_FAMILIES: Final = {4: "ipv4", 16: "ipv6"}


@dataclass(frozen=True, slots=True)
class Derivation:
    """A fact that follows from others.

    Attributes:
        name: the fact, as a rule writes it: ``evt.res``, ``proc.aname[1]``.
        inputs: what must be there.
        function: of the inputs' values in order; None if nothing follows from these.
        text: what documentation says of it.
    """

    name: str
    inputs: tuple[str, ...]
    function: Callable[..., Any]
    text: str


def _error(name: str) -> int | None:
    number = getattr(errno, name, None) if name.startswith("E") and name.isalnum() else None
    return -number if isinstance(number, int) else None


def _result(event_type: str, result: int) -> str | None:
    """Calls that give a descriptor have no parameter of this name, or one that shows the descriptor."""
    if event_type in RETURN_DESCRIPTORS | NO_CALLS | {"fcntl"}:
        return None
    return str(result) if result >= 0 else errno.errorcode.get(-result, str(result))


def _opened(event_type: str, flags: str, wanted: str) -> bool:
    names = flags.split("|")
    return event_type in OPENS and (wanted in names or "O_RDWR" in names)


def _no_open(event_type: str) -> bool | None:
    return None if event_type in OPENS else False


def _role(event_type: str) -> bool | None:
    return True if event_type in SERVERS else False if event_type == "connect" else None


def _endpoint(address: bytes, port: int) -> str:
    return f"{socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)}:{port}"


def _sides() -> Iterable[Derivation]:
    """Ends of a connection: server and client, and which of them is local."""
    for kind in ("ip", "net", "port"):
        server, client, remote, local = (f"fd.{side}{kind}" for side in "scrl")
        for name, if_server, if_client in (
            (remote, client, server),
            (local, server, client),
            (server, local, remote),
            (client, remote, local),
        ):
            text = f"{if_client}, or {if_server} at the server's end"
            yield Derivation(name, (SERVER, if_server), lambda is_server, value: value if is_server else None, text)
            yield Derivation(name, (SERVER, if_client), lambda is_server, value: None if is_server else value, text)
    for side in "scrl":
        yield Derivation(f"fd.{side}net", (f"fd.{side}ip",), lambda address: address, f"fd.{side}ip")
        yield Derivation("fd.type", (f"fd.{side}ip",), lambda address: _FAMILIES[len(address)], "the addresses")
    for kind in ("ip", "net", "port"):
        both, server, client = f"fd.{kind}", f"fd.s{kind}", f"fd.c{kind}"
        yield Derivation(both, (client, server), lambda mine, peer: (mine, peer), f"{client} and {server}")
        yield Derivation(both, (server,), lambda value: (value,), f"{server}")
        yield Derivation(both, (client,), lambda value: (value,), f"{client}")


def _ancestors() -> Iterable[Derivation]:
    """The parent is the first ancestor."""
    pairs = (
        ("proc.pname", "proc.aname"), ("proc.pexe", "proc.aexe"), ("proc.pexepath", "proc.aexepath"),
        ("proc.pcmdline", "proc.acmdline"), ("proc.ppid", "proc.apid"),
    )  # fmt: skip
    for parent, ancestor in pairs:
        yield Derivation(parent, (f"{ancestor}[1]",), lambda value: value, f"{ancestor}[1]")
        yield Derivation(parent, (ancestor,), lambda values: values[0] if values else None, f"{ancestor}[1]")
        yield Derivation(f"{ancestor}[1]", (parent,), lambda value: value, parent)


def _rows() -> Iterable[Derivation]:
    # ------------------------------------------------------------------------------------------------------------ the call
    yield Derivation("evt.dir", ("evt.type",), lambda _: "<", "always <, there are exit events only")
    yield Derivation(
        "evt.rawres", ("evt.type", "fd.num"), lambda t, number: number if t in RETURN_DESCRIPTORS else None, "fd.num, of opens"
    )
    yield Derivation("evt.rawres", ("evt.res",), _error, "the error's name")
    yield Derivation(
        "fd.num", ("evt.type", "evt.rawres"), lambda t, result: result if t in RETURN_DESCRIPTORS else None, "evt.rawres, of opens"
    )
    yield Derivation("evt.res", ("evt.rawres",), lambda r: "SUCCESS" if r >= 0 else errno.errorcode.get(-r, str(r)), "evt.rawres")
    yield Derivation("evt.failed", ("evt.res",), lambda result: result != "SUCCESS", "evt.res")
    yield Derivation("evt.arg[res]", ("evt.type", "evt.rawres"), _result, "evt.rawres: the number, or the name of the error")
    for name in ("evt.is_open_read", "evt.is_open_write", "evt.is_open_exec", "evt.is_open_create"):
        yield Derivation(name, ("evt.type",), _no_open, "false for other calls than opens")
    flags = ("evt.type", "evt.arg[flags]")
    yield Derivation("evt.is_open_read", flags, lambda t, names: _opened(t, names, "O_RDONLY"), "evt.arg.flags")
    yield Derivation("evt.is_open_write", flags, lambda t, names: _opened(t, names, "O_WRONLY"), "evt.arg.flags")
    yield Derivation("evt.is_open_create", flags, lambda _, names: "O_F_CREATED" in names.split("|"), "O_F_CREATED in evt.arg.flags")
    yield Derivation("syscall.type", ("evt.type",), lambda t: None if t in NO_CALLS else t, "evt.type, of system calls")
    yield Derivation("fs.path.name", ("evt.type", "fd.name"), lambda t, name: name if t in OPENS else None, "fd.name, of opens")
    # ---------------------------------------------------------------------------------------------------------- the process
    yield Derivation("proc.name", ("proc.cmdline",), lambda line: line.partition(" ")[0], "the first word of proc.cmdline")
    yield Derivation("proc.args", ("proc.cmdline",), lambda line: line.partition(" ")[2], "the rest of proc.cmdline")
    yield Derivation(
        "proc.cmdline", ("proc.name", "proc.args"), lambda name, args: f"{name} {args}" if args else name, "proc.name and proc.args"
    )
    yield Derivation("proc.args", ("proc.name",), lambda _: "", "empty if neither it nor proc.cmdline is stated")
    yield Derivation("proc.cmdnargs", ("proc.args",), lambda args: len(args.split()), "proc.args")
    yield Derivation("proc.cmdlenargs", ("proc.args",), lambda args: len(encode(args.replace(" ", ""))), "proc.args")
    yield Derivation(
        "proc.exeline", ("proc.exe", "proc.args"), lambda exe, args: f"{exe} {args}" if args else exe, "proc.exe and proc.args"
    )
    yield Derivation("proc.is_sid_leader", ("proc.sid", "proc.vpid"), lambda sid, vpid: sid == vpid, "proc.sid and proc.vpid")
    yield Derivation("user.uid", ("user.name",), lambda name: 0 if name == "root" else None, "user.name, of root")
    yield Derivation("user.name", ("user.uid",), lambda number: "root" if number == 0 else None, "user.uid, of root")
    yield Derivation("group.gid", ("group.name",), lambda name: 0 if name == "root" else None, "group.name, of root")
    yield Derivation("group.name", ("group.gid",), lambda number: "root" if number == 0 else None, "group.gid, of root")
    yield from _ancestors()
    for process in ("proc", "proc.ppid"):
        start, duration = ("proc.pid.ts" if process == "proc" else "proc.ppid.ts"), f"{process}.duration"
        yield Derivation(
            duration, ("evt.rawtime", start), lambda now, then: now - then if now >= then else None, f"the event's time less {start}"
        )
        yield Derivation(
            start, ("evt.rawtime", duration), lambda now, span: now - span if now >= span else None, f"the event's time less {duration}"
        )
    # -------------------------------------------------------------------------------------------------------- the descriptor
    yield Derivation("fd.is_server", ("evt.type",), _role, "true for accept, listen and bind, false for connect")
    yield Derivation(SERVER, ("fd.is_server",), lambda is_server: is_server, "fd.is_server")
    yield Derivation(SERVER, ("evt.type",), lambda _: False, "the client, if nothing says otherwise")
    yield from _sides()
    yield Derivation("fd.typechar", ("fd.type",), _KINDS.get, "fd.type")
    yield Derivation("fd.type", ("fd.typechar",), _CHARACTERS.get, "fd.typechar")
    yield Derivation("fd.sockfamily", ("fd.type",), {"ipv4": "ip", "ipv6": "ip", "unix": "unix"}.get, "fd.type")
    ends = ("fd.cip", "fd.cport", "fd.sip", "fd.sport")
    yield Derivation("fd.name", ends, lambda a, b, c, d: f"{_endpoint(a, b)}->{_endpoint(c, d)}", "addresses and ports, client first")
    # --------------------------------------------------------------------------------------------------------- the container
    yield Derivation("container.id", ("container.full_id",), lambda name: name[:12], "the first twelve characters of container.full_id")
    parts = ("container.image.repository", "container.image.tag")
    yield Derivation("container.image", parts, lambda repository, tag: f"{repository}:{tag}", "repository and tag")
    start = "container.start_ts"
    yield Derivation(
        "container.duration",
        ("evt.rawtime", start),
        lambda now, then: now - then if now >= then else None,
        f"the event's time less {start}",
    )
    # -------------------------------------------------------------------------------------------------------------- the host
    yield Derivation("evt.hostname", (), lambda: HOSTNAME, f"{HOSTNAME}")


_CLOCK: Final = {
    "evt.time": ("%H:%M:%S", True), "evt.time.s": ("%H:%M:%S", False),
    "evt.datetime": ("%Y-%m-%d %H:%M:%S", True), "evt.datetime.s": ("%Y-%m-%d %H:%M:%S", False),
}  # fmt: skip
"""Times of the clock on the wall are in UTC: form, with nanoseconds."""
_ON_HOST: Final = {"container.id": "host", "container.full_id": "host", "container.type": "host", "container.name": "host"}
_OF_CONTAINERS: Final = ("container.", "k8s.", "thread.cgroups")
_INDEXED: Final = ("proc.aname", "proc.aexe", "proc.aexepath", "proc.acmdline", "proc.aargs", "proc.apid")

TABLE: Final = tuple(_rows())
"""All derivations for system calls, in order."""


def derive(facts: Mapping[str, Any], source: str, *, time: int) -> dict[str, Any]:
    """The facts with what follows from them.

    Args:
        facts: converted values, see `tiercel.testing.facts.FactCatalogue.facts`.
        source: event source.
        time: nanoseconds since the epoch, of the event.
    """
    found = dict(facts)
    found["evt.rawtime"] = time
    for name, (form, fraction) in _CLOCK.items():
        found.setdefault(name, utc(time, form) + (f".{time % 10**9:09d}" if fraction else ""))
    if source != SOURCE:
        return found
    if not any(name.startswith(_OF_CONTAINERS) for name in facts):
        found.update(_ON_HOST)
    while _follow(found):
        _lines_of_ancestors(found)
    for ancestor in _INDEXED:
        _gather(found, ancestor)
    found.pop(SERVER, None)
    return found


def _follow(facts: dict[str, Any]) -> bool:
    """Applies the table once; true if something followed."""
    more = False
    for row in TABLE:
        if row.name in facts:
            continue
        values = [facts.get(name) for name in row.inputs]
        if any(value is None or isinstance(value, Unknown) for value in values):
            continue
        value = row.function(*values)
        if value is not None:
            facts[row.name] = value
            more = True
    return more


def _lines_of_ancestors(facts: dict[str, Any]) -> None:
    """Name and command line of ancestors follow from each other, as those of the process do."""
    for key in list(facts):
        name, bracket, level = key.partition("[")
        if not bracket or facts[key] is None:
            continue
        if name == "proc.acmdline":
            facts.setdefault(f"proc.aname[{level}", facts[key].partition(" ")[0])
            facts.setdefault(f"proc.aargs[{level}", facts[key].partition(" ")[2])
        elif name == "proc.aname":
            facts.setdefault(f"proc.acmdline[{level}", f"{facts[key]} {facts.get(f'proc.aargs[{level}') or ''}".rstrip(" "))


def _gather(facts: dict[str, Any], ancestor: str) -> None:
    """Ancestors given one by one are also there as a whole, the nearest first."""
    if ancestor in facts:
        return
    prefix = f"{ancestor}["
    levels = {name: name[len(prefix) : -1] for name in facts if name.startswith(prefix)}
    given = {int(level): facts[name] for name, level in levels.items() if len(level) <= MAX_DIGITS}
    given.pop(0, None)
    if given:
        facts[ancestor] = tuple(given.get(level) for level in range(1, max(given) + 1))
