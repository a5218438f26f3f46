"""Programs that do deeds of which everything is known: what each deed's event must say, field by field, without asking the sensor.

`deeds.c` does them. A program is a copy of it with a name, arguments, ids, a terminal, a control group of its own; a deed is one system call. Some
facts are only known afterwards (numbers of descriptors, local ports): the program itself says them.
"""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import posixpath
import random
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

NOBODY = 65534
SETTLE = 200
"""Milliseconds after which a process has its verdict in the kernel: 20 are waited for, the rest is for a busy machine."""
OPENS = ("open", "openat", "openat2", "creat")
DUPS = ("dup", "dup2", "dup3", "fcntl")
F_DUPFD = (0, 1030, 1 << 32, 1 << 32 | 1030)
"""F_DUPFD and F_DUPFD_CLOEXEC, include/uapi/linux/fcntl.h; the call takes the lower half of what it gets."""
WORDS = {"f": "file", "d": "directory", "p": "pipe", "4": "ipv4", "6": "ipv6", "u": "unix"}
AT_FDCWD, O_LARGE = -100, 0o100000
RESOLVE_NO_SYMLINKS = 4  # include/uapi/linux/openat2.h

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Deed:
    """One line of a program's script, and what its event says if the call succeeds (of a connect: always).

    Attributes:
        line: words for `deeds.c`.
        type: the event; empty for a line that makes none.
        views: paths that the file goes by, the caller's first, the kernel's second.
        real: the kernel's path.
        char: type of the descriptor; empty for another one.
        mode: open for "r", "w" or "rw".
        protocol: of the socket.
        peer: address and port of the other end.
        text: what an open that fails was asked for; None if that cannot be read.
        descriptor: of a connect: the line that made the descriptor, or its number, negative, if none did.
    """

    line: str
    type: str = ""
    views: tuple[str | None, ...] = ()
    real: str | None = None
    char: str = ""
    mode: str = ""
    protocol: str = "<NA>"
    peer: tuple[str, int] | None = None
    text: str | None = None
    descriptor: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """A deed with all of its facts: of the event for each view of its path."""

    event: Facts
    views: tuple[Facts, ...]

    def of(self, view: int) -> dict[str, Any]:
        return {**self.event, **self.views[view]}


def done(deed: Deed, result: int, own: tuple[str, int], descriptor: int) -> Done:
    """The facts of a deed from what came of it."""
    opens, connects = deed.type in OPENS, deed.type == "connect"
    number = descriptor if connects else result
    there = number >= 0 and (result >= 0 or connects)
    facts: dict[str, Any] = {
        "evt.type": deed.type,
        "evt.rawres": result,
        "evt.res": "SUCCESS" if result >= 0 else errno.errorcode[-result],
        "evt.failed": result < 0,
        "evt.is_open_read": opens and "r" in deed.mode,
        "evt.is_open_write": opens and "w" in deed.mode,
        "fd.num": number,
        "fd.type": WORDS.get(deed.char) if there else None,
        "fd.typechar": (deed.char or None) if there else None,
        "fd.l4proto": deed.protocol if number >= 0 else None,
    }
    if deed.type == "openat2" and result < 0:  # its flags were in user memory only
        facts["evt.is_open_read"] = facts["evt.is_open_write"] = None
    peer = deed.peer if there or connects else None
    if connects and peer is not None and (own[0] == "-" or (result < 0 and result != -errno.EISCONN and deed.protocol == "tcp")):
        own = (_any(peer[0]), 0)  # the kernel has let go of the port
    facts["fd.sport"] = None if peer is None else peer[1]
    ends = None if peer is None else (_packed(own[0]), _packed(peer[0]))
    facts["fd.sip"] = facts["fd.snet"] = None if ends is None else ends[1]
    facts["fd.ip"] = facts["fd.net"] = ends
    names: tuple[str | None, ...] = deed.views if there or connects else ()
    if not names and ends is not None and peer is not None:
        names = (f"{ipaddress.ip_address(ends[0])}:{own[1]}->{ipaddress.ip_address(ends[1])}:{peer[1]}",)
    views = tuple(
        {
            "fd.name": name,
            "fd.realpath": deed.real if there else None,
            "fd.nameraw": deed.text if opens and result < 0 else None,
            "fd.directory": posixpath.dirname(name) if name and name.startswith("/") else None,
            "fd.filename": posixpath.basename(name) if name and name.startswith("/") else None,
        }
        for name in names or (None,)
    )
    return Done(facts, views)


