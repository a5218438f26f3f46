"""What the sensor writes into maps, read by the program's own C."""

from __future__ import annotations

import ctypes
import ipaddress
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generate import FILTER_BITS
from plan import validate
from tests.unit.tiercel_ebpf_loader import harness
from tests.unit.tiercel_ebpf_loader.test_plan import VALID
from tiercel_ebpf import places, verdicts
from tiercel_ebpf.places import Places, path_hash
from tiercel_ebpf.process import UNKNOWN, Process
from tiercel_ebpf.records import HEAD, STRINGS
from tiercel_ebpf.translate import Entry
from tiercel_ebpf.verdicts import Verdicts

ROWS, SLOTS = 2, 3
OFFSETS = harness.made_up_offsets()
TYPES = ["openat", "connect"]


class FakeMap:
    """Keeps what is written, by descriptor."""

    made: dict[int, FakeMap] = {}  # noqa: RUF012

    def __init__(self, fd: int, *, key_size: int, value_size: int) -> None:
        self.key_size, self.value_size = key_size, value_size
        self.items: dict[bytes, bytes] = {}
        FakeMap.made[fd] = self

    def update(self, key: bytes, value: bytes) -> None:
        assert (len(key), len(value)) == (self.key_size, self.value_size)
        self.items[key] = value

    def lookup(self, key: bytes) -> bytes | None:
        return self.items.get(key)

    def delete(self, key: bytes) -> None:
        self.items.pop(key, None)

    def keys(self) -> list[bytes]:
        return list(self.items)


@pytest.fixture(scope="module")
def program() -> ctypes.CDLL:
    one = {"classes": 1, "atoms": [], "scalars": [["true"]], "place_atoms": 1}
    judged = [{"kind": k, "places": [["atom", 0] if k in TYPES else ["true"]], **one} for k in (*TYPES, "dup")]
    sorts = ["prefix", "exact", "directory", "name"]
    plan = validate(VALID | {"generation": 7, "guards": ["credentials"], "judged": judged, "place_kinds": sorts})
    return harness.places_and_verdicts(plan, OFFSETS)


@pytest.fixture(scope="module", autouse=True)
def _maps() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "Map", FakeMap)
        patch.setattr(verdicts, "Map", FakeMap)
        yield


def filled(entries: list[Entry]) -> tuple[FakeMap, FakeMap]:
    made = Places(rows=TYPES, row_count=ROWS, keys=harness.SECRET, places=1, networks=2, filter_map=9, bits=FILTER_BITS)
    made.fill(entries, set_number=1)
    return FakeMap.made[1], FakeMap.made[2]


def test_sizes_are_the_programs(program: ctypes.CDLL) -> None:
    paths, networks = filled([])
    Verdicts(3, slots=SLOTS, generation=7, keys=harness.SECRET, guards=frozenset())
    assert (paths.key_size, paths.value_size) == (16, program.test_place_size())
    assert (networks.key_size, networks.value_size) == (program.test_net_key_size(), program.test_net_size())
    assert FakeMap.made[9].value_size == program.test_filter_size()
    assert FakeMap.made[3].value_size == program.test_verdict_size()
    assert HEAD.size == STRINGS == program.test_record_size()


@given(st.binary(max_size=255))
def test_hash(program: ctypes.CDLL, text: bytes) -> None:
    expected = path_hash(text, seed=harness.SECRET["HASH_SEED"], factor=harness.SECRET["HASH_FACTOR"])
    assert program.test_hash(text, len(text)) == expected


PARTS = st.sampled_from([b"a", b"b", b"etc", b"x" * 60, b"\xff"])
PATHS = st.lists(PARTS, max_size=5).map(lambda parts: b"/" + b"/".join(parts))
ENTRIES = st.one_of(
    st.tuples(st.just("exact"), PATHS),
    st.tuples(st.sampled_from(["prefix", "directory"]), PATHS.map(lambda p: p if p == b"/" else p + b"/")),
    st.tuples(st.just("name"), st.one_of(PARTS, st.just(b""))),
)


