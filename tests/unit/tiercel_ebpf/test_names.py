"""Names of event types that rules may use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tiercel_ebpf.names import EVENT_NAMES, SYSCALLS
from tiercel_ebpf.source import EbpfSource

HEADERS = Path("/usr/include/x86_64-linux-gnu/asm")
NO_CALLS = {"syscalls"}
"""What looks like a call in a header: __NR_syscalls, their number."""


@pytest.mark.parametrize("header", ["unistd_64.h", "unistd_32.h"])
def test_every_call_of_the_headers(header: str) -> None:
    """The package linux-libc-dev is needed to run, so it is here."""
    calls = set(re.findall(r"^#define __NR_(\w+)", (HEADERS / header).read_text(), re.MULTILINE))
    assert len(calls) > 300
    assert calls - NO_CALLS <= SYSCALLS


def test_what_the_source_produces_is_not_among_what_it_does_not() -> None:
    abilities = EbpfSource.abilities()
    assert abilities.event_types is not None
    assert abilities.event_types <= EVENT_NAMES
    assert abilities.named_types == EVENT_NAMES - abilities.event_types