def _packed(text: str) -> bytes:
    address = ipaddress.ip_address(text)
    return (getattr(address, "ipv4_mapped", None) or address).packed


def _any(like: str) -> str:
    return "::" if ":" in like and not like.startswith("::ffff:") else "0.0.0.0"


# ---------------------------------------------------------------- scripts


class Place:
    """The folder that the deeds are done in: files, links, a bind mount, sockets."""

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        self.folder, self.ports = folder, ports

    def make(self) -> None:
        """All but the bind mount of `a` on `mnt`, and what listens."""
        for name in ("a", "ab", "b", "a/deep/er", "mnt", "out", "a/" + "d/" * 26, "a/" + "l" * 200):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for name in ("a/file", "a/other", "b/file", "ab/file", "a/deep/er/x.conf", "a/file.conf", "a/sp ace", "a/é", "file"):
            (self.folder / name).write_text("x")
        for name in ("a/secret", "a/" + "d/" * 26 + "x", "a/" + "l" * 200 + "/" + "m" * 200):
            (self.folder / name).touch()
        os.mkfifo(self.folder / "a" / "fifo")
        for name, target in (("link", "a/file"), ("dirlink", "a"), ("deeplink", "a/deep"), ("mlink", "mnt/file"), ("dead", "nowhere")):
            (self.folder / name).symlink_to(target)
        for path in self.folder.rglob("*"):
            if not path.is_symlink() and not path.is_dir():
                path.chmod(0o666)
        (self.folder / "out").chmod(0o777)
        (self.folder / "a" / "secret").chmod(0o600)

    def script(self, program: str, rng: random.Random) -> list[Deed]:
        """All deeds, in two phases: at once, and when the process has its verdict."""
        script = _Script(str(self.folder), self.ports, rng)
        script.add(Deed(f"chdir\t{self.folder}/b"))
        for phase in ("early", "late"):
            script.phase(f"{program}-{phase}")
            if phase == "early":
                script.add(Deed(f"wait\t{SETTLE}"))
        return script.deeds