@settings(max_examples=200)
@given(st.lists(st.tuples(ENTRIES, st.integers(0, 7), st.booleans(), st.sampled_from(TYPES)), max_size=8), PATHS, st.sampled_from(TYPES))
def test_look_ups_of_paths(program: ctypes.CDLL, given_: list[Any], path: bytes, event_type: str) -> None:
    entries = [Entry(kind, atom, sort, value, sure=sure) for (sort, value), atom, sure, kind in given_]
    paths, _ = filled(entries)
    program.test_forget()
    program.test_set_filter(FakeMap.made[9].items[bytes(4)])
    for key, value in paths.items.items():
        program.test_add_place(key, value)
    maybe, sure = ctypes.c_uint64(), ctypes.c_uint64()
    known = program.test_place_path(path, len(path), 1, TYPES.index(event_type), ctypes.byref(maybe), ctypes.byref(sure))
    assert known == (len(path) <= 255)
    if not known:
        return
    cut = path.rindex(b"/") + 1
    expected = proved = 0
    for e in entries:
        hit = {
            "exact": path == e.value,
            "prefix": path.startswith(e.value),
            "directory": path[:cut] == e.value,
            "name": path[cut:] == e.value,
        }
        if e.event_type == event_type and hit[e.kind]:
            expected |= 1 << e.atom
            proved |= (1 << e.atom) if e.sure and len(e.value) <= 128 else 0
    assert (maybe.value, sure.value) == (expected, proved)
    program.test_place_path(path, len(path), 2, TYPES.index(event_type), ctypes.byref(maybe), ctypes.byref(sure))
    assert (maybe.value, sure.value) == (0, 0)  # another set


@pytest.mark.parametrize("path", [b"", b"memfd:x", b"/a" * 25, b"/" + b"x" * 255])
def test_paths_that_come_up_undecided(program: ctypes.CDLL, path: bytes) -> None:
    maybe, sure = ctypes.c_uint64(), ctypes.c_uint64()
    assert program.test_place_path(path, len(path), 1, 0, ctypes.byref(maybe), ctypes.byref(sure)) == 0


NETWORKS = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "0.0.0.0/0", "10.1.2.3/32", "fd00::/8", "fd00::1/128", "2000::/3"]


@given(
    st.lists(st.tuples(st.sampled_from(NETWORKS), st.integers(0, 7)), max_size=8),
    st.sampled_from(["10.1.2.3", "10.1.9.9", "11.0.0.1", "fd00::1", "fd00::2", "2001::1"]),
)
def test_the_longest_network_holds_what_those_around_it_hold(given_: list[tuple[str, int]], address: str) -> None:
    def mapped(packed: bytes) -> bytes:
        return packed if len(packed) == 16 else b"\0" * 10 + b"\xff\xff" + packed

    entries, expected = [], 0
    for text, atom in given_:
        network = ipaddress.ip_network(text)
        width = len(network.network_address.packed) * 8
        entries.append(Entry("connect", atom, "net", mapped(network.network_address.packed), bits=128 - width + network.prefixlen))
        expected |= (1 << atom) if ipaddress.ip_address(address) in network else 0
    _, networks = filled(entries)
    number, best, hit = int.from_bytes(mapped(ipaddress.ip_address(address).packed), "big"), -1, 0
    for key, value in networks.items.items():
        length, number_of_set, prefix = struct.unpack("<II16s", key)
        assert number_of_set == 1
        bits = length - 32
        if number >> 128 - bits == int.from_bytes(prefix, "big") >> 128 - bits and bits > best:
            best, hit = bits, struct.unpack_from("<Q", value, 8 * TYPES.index("connect"))[0]
    assert hit == expected


def test_entries_of_types_without_places_are_left_out() -> None:
    paths, networks = filled([Entry("open", 0, "exact", b"/a"), Entry("dup", 0, "net", b"\0" * 16, bits=128)])
    assert not paths.items
    assert not networks.items


