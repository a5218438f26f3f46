from __future__ import annotations

import errno
import os
import socket
from typing import Any

import pytest

from tests.unit.tiercel_ebpf.made import SECOND, Kernel, batch, connected, decode, decoder, image, opened, plan, record
from tiercel import PENDING, Argument, FactGroup, Field, FieldType
from tiercel_ebpf import records as r
from tiercel_ebpf.arguments import result_text
from tiercel_ebpf.event import SyscallEvent
from tiercel_ebpf.fields import FIELDS
from tiercel_ebpf.parameters import LAYOUTS, PARAMETERS, TYPES
from tiercel_ebpf.wants import COLLECT, wanted

BY_NAME = {f.name: f for f in FIELDS}
KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str, "path": str, "bool": bool, "ip": bytes, "cidr": bytes, "int64": int, "uint32": int, "uint64": int, "port": int,
    "ns": int, "by parameter": (int, str), "flags": int,
}  # fmt: skip


def value(field: Field, event: SyscallEvent, argument: str | None = None) -> Any:
    """A field's value, got as the engine gets it."""
    if field.path is not None:
        at: Any = event
        for name in field.path:
            at = getattr(at, name)
        return at
    if field.function is not None:
        inputs = [value(BY_NAME[name], event) for name in field.inputs]
        return None if any(i is None or i is PENDING for i in inputs) else field.function(*inputs)
    assert field.getter is not None
    return field.getter(event) if field.argument is Argument.NONE else field.getter(argument)(event)


def read(name: str, *records: bytes, argument: str | None = None) -> list[Any]:
    kernel = Kernel(image("task", pid=1, ppid=0, start=1, comm="init", cwd=None), image("task", comm="bash", args=None))
    return decode(decoder(kernel), *records, read=lambda e: value(BY_NAME[name], e, argument))


def events() -> list[bytes]:
    out = [
        image("execve", args=b"cat\0x\0", cwd="/root"),
        record("execveat", result=-2, flags=r.F_TEXT),
        record("execve", result=-2, text="/x"),
    ]
    out += [record(kind, result=20, a={0: 20 | 20 << 32, 1: 9, 3: 1}) for kind in ("clone", "fork", "vfork", "clone3")]
    for kind in ("open", "openat", "openat2", "creat"):
        out += [opened(kind, flags=r.F_SAME, real="/a"), opened(kind, real="/a", text="b", base="/c"), opened(kind, result=-2, text="/a")]
        out += [
            opened(kind, flags=r.F_CUT, real="a", text="/x"),
            opened(kind, result=-2, known=2),
            opened(kind, result=-2, known=0, flags=r.F_TEXT),
        ]
        out += [opened(kind, flags=r.F_SAME, real="/"), opened(kind, real="memfd:x", text="/proc/self/fd/3"), opened(kind, tgid=404)]
    for kind in ("connect", "dup", "dup2", "dup3"):
        out += [connected("1.2.3.4", 80, kind=kind), connected("fd00::1", 80, kind=kind), connected("::ffff:1.2.3.4", 80, kind=kind)]
        out += [
            record(kind, a={0: 1, 1: 3 | 0o140777 << 32}, text="/run/x"),
            record(kind, result=-9),
            record(kind, result=4, real="/f", a={1: 4 | 0o100600 << 32}),
        ]
        out += [connected("1.2.3.4", 80, kind=kind, protocol=132), connected("1.2.3.4", 80, kind=kind, result=-111, flags=r.F_USER_ADDRESS)]
    return [*out, record("procexit", result=256), opened(exec_id=9)]


