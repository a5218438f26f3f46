from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel_ebpf.journal import START, Journal

SIZE = 4096
"""Bytes of the circle."""


@pytest.fixture
def memory() -> Iterator[int]:
    fd = os.memfd_create("journal")
    os.ftruncate(fd, START + SIZE)
    yield fd
    os.close(fd)


class Model:
    """The same over a list: each record has the offset where it starts; a gap at the end of the circle belongs to none."""

    def __init__(self) -> None:
        self.kept: deque[tuple[int, bytes]] = deque()
        self.at = 0

    def append(self, record: bytes) -> None:
        need = 4 + (len(record) + 3) // 4 * 4
        if self.at % SIZE + need > SIZE:
            self.at += SIZE - self.at % SIZE
        while self.kept and self.kept[0][0] < self.at + need - SIZE:
            self.kept.popleft()
        self.kept.append((self.at, record))
        self.at += need


@given(
    st.lists(st.one_of(st.binary(max_size=40), st.integers(0, 1500).map(lambda n: bytes([n % 251]) * n)), max_size=60),
    st.sets(st.integers(0, 60)),
)
def test_keeps_the_newest_that_fit(records: list[bytes], handovers: set[int]) -> None:
    fd = os.memfd_create("journal")
    try:
        os.ftruncate(fd, START + SIZE)
        journal, model = Journal(fd), Model()
        for number, record in enumerate(records):
            if number in handovers:  # another sensor goes on
                journal = Journal(fd)
            journal.append(record)
            model.append(record)
            assert list(journal.replay()) == [r for _, r in model.kept]
        assert list(Journal(fd).replay()) == [r for _, r in model.kept]
    finally:
        os.close(fd)


def test_empty(memory: int) -> None:
    assert list(Journal(memory).replay()) == []


def test_another_journal_goes_on(memory: int) -> None:
    one = Journal(memory)
    one.append(b"first")
    two = Journal(memory)
    two.append(memoryview(b"second"))
    assert list(Journal(memory).replay()) == [b"first", b"second"]


def test_a_record_as_large_as_the_circle(memory: int) -> None:
    journal = Journal(memory)
    for record in (b"small", b"x" * (SIZE - 4), b"y" * (SIZE - 4)):
        journal.append(record)
    assert list(journal.replay()) == [b"y" * (SIZE - 4)]
