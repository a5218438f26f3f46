from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tiercel import PENDING
from tiercel_ebpf import process as module
from tiercel_ebpf.process import UNKNOWN, Process, Table


def process(pid: int, *, start: int = 1, ppid: int = 0) -> Process:
    return Process(pid=pid, start=start, exec_id=1, ppid=ppid, vpid=pid, image=UNKNOWN, context=())


def test_the_longest_unchanged_makes_room() -> None:
    table = Table(limit=2)
    one, two, three = process(1), process(2), process(3)
    table.put(one)
    table.put(two)
    again = process(1)
    table.put(again)
    table.put(three)
    assert (table.get(1), table.get(2), table.get(3)) == (again, None, three)
    assert [p.alive for p in (one, two, three, again)] == [False, False, True, True]
    assert table.evicted == 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 2)), max_size=60))
def test_bounded_and_one_for_each_pid(steps: list[tuple[bool, int, int]]) -> None:
    table, limit = Table(limit=4), 4
    made: list[Process] = []
    for put, pid, start in steps:
        if put:
            made.append(process(pid, start=start))
            table.put(made[-1])
        else:
            known = table.get(pid)
            gone = table.remove(pid, start)
            assert gone is (known if known is not None and known.start == start else None)
        assert len(table) <= limit
        assert [p for p in made if p.alive] == [p for p in made if table.get(p.pid) is p]


def test_a_parent_is_older() -> None:
    table = Table()
    for p in (process(1, start=10), process(2, start=20, ppid=1), process(3, start=5, ppid=2)):
        table.put(p)
    assert table.parent(table.get(2), 1) is table.get(1)  # type: ignore[arg-type]
    assert table.parent(table.get(3), 2) is None  # type: ignore[arg-type]  # 2 is a later process of that pid
    assert table.parent(table.get(3), 9) is None  # type: ignore[arg-type]


def test_ancestors_end() -> None:
    table = Table()
    loop = process(7, ppid=7)
    table.put(loop)
    assert table.ancestors(loop, 7) == []
    for pid in range(1, 100):
        table.put(process(pid, ppid=pid - 1))
    chain = table.ancestors(table.get(99), 98)  # type: ignore[arg-type]
    assert [p.pid for p in chain] == list(range(98, 98 - module.MAX_ANCESTORS, -1))
    one, two = process(201, ppid=202), process(202, ppid=201)
    table.put(one)
    table.put(two)
    assert len(table.ancestors(one, 202)) <= module.MAX_ANCESTORS


def test_equal_images_are_one() -> None:
    table = Table()
    one = table.image(b"cat\0\0", b"/bin/cat", b"cat\0-n\0", memfd=False)
    assert table.image(b"cat\0\0", b"/bin/cat", b"cat\0-n\0", memfd=False) is one
    assert (one.name, one.exe, one.args, one.arglist, one.exepath) == ("cat", "cat", "-n", ("-n",), "/bin/cat")
    assert table.image(b"cat\0\0", b"/bin/cat", None, memfd=False) is not one
    assert table.image(b"cat\0\0", b"/bin/cat", b"cat\0-n\0", memfd=True) is not one


def test_what_is_not_known() -> None:
    image: Any = Table().image(b"cat", None, None, memfd=False)
    assert (image.name, image.exe, image.exepath, image.args, image.cmdline) == ("cat", PENDING, PENDING, PENDING, PENDING)
    assert Table().image(b"kworker", b"", b"", memfd=False).exepath is None


def test_images_are_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "MAX_IMAGES", 3)
    table = Table()
    for number in range(10):
        table.image(b"x", b"/x", b"%d" % number, memfd=False)
        assert len(table._images) <= 3