@pytest.mark.parametrize("field", FIELDS, ids=[f.name for f in FIELDS])
def test_every_field_of_every_event(field: Field) -> None:
    arguments: tuple[str | None, ...] = (None,)
    if field.argument is Argument.OPTIONAL_INDEX:
        arguments = (None, "0", "1", "9")
    elif field.argument is Argument.KEY:
        arguments = (*PARAMETERS, "0", "2", "99", "nonsense")
    elif field.argument is Argument.OPTIONAL_KEY:
        arguments = (None, "src", "nonsense")
    made = decoder(Kernel(image("task", pid=1, ppid=0, start=1), image("task")))
    for argument in arguments:
        for got in decode(made, *events(), read=lambda e, a=argument: value(field, e, a)):  # type: ignore[misc]
            for one in got if isinstance(got, tuple) else (got,):
                if one is None or one is PENDING:
                    continue
                assert isinstance(one, KINDS[field.type.value])
                assert field.type is FieldType.BOOL or not isinstance(one, bool)


PROCESS_FIELDS = [f for f in FIELDS if f.group is FactGroup.PROCESS and not {"fd.name"} & set(f.inputs)]


@pytest.mark.parametrize("field", PROCESS_FIELDS, ids=[f.name for f in PROCESS_FIELDS])
def test_process_fields_of_a_process_without_an_event(field: Field) -> None:
    made = decoder()
    seen = [value(field, e) for e in made.decode(batch(image(args=b"cat\0x\0"), clock=200 * SECOND)) if not e.type]
    assert len(seen) == 1
    assert seen[0] is not None


class TestOpenMode:
    @pytest.mark.parametrize(
        ("flags", "reads", "writes"),
        [(os.O_RDONLY, True, False), (os.O_WRONLY | os.O_CREAT, False, True), (os.O_RDWR, True, True), (3, False, False)],
    )
    def test_of_the_file(self, flags: int, reads: bool, writes: bool) -> None:
        event = opened(flags_of_file=flags, real="/a", flags=r.F_SAME)
        assert (read("evt.is_open_read", event), read("evt.is_open_write", event)) == ([reads], [writes])

    def test_of_a_failed_openat2_nobody_knows(self) -> None:
        event = opened("openat2", result=-13, known=2, text="/etc/shadow")
        for name in ("evt.is_open_read", "evt.is_open_write"):
            assert read(name, event) == [PENDING]
        assert read("evt.arg", event, argument="flags") == [PENDING]

    def test_the_end_of_a_process_has_no_result(self) -> None:
        ended = record("procexit", result=256)
        for name in ("evt.rawres", "evt.res", "evt.failed"):
            assert read(name, ended) == [None]
        assert read("evt.count.error", ended) == [0]
        assert read("evt.arg", ended, argument="status") == ["256"]

    def test_of_other_events(self) -> None:
        assert read("evt.is_open_write", connected("1.2.3.4", 80), record("procexit")) == [False, False]


