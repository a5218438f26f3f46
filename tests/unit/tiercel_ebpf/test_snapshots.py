"""A snapshot shows the present, records the past: what a process has become must not hide what it was when they were written."""

from __future__ import annotations

from typing import Any

from tests.unit.tiercel_ebpf.made import SECOND, Kernel, decode, decoder, image, opened, record
from tiercel import PENDING
from tiercel_ebpf.event import SyscallEvent

NOW = 200 * SECOND


def who(event: SyscallEvent) -> tuple[str, Any]:
    """Whom an event belongs to. An unknown user makes the decoder take a snapshot."""
    event.decoder.accounts.user(event.uid)
    return event.type, event.image.name


def test_events_before_an_exec_keep_their_image() -> None:
    kernel = Kernel(image("task", comm="bash"))
    made = decoder(kernel)
    kernel.rows = [image("task", comm="sh", exec_id=2, time=NOW)]
    events = decode(made, opened(uid=1), opened(uid=2), image(comm="sh", exec_id=2), opened(exec_id=2), read=who)
    assert kernel.taken == 2
    assert events == [("openat", "bash"), ("openat", "bash"), ("execve", "sh"), ("openat", "sh")]
    assert made.counters()["unknown"] == 0


def test_an_exec_without_a_record() -> None:
    kernel = Kernel(image("task", comm="bash"))
    made = decoder(kernel)
    kernel.rows = [image("task", comm="sh", exec_id=2, time=NOW)]
    assert decode(made, opened(uid=1), opened(exec_id=2), read=who) == [("openat", "bash"), ("openat", "sh")]
    assert made.counters()["repaired"] == 1


def test_a_parent_whose_exec_was_lost() -> None:
    kernel = Kernel(image("task", comm="bash"), image("task", comm="cat", pid=11, ppid=10, start=6))
    made = decoder(kernel)
    kernel.rows = [image("task", comm="sh", exec_id=2, time=NOW), kernel.rows[1]]

    def parent(event: SyscallEvent) -> Any:
        event.decoder.accounts.user(event.uid)
        image = event.parent_image()
        return image if image is PENDING else image.name

    before = opened(tgid=11, ppid=10, start=6, uid=1)
    after = opened(tgid=11, ppid=10, start=6, time=NOW + 1)
    assert decode(made, before, before, read=parent) == ["bash", "bash"]
    assert decode(made, after, read=parent) == ["sh"]


def test_what_ended_meanwhile_does_not_come_back() -> None:
    kernel = Kernel(image("task", comm="bash"))
    made = decoder(kernel)
    kernel.rows = [image("task", comm="sh", exec_id=2, time=NOW)]
    decode(made, opened(uid=1), record("procexit", exec_id=2), record("procexit", tgid=12, tid=12, start=9, time=NOW + 1), read=who)
    assert made.table.get(10) is None
