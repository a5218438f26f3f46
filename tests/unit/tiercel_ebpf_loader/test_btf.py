from __future__ import annotations

import struct

import pytest

import generate
from btf import VMLINUX, Btf
from tests.conftest import lacking


class Blob:
    """Builds BTF (kernel Documentation/bpf/btf.rst)."""

    def __init__(self) -> None:
        self.strings, self.types = b"\0", b""

    def name(self, text: str) -> int:
        at = len(self.strings)
        self.strings += text.encode() + b"\0"
        return at if text else 0

    def add(self, kind: int, name: str, size: int, members: list[bytes], *, flag: bool = False, tail: bytes = b"") -> None:
        self.types += struct.pack("<III", self.name(name), flag << 31 | kind << 24 | len(members), size) + tail + b"".join(members)

    def member(self, name: str, type_id: int, where: int) -> bytes:
        return struct.pack("<III", self.name(name), type_id, where)

    def data(self) -> bytes:
        head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(self.types), len(self.types), len(self.strings))
        return head + self.types + self.strings


@pytest.fixture(scope="module")
def made() -> Btf:
    blob = Blob()
    blob.add(1, "int", 4, [], tail=struct.pack("<I", 32))  # 1
    blob.add(3, "", 0, [], tail=struct.pack("<III", 1, 1, 4))  # 2: int[4]
    blob.add(5, "", 8, [blob.member("inner_a", 1, 0), blob.member("inner_b", 1, 0)])  # 3: anonymous union
    blob.add(4, "", 12, [blob.member("", 3, 0), blob.member("deep", 1, 64)])  # 4: anonymous structure with it
    blob.add(14, "variable", 1, [], tail=struct.pack("<I", 1))  # 5
    blob.add(4, "outer", 40, [blob.member("first", 1, 0), blob.member("", 4, 64), blob.member("array", 2, 192)])  # 6
    blob.add(4, "fields", 4, [blob.member("low", 1, 3 << 24 | 0), blob.member("flag", 1, 1 << 24 | 10)], flag=True)  # 7
    blob.add(6, "colours", 4, [struct.pack("<Ii", blob.name("RED"), 3), struct.pack("<Ii", blob.name("MINUS"), -1)])  # 8
    blob.add(4, "outer", 4, [blob.member("first", 1, 320)])  # 9: a second one of the name, as modules have them
    return Btf(blob.data())


def test_members_of_anonymous_structures_belong_to_the_outer(made: Btf) -> None:
    found = made.structures({"outer": {"first", "inner_a", "inner_b", "deep", "array", "absent"}})
    assert found == {
        ("outer", ""): (40, 0), ("outer", "first"): (0, 0), ("outer", "inner_a"): (64, 0), ("outer", "inner_b"): (64, 0),
        ("outer", "deep"): (128, 0), ("outer", "array"): (192, 0),
    }  # fmt: skip


def test_bit_fields(made: Btf) -> None:
    assert made.structures({"fields": {"low", "flag"}}) == {("fields", ""): (4, 0), ("fields", "low"): (0, 3), ("fields", "flag"): (10, 1)}


def test_enumerators(made: Btf) -> None:
    assert made.enumerators({"RED", "MINUS", "BLUE"}) == {"RED": 3, "MINUS": -1}


def test_what_is_not_there(made: Btf) -> None:
    assert made.structures({"nothing": {"x"}}) == {}
    assert made.enumerators({"outer"}) == {}


def test_a_kernel_that_lacks_something(made: Btf) -> None:
    with pytest.raises((generate.KernelError, KeyError)):
        generate.kernel_constants(made)


@pytest.fixture(scope="module")
def running() -> Btf:
    if not VMLINUX.is_file():
        lacking(f"{VMLINUX} is missing")
    return Btf(VMLINUX.read_bytes())


def test_members_of_the_running_kernel(running: Btf) -> None:
    found = running.structures(
        {"path": {"mnt", "dentry"}, "qstr": {"hash", "len", "name"}, "upid": {"nr"}, "task_struct": {"pid", "tgid", "comm"}}
    )
    assert found["path", ""] == (16, 0)
    assert (found["path", "mnt"], found["path", "dentry"]) == ((0, 0), (64, 0))
    assert (found["qstr", "hash"], found["qstr", "len"], found["qstr", "name"]) == ((0, 0), (32, 0), (64, 0))  # as base.h states it
    assert found["task_struct", "tgid"][0] == found["task_struct", "pid"][0] + 32
    assert found["task_struct", "comm"][0] // 8 + 16 <= found["task_struct", ""][0]


def test_constants_of_the_running_kernel(running: Btf) -> None:
    constants = generate.kernel_constants(running)
    assert constants["PIDTYPE_SID"] == 3
    assert constants["cred__egid"] == constants["cred__euid"] + 4
    assert constants["SIZE_upid"] >= 16
    assert constants["in_execve__mask"] in (0, *(1 << i for i in range(8)))
    assert all(isinstance(v, int) and v >= 0 for v in constants.values())
