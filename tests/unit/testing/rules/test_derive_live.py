"""What tests derive is what the live decoder says: each derived fact is held against records as the kernel writes them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.unit.tiercel_ebpf.made import Kernel, decode, decoder, image
from tests.unit.tiercel_ebpf.test_fields import BY_NAME, events, value
from tiercel.fields import Unknown
from tiercel.testing.rules.derive import TABLE, derive
from tiercel_ebpf.event import SyscallEvent

NAMES = tuple(dict.fromkeys(name for row in TABLE for name in (row.name, *row.inputs) if name.partition("[")[0] in BY_NAME))
"""All facts of the table that the decoder has."""
OWN_WAY = {"fd.type", "fd.typechar", "fd.sockfamily"}
"""An IPv4 address on an IPv6 socket tells nothing of the socket."""
STATED_ONLY = {"proc.args", "proc.cmdline", "proc.name"}
"""These follow from each other, and a process without a word of arguments has none."""


def is_known(fact: Any) -> bool:
    return all(isinstance(each, Unknown) is False and each is not None for each in (fact if isinstance(fact, tuple) else (fact,)))


def live(event: SyscallEvent) -> dict[str, Any]:
    """Everything that the decoder knows."""
    found = {}
    for name in NAMES:
        stem, bracket, argument = name.partition("[")
        found[name] = value(BY_NAME[stem], event, argument[:-1] if bracket else None)
    return found


def of_all_events() -> list[dict[str, Any]]:
    kernel = Kernel(image("task", pid=1, ppid=0, start=1, comm="init"), image("task", comm="bash", args=b"bash\0-l"))
    return decode(decoder(kernel), *events(), read=live)


def test_what_follows_is_what_the_decoder_says() -> None:
    checked: Counter[str] = Counter()
    for facts in of_all_events():
        known = {name: each for name, each in facts.items() if is_known(each)}
        for name, expected in known.items():
            if name in OWN_WAY | STATED_ONLY:
                continue
            found = derive({key: each for key, each in known.items() if key != name}, "syscall", time=0).get(name)
            if found is not None:
                checked[name] += 1
                assert found == expected, (name, known)
    assert len(checked) >= 30
    assert checked["evt.res"] >= 50


def test_nothing_is_invented() -> None:
    invented: Counter[str] = Counter()
    for facts in of_all_events():
        known = {name: each for name, each in facts.items() if is_known(each)}
        found = derive(known, "syscall", time=0)
        missing = [name for name, each in facts.items() if each is None and not BY_NAME[name.partition("[")[0]].absent]
        invented.update(name for name in missing if found.get(name) is not None)
    assert invented == {}
