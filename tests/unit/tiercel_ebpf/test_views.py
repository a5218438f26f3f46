"""Names of opens are remembered by the strings of the record, and never taken for those of another."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tiercel_ebpf.made import Kernel, decode, decoder, image, opened
from tiercel_ebpf import paths
from tiercel_ebpf import records as r
from tiercel_ebpf.event import SyscallEvent

TEXTS = st.sampled_from((None, "", "/a", "/b", "b", "../a", "/a\udcff"))
FLAGS = st.sampled_from((0, 0, 0, r.F_SAME, r.F_TEXT, r.F_CUT, r.F_CUT_BASE, r.F_CUT_ORIGIN, r.F_CUT | r.F_CUT_BASE))


@st.composite
def opens(draw: st.DrawFn) -> bytes:
    """An open whose names differ, or not, from those of others in one thing."""
    real, text, base, origin = (draw(TEXTS) for _ in range(4))
    return opened(
        real=real,
        text=text,
        base=base,
        origin=draw(st.sampled_from((None, None, origin))),
        flags=draw(FLAGS),
        device=draw(st.integers(0, 1)),
    )


def seen(event: SyscallEvent) -> Any:
    shown = []
    for view in range(event.views):
        event.select(view)
        shown.append(event.name)
    event.select(0)
    return shown, event.nameraw, event.realpath, event.views, event.pending


@given(st.lists(opens(), min_size=1, max_size=6))
def test_what_is_remembered_is_what_would_be_read(records: list[bytes]) -> None:
    alone = [decode(decoder(Kernel(image("task"))), record, read=seen)[0] for record in records]
    together = decode(decoder(Kernel(image("task"))), *records * 2, read=seen)
    assert together == alone * 2


def test_names_are_remembered_up_to_a_bound() -> None:
    made = decoder(Kernel(image("task")))
    decode(made, *(opened(real=f"/r{number}", text=f"/t{number}") for number in range(paths.MAX_NAMED + 10)), read=seen)
    assert 0 < len(made._views._named) <= paths.MAX_NAMED