class TestParameters:
    @pytest.mark.parametrize(
        ("flags", "text"),
        [
            (0, "O_RDONLY"), (0o1101, "O_CREAT|O_TRUNC|O_WRONLY"), (0o2102, "O_CREAT|O_APPEND|O_RDWR"),
            (0o2100000, "O_LARGEFILE|O_CLOEXEC|O_RDONLY"),
            (0o4010000, "O_SYNC|O_RDONLY"), (0o10000, "O_DSYNC|O_RDONLY"), (0o200000, "O_DIRECTORY|O_RDONLY"),
            (0o20200002, "O_DIRECTORY|O_TMPFILE|O_RDWR"),
        ],
    )  # fmt: skip
    def test_flags(self, flags: int, text: str) -> None:
        assert read("evt.arg", opened(flags_of_file=flags), argument="flags") == [text]

    def test_missing_ones(self) -> None:
        """What an event does not have and what is not collected is missing; what is empty has Falco's text."""
        others = (record("procexit"), connected("1.2.3.4", 80), opened("creat", real="/a", flags=r.F_SAME))
        assert read("evt.arg", *others, argument="flags") == [None] * 3
        for name in ("nonsense", "mode", "99"):
            assert read("evt.arg", opened(real="/a", flags=r.F_SAME), argument=name) == [None]
        assert read("evt.arg", record("connect", a={1: 3}), argument="tuple") == ["<NA>"]

    def test_positions_are_falcos(self) -> None:
        event = opened("openat", real="/a", flags=r.F_SAME)
        assert [read("evt.arg", event, argument=n) for n in "0123"] == [["<f>/a"], [None], ["/a"], ["O_RDONLY"]]
        assert read("evt.arg", opened("open", real="/a", flags=r.F_SAME), argument="1") == ["/a"]
        assert read("evt.rawarg", event, record("procexit", result=256), argument="0") == [3, 256]

    def test_every_parameter_has_a_type_and_an_event(self) -> None:
        named = {name for layout in LAYOUTS.values() for name in layout}
        assert set(PARAMETERS) <= named <= set(TYPES)

    def test_results_and_ids(self) -> None:
        assert read("evt.arg", image(), record("execve", result=-2), argument="res") == ["0", "ENOENT"]
        duplicate = connected("1.2.3.4", 80, own="10.0.0.1", kind="dup", result=6)
        assert read("evt.arg", duplicate, record("dup2", result=-9), argument="res") == ["<4t>10.0.0.1:40000->1.2.3.4:80", "EBADF"]
        assert read("evt.arg", image(), image(loginuid=0), image(loginuid=7), argument="loginuid") == ["<NONE>", "root", "<NA>"]
        assert read("evt.arg", image(ppid=1), argument="ptid") == ["init"]
        assert read("evt.rawarg", image(loginuid=7, ppid=1), argument="loginuid") == [7]

    def test_all_of_them(self) -> None:
        (text,) = read("evt.args", opened("open", real="/a", flags=r.F_SAME, flags_of_file=1, device=8 << 20 | 1))
        assert text == "fd=3(<f>/a) name=/a flags=1(O_WRONLY) mode=<NA> dev=2049 ino=<NA>"
        (text,) = read("evt.args", opened("open", result=-2, text="no", flags_of_file=1))
        assert text == "fd=-2(ENOENT) name=no flags=1(O_WRONLY) mode=<NA> dev=<NA> ino=<NA>"
        assert "pid=10(cat) ptid=1(init)" in read("evt.info", image(ppid=1))[0]
        assert "loginuid=-1(<NONE>)" in read("evt.args", image())[0]
        assert read("evt.args", opened(real="/a", flags=r.F_CUT, text="/b"))[0].startswith("fd=3(<f>/b) dirfd=<NA> name=/b ")

    def test_names(self) -> None:
        assert read("evt.arg", opened(real="/a", text="/b"), opened(result=-2, text="no"), argument="name") == ["/b", "no"]
        assert read("evt.arg", opened(real="/a", text="/b"), opened(result=-2, text="no"), argument="fd") == ["<f>/b", "ENOENT"]
        assert read("evt.arg", record("execve", result=-2, text="/x"), image(), argument="filename") == ["/x", "/usr/bin/cat"]
        assert read("evt.arg", image(args=b"a\0b\0c\0"), argument="args") == ["b c"]
        assert read("evt.arg", connected("1.2.3.4", 80, own="10.0.0.1"), argument="tuple") == ["10.0.0.1:40000->1.2.3.4:80"]

    @pytest.mark.parametrize(
        ("result", "text"),
        [(0, "SUCCESS"), (7, "SUCCESS"), (-errno.ENOENT, "ENOENT"), (-errno.EAGAIN, "EAGAIN"), (-512, "-512"), (-4095, "-4095")],
    )
    def test_results(self, result: int, text: str) -> None:
        assert result_text(result) == text
        assert read("evt.res", opened(result=result)) == [text]


