from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.testing.rules.clock import START, nanoseconds, shift, utc

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5s", 5 * SECOND), ("1.5h", 5400 * SECOND), ("250ms", SECOND // 4), ("3us", 3000), ("7ns", 7), ("2d", 172_800 * SECOND),
        ("0.000000001s", 1),
        ("2026-01-01T00:00:00Z", START), ("2026-01-01", START), ("2026-01-01T01:00:00+01:00", START),
        ("2026-01-01T00:00:00.25", START + SECOND // 4),
        ("5", None), ("s", None), ("-5s", None), ("soon", None), ("2026-13-01T00:00:00Z", None), ("", None), ("1234567890", None),
    ],
)  # fmt: skip
def test_spans_and_times(text: str, expected: int | None) -> None:
    assert nanoseconds(text) == expected


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    found = nanoseconds(text)
    assert found is None or isinstance(found, int)
    try:
        shift(text, START)
    except ValueError as error:
        assert "bad time" in str(error)


def test_events_follow_each_other_or_have_their_time() -> None:
    assert shift("+5s", START) == START + 5 * SECOND
    assert shift("2026-01-01T00:00:10Z", 0) == START + 10 * SECOND


@pytest.mark.parametrize("text", ["5s", "+2026-01-01", "+", "later", "1960-01-01", "9999-01-01"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        shift(text, START)
    assert str(caught.value).startswith(f'bad time (got "{text}"')


def test_clocks_on_the_wall_show_utc() -> None:
    assert utc(START + 3661 * SECOND, "%Y-%m-%d %H:%M:%S") == "2026-01-01 01:01:01"
