from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tiercel_program.chatter import LINES, LONGEST, WINDOW, Chatter


@given(st.lists(st.text("ab \x1b\u2028é", max_size=20), max_size=10), st.lists(st.integers(1, 7), max_size=60))
def test_pieces_do_not_matter(lines: list[str], sizes: list[int]) -> None:
    said: list[str] = []
    chatter = Chatter(said.append, (), lambda: 0.0)
    data = "\n".join(lines).encode()
    for size in sizes:
        chatter.take(data[:size])
        data = data[size:]
    chatter.take(data)
    chatter.flush()
    shown = ["".join(c if c.isprintable() else " " for c in line).strip() for line in lines]
    assert said == [line for line in shown if line]


def test_what_is_left_out_is_counted_and_said() -> None:
    said: list[str] = []
    now = [0.0]
    chatter = Chatter(said.append, (), lambda: now[0])
    chatter.take(b"x\n" * (LINES + 5))
    assert (len(said), chatter.left_out) == (LINES, 5)
    now[0] += WINDOW
    chatter.take(b"y\n")
    assert said[LINES:] == ["5 lines left out", "y"]


def test_lines_are_short_and_secrets_hidden() -> None:
    said: list[str] = []
    chatter = Chatter(said.append, ("hunter", "hunter2", "x"))
    chatter.take(b"is hunter2 x\n" + b"z" * 100_000)
    chatter.take(b"z" * 100_000 + b"\n")
    assert said == ["is *** x", "z" * LONGEST]