class TestDescriptors:
    @pytest.mark.parametrize(
        ("mode", "char", "word"),
        [
            (0o100644, "f", "file"),
            (0o020666, "f", "file"),
            (0o060660, "f", "file"),
            (0o040755, "d", "directory"),
            (0o010644, "p", "pipe"),
            (0o120777, None, None),
        ],
    )
    def test_files(self, mode: int, char: str | None, word: str | None) -> None:
        event = opened(mode=mode, real="/x", flags=r.F_SAME)
        assert (read("fd.typechar", event), read("fd.type", event)) == ([char], [word])

    def test_sockets(self) -> None:
        unix = record("connect", a={0: 1 | 1 << 8, 1: 3 | 0o140777 << 32}, text="/run/x")
        assert read("fd.type", connected("1.2.3.4", 80), connected("fd00::1", 80), unix, record("connect", result=-9)) == [
            "ipv4",
            "ipv6",
            "unix",
            None,
        ]
        # The caller of a connect that fails may give an address of another family: that does not change what the descriptor is.
        lied = connected("fd00::1", 80, socket_family=socket.AF_INET, result=-97, flags=r.F_USER_ADDRESS)
        assert read("fd.type", lied) == ["ipv4"]
        assert read("fd.l4proto", connected("1.2.3.4", 80), connected("1.2.3.4", 80, protocol=17), unix, opened()) == [
            "tcp",
            "udp",
            "<NA>",
            "<NA>",
        ]
        assert read("fd.l4proto", opened(result=-2), record("procexit")) == [None, None]

    def test_numbers(self) -> None:
        got = read(
            "fd.num",
            opened(result=5),
            opened(result=-2),
            connected("1.2.3.4", 80, fd=9),
            connected("1.2.3.4", 80, fd=-1),
            record("dup", result=6),
            record("procexit"),
        )
        assert got == [5, -2, 9, -1, 6, None]

    def test_addresses_and_ports(self) -> None:
        event = connected("::ffff:1.2.3.4", 80, own="::ffff:10.0.0.1", own_port=1234)
        four, ten = bytes([1, 2, 3, 4]), bytes([10, 0, 0, 1])
        expected = {
            "fd.sip": four, "fd.rip": four, "fd.snet": four, "fd.rnet": four, "fd.cip": ten, "fd.lip": ten, "fd.cnet": ten, "fd.lnet": ten,
            "fd.ip": (ten, four), "fd.net": (ten, four), "fd.sport": 80, "fd.rport": 80, "fd.cport": 1234, "fd.lport": 1234,
            "fd.port": (1234, 80),
        }  # fmt: skip
        for name, wanted_ in expected.items():
            assert read(name, event) == [wanted_]
            assert read(name, opened(real="/a"), record("connect", a={0: 1, 1: 3}), record("procexit")) == [None] * 3

    def test_devices(self) -> None:
        """User space's numbers, not the kernel's, whose major starts at bit 20."""
        events = [opened(real="/a", device=number) for number in (8 << 20 | 1, 253 << 20 | 300, 0)]
        assert read("fd.dev", *events) == [os.makedev(8, 1), os.makedev(253, 300), None]
        event = opened(real="/a", device=253 << 20 | 300)
        assert (read("fd.dev.major", event), read("fd.dev.minor", event)) == ([253], [300])
        assert read("fd.dev.major", opened(result=-2, device=8 << 20), connected("1.2.3.4", 80)) == [None, None]

    def test_state_of_a_socket(self) -> None:
        """Known of a connect; no file is one; of other sockets nothing is kept, and without a descriptor there is nothing to say."""
        connects = [connected("1.2.3.4", 80, result=result) for result in (0, -errno.EINPROGRESS, -errno.ECONNREFUSED)]
        assert read("fd.connected", *connects) == [True, False, False]
        assert read("fd.name_changed", *connects) == [True, True, False]
        others = (opened(real="/a", flags=r.F_SAME), connected("1.2.3.4", 80, kind="dup", result=6), opened(result=-2), image())
        assert read("fd.connected", *others) == [False, None, None, None]
        assert read("fd.name_changed", *others) == [False, False, None, None]

    def test_number_and_thread(self) -> None:
        assert read("fd.uid", opened(result=5, tid=77), record("procexit")) == ["577", None]

    def test_absolute_paths(self) -> None:
        events = (
            opened("openat", real="/a", text="b", base="/c"),
            opened("open", real="/a", flags=r.F_SAME),
            opened("openat", result=-2, text="/a"),
        )
        assert read("evt.abspath", *events) == ["/c/b", None, None]
        assert read("fs.path.name", *events) == ["/c/b", "/a", None]
        assert read("evt.abspath", *events, argument="src") == [None] * 3

    def test_parts_of_a_path(self) -> None:
        got = [
            read(n, *(opened(real=p, flags=r.F_SAME) for p in ("/a/b", "/a", "/")), opened(real="memfd:x", flags=r.F_TEXT))
            for n in ("fd.directory", "fd.filename")
        ]
        assert got == [["/a", "/", "/", None], ["b", "a", "", None]]