class TestVerdicts:
    CONTEXT = (1000, 100, 0xFFFFFFFF, 7, 0x8801, 11, 12)

    def written(self, masks: tuple[int, ...], *, start: int = 5_000_000_000, exec_id: int = 3, generation: int = 7) -> bytes:
        process = Process(pid=4242, start=start, exec_id=exec_id, ppid=1, vpid=1, image=UNKNOWN, context=self.CONTEXT)
        verdicts_ = Verdicts(3, slots=SLOTS, generation=generation, keys=harness.SECRET, guards=frozenset({"credentials"}))
        verdicts_.write(process, self.CONTEXT, masks)
        assert verdicts_.written == 1
        (key,) = FakeMap.made[3].items
        assert key == (4242).to_bytes(4, "little")
        return FakeMap.made[3].items[key]

    def task(self, *, start: int = 5_000_000_000, exec_id: int = 3, uid: int = 1000, gid: int = 100, loginuid: int = 0xFFFFFFFF) -> Any:
        memory = ctypes.create_string_buffer(1 << 14)
        at = ctypes.addressof(memory)
        leader, cred = at + (1 << 12), at + (2 << 12)

        def put(base: int, name: str, value: int, size: int) -> None:
            ctypes.memmove(base + OFFSETS[name], value.to_bytes(size, "little"), size)

        put(at, "task_struct__group_leader", leader, 8)
        put(at, "task_struct__cred", cred, 8)
        put(at, "task_struct__loginuid", loginuid, 4)
        put(leader, "task_struct__start_boottime", start, 8)
        put(leader, "task_struct__self_exec_id", exec_id, 4)
        put(cred, "cred__euid", uid, 4)
        put(cred, "cred__egid", gid, 4)
        return memory

    def judged(self, program: ctypes.CDLL, verdict: bytes, task: Any, *, pid: int = 4242, slot: int = 1) -> int | None:
        """The mask, None if the verdict was not believed."""
        unjudged = ctypes.c_int()
        mask = int(program.test_judged(verdict, pid, ctypes.addressof(task), slot, ctypes.byref(unjudged)))
        assert not unjudged.value or mask == (1 << 64) - 1
        return None if unjudged.value else mask

    def test_believed(self, program: ctypes.CDLL) -> None:
        masks = (1, 0xDEAD, 1 << 63)
        for slot, mask in enumerate(masks):
            assert self.judged(program, self.written(masks), self.task(), slot=slot) == mask

    @given(st.tuples(*[st.integers(0, (1 << 64) - 1)] * SLOTS), st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 32) - 1))
    def test_the_sum_is_the_programs(self, program: ctypes.CDLL, masks: tuple[int, ...], start: int, exec_id: int) -> None:
        verdict = self.written(masks, start=start, exec_id=exec_id)
        assert self.judged(program, verdict, self.task(start=start, exec_id=exec_id)) == masks[1]

    @pytest.mark.parametrize("other", [{"start": 5_000_000_001}, {"exec_id": 4}, {"uid": 0}, {"gid": 0}, {"loginuid": 1000}])
    def test_not_of_another_image_or_context(self, program: ctypes.CDLL, other: dict[str, int]) -> None:
        assert self.judged(program, self.written((1, 2, 3)), self.task(**other)) is None

    def test_not_of_another_generation(self, program: ctypes.CDLL) -> None:
        assert self.judged(program, self.written((1, 2, 3), generation=8), self.task()) is None

    def test_not_of_another_process(self, program: ctypes.CDLL) -> None:
        assert self.judged(program, self.written((1, 2, 3)), self.task(), pid=4243) is None

    def test_not_a_torn_one(self, program: ctypes.CDLL) -> None:
        one, two = self.written((1, 2, 3)), self.written((4, 5, 6))
        for cut in range(8, len(one), 8):
            torn = one[:cut] + two[cut:]
            assert torn in (one, two) or self.judged(program, torn, self.task()) is None

    def test_what_is_not_compared_is_left_out(self) -> None:
        verdict = struct.unpack("<12Q", self.written((1, 2, 3)))
        assert verdict[4:9] == (1000 | 100 << 32, 0xFFFFFFFF, 0, 0, 0)
        everything = Verdicts(
            4, slots=SLOTS, generation=7, keys=harness.SECRET, guards=frozenset({"credentials", "cgroup", "session", "tty"})
        )
        everything.write(Process(pid=1, start=1, exec_id=1, ppid=0, vpid=1, image=UNKNOWN, context=self.CONTEXT), self.CONTEXT, (1, 2, 3))
        (value,) = FakeMap.made[4].items.values()
        assert struct.unpack("<12Q", value)[4:9] == (1000 | 100 << 32, 0xFFFFFFFF, 7 | 0x8801 << 32, 11, 12)

    def test_without_slots_one_mask_of_ones(self) -> None:
        none = Verdicts(5, slots=0, generation=1, keys=harness.SECRET, guards=frozenset())
        none.write(Process(pid=1, start=1, exec_id=1, ppid=0, vpid=1, image=UNKNOWN, context=self.CONTEXT), self.CONTEXT, ())
        (value,) = FakeMap.made[5].items.values()
        assert struct.unpack("<10Q", value)[9] == (1 << 64) - 1