class _Script:
    def __init__(self, folder: str, ports: Mapping[str, int], rng: random.Random) -> None:
        self.f, self.ports, self.rng = folder, ports, rng
        self.deeds: list[Deed] = []
        self._target = 200

    def add(self, deed: Deed) -> int:
        self.deeds.append(deed)
        return len(self.deeds) - 1

    def open(
        self, text: str, *views: str, base: str = "", flags: int | None = None, char: str = "f", mode: str = "", call: str = ""
    ) -> int:
        """An open by any of the calls, of a text that is taken from `base` (a line) or the current directory."""
        rng = self.rng
        if flags is None:
            mode = rng.choice(("r", "r", "w", "rw"))
            flags = {"r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR}[mode] | rng.choice((0, os.O_CLOEXEC, os.O_NONBLOCK, O_LARGE))
        call = call or rng.choice(("openat", "openat2") if base else ("open", "openat", "openat2"))
        words = [call, text, str(flags)] if call == "open" else [call, base or str(AT_FDCWD), text, str(flags)]
        if call == "openat2":
            words.append("0")
        real = self.full(views[-1]) if views else None
        return self.add(
            Deed("\t".join(words), call, tuple(map(self.full, views)), real, char, mode, text=None if text == "(bad)" else text)
        )  # fmt: skip

    def full(self, name: str) -> str:
        return name if name.startswith("/") else f"{self.f}/{name}"

    def bound(self, line: int, *views: str) -> None:
        """The file of a line lies behind the bind mount: `views` after the caller's are the kernel's and the one behind the mount."""
        paths = tuple(dict.fromkeys(map(self.full, views)))
        self.deeds[line] = replace(self.deeds[line], views=paths, real=self.full(next(v for v in views if v.startswith("mnt/"))))

    def phase(self, unique: str) -> None:
        rng, f = self.rng, self.f
        many = [self._plain, self._links, self._relative, self._others, self._made, self._failing]
        rng.shuffle(many)
        for some in many:
            some(unique)
        # Those that must succeed for every user are what is duplicated.
        file = self.open(f"{f}/a/file", "a/file")
        link = self.open(f"{f}/link", "link", "a/file")
        fifo = self.open(f"{f}/a/fifo", "a/fifo", flags=os.O_RDWR | os.O_NONBLOCK, char="p", mode="rw")
        self._connects(file)
        for line in (file, link, fifo):
            self._dup(f"@{line}", views=(self.deeds[line].real,), real=self.deeds[line].real, char=self.deeds[line].char)
        self._dup("999")

    def _plain(self, unique: str) -> None:
        f = self.f
        for name in ("a/file", "a/other", "b/file", "ab/file", "a/deep/er/x.conf", "a/file.conf", "a/sp ace", "a/é", "a/secret"):
            self.open(f"{f}/{name}", name)
        self.open(f"{f}/a/./deep/..//file", "a/file")
        self.open(f"{f}/a/" + "d/" * 26 + "x", "a/" + "d/" * 26 + "x")
        self.open(f"{f}/a/{'l' * 200}/{'m' * 200}", f"a/{'l' * 200}/{'m' * 200}")

    def _links(self, unique: str) -> None:
        f = self.f
        self.open(f"{f}/link", "link", "a/file")
        self.open(f"{f}/dirlink/other", "dirlink/other", "a/other")
        self.open(f"{f}/deeplink/../file", "file", "a/file")
        self.bound(self.open(f"{f}/mnt/file", "mnt/file"), "mnt/file", "a/file")
        self.bound(self.open(f"{f}/mnt/deep/er/x.conf", "mnt/deep/er/x.conf"), "mnt/deep/er/x.conf", "a/deep/er/x.conf")
        self.bound(self.open(f"{f}/mlink", "mlink"), "mlink", "mnt/file", "a/file")

    def _relative(self, unique: str) -> None:
        self.open("file", "b/file")
        self.open("../a/other", "a/other")
        self.open("../link", "link", "a/file")
        self.bound(self.open("../mnt/other", "mnt/other"), "mnt/other", "a/other")
        base = self.open(f"{self.f}/a", "a", flags=os.O_RDONLY | os.O_DIRECTORY, char="d", mode="r")
        self.open("file.conf", "a/file.conf", base=f"@{base}")
        self.open("../b/file", "b/file", base=f"@{base}")
        self.open("../dirlink/other", "dirlink/other", "a/other", base=f"@{base}")

    def _others(self, unique: str) -> None:
        self.open(f"{self.f}/a/", "a", flags=os.O_RDONLY, char="d", mode="r")
        self.open("/", "/", flags=os.O_RDONLY | os.O_DIRECTORY, char="d", mode="r")
        self.open("/dev/null", "/dev/null")
        self.open("/etc/passwd", "/etc/passwd", flags=os.O_RDONLY, mode="r")

    def _made(self, unique: str) -> None:
        name = f"out/{unique}"
        for mode, flags in (("w", os.O_WRONLY), ("rw", os.O_RDWR)):
            self.open(f"{self.f}/{name}-{mode}", f"{name}-{mode}", flags=flags | os.O_CREAT | os.O_EXCL, mode=mode)
        for text, *views in (
            (f"{name}-creat", f"{name}-creat"), ("b/file", "b/file"), ("link", "link", "a/file"), ("a/none/x",), ("a",), ("a/secret", "a/secret"),
        ):  # fmt: skip
            full = [self.full(v) for v in views]
            real = full[-1] if full else None
            self.add(Deed(f"creat\t{self.f}/{text}", "creat", tuple(full), real, "f", "w", text=f"{self.f}/{text}"))

    def _failing(self, unique: str) -> None:
        f = self.f
        for text in ("a/missing", "a/file/x", "dead", "a/file.con"):
            self.open(f"{f}/{text}")
        self.open("missing")
        self.open("")
        self.open("(bad)")
        self.open(f"{f}/a/file", flags=os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode="w")
        self.open(f"{f}/a", flags=os.O_RDWR, mode="rw")
        self.open(f"{f}/link", flags=os.O_RDONLY | os.O_NOFOLLOW, mode="r")
        self.open("file", flags=os.O_RDONLY, mode="r", base="999")
        self.add(
            Deed(f"openat2\t-100\t{f}/link\t0\t{RESOLVE_NO_SYMLINKS}", "openat2", mode="r", text=f"{f}/link")
        )  # fmt: skip

    def _dup(self, source: str, **facts: Any) -> None:
        for call in self.rng.sample(DUPS, 2):
            target = ""
            if call == "fcntl":
                target = f"\t{self.rng.choice(F_DUPFD)}\t{self.rng.choice((0, 400))}"
            elif call != "dup":
                self._target += 1
                target = f"\t{self._target}" + ("\t02000000" if call == "dup3" else "")
            self.add(Deed(f"{call}\t{source}{target}", call, **facts))

    def _connects(self, file: int) -> None:
        ports, f = self.ports, self.f
        v4, v6 = (2, "4"), (10, "6")
        for (family, char), kind, address, port in (
            (v4, "tcp", "127.0.0.1", "open"), (v4, "tcp", "127.1.2.3", "open"), (v4, "tcp", "127.0.0.1", "closed"),
            (v6, "tcp", "::1", "open"), (v6, "tcp", "::1", "closed"), (v6, "tcp", "::ffff:127.0.0.2", "open"),
            (v4, "udp", "127.0.0.1", "53"), (v6, "udp", "::1", "5353"), (v4, "udp", "127.200.0.9", "65534"),
            (v4, "udp", "255.255.255.255", "9"),
        ):  # fmt: skip
            number = ports.get(port) or int(port)
            socket = self.add(Deed(f"socket\t{family}\t{1 if kind == 'tcp' else 2}"))
            known = Deed(
                f"connect\t@{socket}\t{'in' if char == '4' else 'in6'}\t{address}\t{number}", "connect", char=char, protocol=kind,
                peer=(address, number), descriptor=socket,
            )  # fmt: skip
            self.add(known)
            if port == "open" or (kind == "udp" and address != "255.255.255.255"):
                self._dup(f"@{socket}", char=char, protocol=kind, peer=(address, number))
            if address == "127.1.2.3":  # once more: it is connected
                self.add(replace(known, line=known.line.replace(address, "127.0.0.77"), peer=("127.0.0.77", number)))
        fresh = self.add(Deed("socket\t2\t1"))
        self._dup(f"@{fresh}", char="4", protocol="tcp", peer=("0.0.0.0", 0))
        # An address of another family than the socket's is refused; the socket stays what it is.
        self.add(Deed(f"connect\t@{fresh}\tin6\t::1\t{ports['open']}", "connect", char="4", protocol="tcp", peer=("::1", ports["open"]),
                      descriptor=fresh))  # fmt: skip
        fresh = self.add(Deed("socket\t10\t1"))
        self.add(Deed(f"connect\t@{fresh}\tin\t127.0.0.1\t{ports['open']}", "connect", char="6", protocol="tcp",
                      peer=("127.0.0.1", ports["open"]), descriptor=fresh))  # fmt: skip
        for path in ("sock", "missing", "a/file"):
            socket = self.add(Deed("socket\t1\t1"))
            self.add(Deed(f"connect\t@{socket}\tunix\t{f}/{path}", "connect", (f"{f}/{path}",), char="u", descriptor=socket))
        self._dup(f"@{socket}", char="u")
        self.add(Deed(f"connect\t@{socket}\tabstract\tnobody", "connect", char="u", descriptor=socket))
        # What is no socket has no peer, whatever the caller says.
        self.add(Deed("connect\t999\tin\t127.0.0.1\t80", "connect", descriptor=-999))
        real = self.full("a/file")
        self.add(Deed(f"connect\t@{file}\tin\t127.0.0.1\t81", "connect", (real,), real, "f", descriptor=file))


# ---------------------------------------------------------------- programs


@dataclass(frozen=True, slots=True)
class Program:
    """A copy of `deeds` and the context that it runs in."""

    path: Path
    argv: tuple[str, ...]
    uid: int = 0
    gid: int = 0
    loginuid: int = -1
    own_session: bool = False
    terminal: Path | None = None
    group: Path | None = None
    container: str = "host"
    launcher: Path | None = None
    new_pids: bool = False

    def run(self, script: Sequence[Deed]) -> Running:
        """Starts it; all of the script is in its pipe by then."""
        source, sink = os.pipe()
        data = "".join(f"{deed.line}\n" for deed in script).encode()
        assert len(data) < 1 << 16
        fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, 1 << 16)
        os.write(sink, data)
        os.close(sink)
        argv = list(self.argv)
        image = self.path
        if self.launcher:
            image, argv = (
                self.launcher,
                [self.launcher.name, "launch", str(int(self.new_pids)), str(self.uid), str(self.gid), str(image), *argv],
            )
        try:
            process = subprocess.Popen(argv, executable=image, stdin=source, stdout=subprocess.PIPE, preexec_fn=self._prepare)
        finally:
            os.close(source)
        return Running(self, script, process)

    def _prepare(self) -> None:
        if self.own_session or self.terminal:
            os.setsid()
        if self.terminal:
            fd = os.open(self.terminal, os.O_RDWR | os.O_NOCTTY)
            fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
            os.close(fd)
        if self.loginuid != -1:
            Path("/proc/self/loginuid").write_text(str(self.loginuid))
        if self.group:
            (self.group / "cgroup.procs").write_text(str(os.getpid()))
        if not self.launcher:
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)

    def facts(self, *, vpid: int, started: int) -> Facts:
        """What its events say of it."""
        above = list(_ancestors(os.getpid()))
        names = [self.launcher.name[:15], *above] if self.launcher else above
        name = self.path.name[:15]
        device = self.terminal.stat().st_rdev if self.terminal else 0
        return {
            "proc.name": name,
            "proc.exepath": str(self.path),
            "proc.exe": self.argv[0],
            "proc.args": " ".join(self.argv[1:]),
            "proc.cmdline": " ".join([name, *self.argv[1:]]),
            "user.uid": self.uid,
            "group.gid": self.gid,
            "user.loginuid": self.loginuid,
            # as include/linux/kdev_t.h encodes a device
            "proc.tty": device and (os.minor(device) & 0xFF | os.major(device) << 8 | (os.minor(device) & ~0xFF) << 12),
            "proc.sid": started if self.own_session or self.terminal else os.getsid(0),
            "proc.vpid": vpid,
            "container.id": self.container,
            "proc.pname": names[0],
            "proc.aname": tuple(names),
            "proc.aname[2]": names[1] if len(names) > 1 else None,
        }


def _ancestors(pid: int) -> Iterator[str]:
    while pid:
        text = Path(f"/proc/{pid}/stat").read_text()
        yield text[text.index("(") + 1 : text.rindex(")")]
        pid = int(text[text.rindex(")") + 2 :].split()[1])


@dataclass(slots=True)
class Running:
    """A program under way."""

    program: Program
    script: Sequence[Deed]
    process: subprocess.Popen[bytes]

    def end(self) -> tuple[Facts, list[Done]]:
        """Waits for its end: what its events say of it, and its deeds."""
        output, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, (self.program, output)
        first, *lines = output.decode().splitlines()
        assert len(lines) == len(self.script), (self.program, len(lines))
        answers = [line.split(" ") for line in lines]
        deeds = []
        for deed, (result, address, port) in zip(self.script, answers, strict=True):
            if deed.type:
                descriptor = int(answers[deed.descriptor][0]) if deed.descriptor >= 0 else -deed.descriptor
                deeds.append(done(deed, int(result), (address, int(port)), descriptor))
        return self.program.facts(vpid=int(first), started=self.process.pid), deeds