class TestContext:
    def test_login_user(self) -> None:
        assert read("user.loginuid", opened(), opened(loginuid=1000)) == [-1, 1000]

    def test_directory(self) -> None:
        assert read("proc.cwd", opened(cwd="/root"), opened(cwd="/"), opened()) == ["/root/", "/", PENDING]

    def test_login_shell(self) -> None:
        """The oldest one, whose child is bash here."""
        assert read("proc.loginshellid", opened(ppid=1), opened(tgid=404, ppid=1)) == [10, None]

    def test_parent_in_its_namespace(self) -> None:
        assert read("proc.pvpid", opened(ppid=1), opened(ppid=0), opened(ppid=5)) == [1, None, PENDING]

    def test_accounts(self) -> None:
        made = decoder(Kernel(r.Accounts(b"a:x:7:7::/home/a:/bin/zsh\n"), r.Groups(b"g:x:8:\n")))
        names = ("user.name", "user.homedir", "user.shell", "group.name", "user.loginname")
        got = decode(made, opened(uid=7, gid=8, loginuid=7), read=lambda e: [value(BY_NAME[name], e) for name in names])
        assert got == [["a", "/home/a", "/bin/zsh", "g", "a"]]

    def test_ancestors(self) -> None:
        assert read("proc.aname", opened(ppid=1), argument=None) == [("init",)]
        assert [read("proc.aname", opened(ppid=1), argument=a) for a in ("0", "1", "2")] == [["bash"], ["init"], [None]]
        assert read("proc.apid", opened(ppid=1), argument="1") == [1]

    def test_counted_arguments(self) -> None:
        assert read("proc.cmdnargs", image(args=b"a\0"), image(args=b"a\0b\0c\0")) == [0, 2]
        assert read("proc.exeline", image(args=b"a\0"), image(args=b"a\0b\0c\0")) == ["a", "a b c"]


class TestWanted:
    def test_every_field_that_is_named_exists(self) -> None:
        keys = {f.name for f in FIELDS if f.argument is Argument.KEY}
        for names in COLLECT.values():
            for name in names:
                assert name in BY_NAME or any(name.startswith(f"{k}.") for k in keys) or name == "user.loginname", name

    @pytest.mark.parametrize(
        ("field", "collected"),
        [
            ("proc.name", set()), ("proc.cmdline", {"args"}), ("proc.exepath", {"exe"}), ("proc.aname", {"ppid"}), ("fd.name", {"paths"}),
            ("user.name", {"uid"}), ("evt.arg", {"args", "exe", "paths", "ppid", "uid", "gid", "loginuid", "tty"}), ("group.name", {"gid"}), ("fd.dev", {"paths"}), ("thread.cgroups", {"cgroups"}), ("proc.cwd", {"cwd"}),
        ],
    )  # fmt: skip
    def test_what_a_field_needs(self, field: str, collected: set[str]) -> None:
        assert wanted(plan(types=["openat"], fields=[field])) == collected

    def test_what_is_not_collected_is_not_pending(self) -> None:
        made = decoder(plan_=plan(fields=[]))
        assert decode(made, image(args=b""), read=lambda e: (e.image.exepath, e.image.cmdline, e.cgroups)) == [(None, "cat", None)]
