"""Memos are bounded, and places are remembered when they come the second time."""

from __future__ import annotations

from typing import Any

from tiercel.engine.memo import EventMemo, Memo, SecondSight


def test_a_memo_computes_once_and_forgets_when_it_is_full() -> None:
    computed: list[int] = []

    def double(key: int) -> int:
        computed.append(key)
        return key * 2

    memo = Memo(double, 3)
    assert [memo[key] for key in (1, 2, 1, 3, 2)] == [2, 4, 2, 6, 4]
    assert computed == [1, 2, 3]
    assert memo[4] == 8
    assert len(memo) == 1
    assert [memo[key] for key in range(100)] == [key * 2 for key in range(100)]
    assert len(memo) <= 3


def test_results_are_computed_from_the_event_and_remembered_by_its_key() -> None:
    computed: list[str] = []

    def length(event: str) -> int:
        computed.append(event)
        return len(event)

    memo = EventMemo(length, 2)
    assert [memo.miss("first", 1), memo.get(1), memo.get(2), memo.miss("second", 2)] == [5, 5, None, 6]
    assert computed == ["first", "second"]
    assert memo.miss("third", 3) == 5
    assert dict(memo) == {3: 5}


def sight(memo: SecondSight, key: Any) -> int:
    """The look-up as generated code has it; here the event is its own key."""
    found = memo.get(key)
    return memo.sight(key, key, 0b111) if found is None else found


def test_second_sight_computes_nothing_for_keys_that_are_all_different() -> None:
    computed: list[int] = []

    def mask(key: int) -> int:
        computed.append(key)
        return 0

    memo = SecondSight(mask, 10, None)
    assert {sight(memo, key) for key in range(1000)} == {0b111}
    assert computed == []
    assert len(memo) == 0


def test_second_sight_remembers_what_comes_again() -> None:
    computed: list[str] = []

    def mask(key: str) -> int:
        computed.append(key)
        return 0b010

    memo = SecondSight(mask, 2, None)
    assert [sight(memo, "a") for _ in range(4)] == [0b111, 0b010, 0b010, 0b010]
    assert computed == ["a"]
    for key in "bcdefg":
        assert [sight(memo, key), sight(memo, key)] == [0b111, 0b010]
        assert len(memo) <= 2
