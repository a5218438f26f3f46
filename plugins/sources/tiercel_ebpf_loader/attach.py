"""Puts a plan to work in the kernel.

The first load creates the persistent parts (ring, dispatchers' program array, call table, control page, counters) and attaches the
dispatchers. A later one takes these over in place of maps of its own, and changes the slots of the program array: what is attached
stays, nothing is delivered twice. Between loading and that change the sensor fills the new maps.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

import kernel
import objects
from btf import VMLINUX, Btf
from generate import (
    CONTROL,
    FILTER_BITS,
    HOOKS,
    KIND,
    LAYOUT,
    SECRETS,
    STAGES,
    KernelError,
    call_table,
    kernel_constants,
    keys,
    placed,
    program,
)  # fmt: skip
from plan import Plan

PERSISTENT: Final = ("events", "programs", "calls", "control", "counters")
"""Maps that survive a reload."""
PER_PLAN: Final = ("verdicts", "places", "networks", "filter", "settings")
"""Maps of one generation that the sensor writes."""
DISPATCHERS: Final = {"call": "sys_exit", "exec": "sched_process_exec", "fork": "sched_process_fork", "exit": "sched_process_exit"}
ITERATOR: Final = "bpf_iter__task"
PROGRAMS: Final = (
    *(f"on_{stage}" for stage in STAGES), *(f"on_{hook}" for hook in HOOKS), *(f"dispatch_{hook}" for hook in DISPATCHERS), ITERATOR,
)  # fmt: skip


CALLS: Final = 512
"""Numbers of system calls in the table."""

Answer = dict[str, Any]
Descriptors = dict[str, int]


def load(plan: Plan, inherited: Descriptors) -> tuple[Answer, Descriptors, Callable[[], Descriptors]]:
    """Puts a plan into the kernel, beside the one in force.

    Args:
        plan: a valid plan.
        inherited: descriptors of the `PERSISTENT` maps of an earlier load, or nothing.

    Returns:
        What the sensor must know, the descriptors that keep it all alive, by name, and a function that puts it in force and returns
        further descriptors. Until then nothing calls the new programs, and their maps can be filled.

    Raises:
        KernelError: the kernel lacks something; the message says what.
        objects.CompileError: bcc is missing or refuses.
        kernel.BpfError: the kernel refuses a map or a program.
    """
    try:
        btf = Btf(VMLINUX.read_bytes())
    except OSError as e:
        raise KernelError(f"{VMLINUX}: {e.strerror}; the eBPF source needs a kernel built with CONFIG_DEBUG_INFO_BTF") from e
    text = program(plan, kernel_constants(btf))
    try:
        return _put(plan, objects.get(text, PROGRAMS), inherited, btf)
    except kernel.BpfError:
        objects.forget(text)
        raise


def _put(plan: Plan, compiled: objects.Objects, inherited: Descriptors, btf: Btf) -> tuple[Answer, Descriptors, Callable[[], Descriptors]]:
    sizes = {"verdicts": plan.max_verdicts, "places": plan.max_places, "networks": plan.max_networks}
    loaded = objects.Loaded(compiled, inherited, sizes=sizes)
    secret = keys()
    loaded.set("settings", 0, struct.pack(f"<{len(SECRETS)}Q", *(secret[name] for name in SECRETS)) + struct.pack("<Q", plan.generation))
    for stage, slot in STAGES.items():
        loaded.set("stages", slot, struct.pack("<i", loaded.program(f"on_{stage}")))
    hooks = {slot: loaded.program(f"on_{hook}") for hook, slot in HOOKS.items()}
    dispatchers = {} if inherited else {point: loaded.program(f"dispatch_{hook}") for hook, point in reversed(DISPATCHERS.items())}
    descriptors = {name: loaded.maps[name] for name in (*PERSISTENT, *PER_PLAN)}
    descriptors[f"stages.{plan.generation}"] = loaded.maps["stages"]
    descriptors["tasks"] = kernel.link_iterator(loaded.program(ITERATOR, iterator_btf_id=btf.function("bpf_iter_task")))
    if not inherited:
        loaded.set("control", CONTROL["ring_id"], struct.pack("<Q", secrets.randbits(64)))

    def put_in_force() -> Descriptors:
        switch(loaded.maps, call_table(plan), hooks)
        return {f"attached.{point}": kernel.open_raw_tracepoint(point, fd) for point, fd in dispatchers.items()}

    answer = {
        "layout": LAYOUT,
        "persistent": PERSISTENT,
        "generation": plan.generation,
        "kinds": KIND,
        "keys": secret,
        "control": CONTROL,
        "ring_bytes": plan.ring_bytes,
        "filter_bits": FILTER_BITS,
        "place_rows": max(1, len(placed(plan))),
        "placed": [j.kind for j in placed(plan)],
    }
    return answer, descriptors, put_in_force


def switch(maps: Mapping[str, int], wanted: Mapping[int, int], hooks: Mapping[int, int]) -> None:
    """Puts programs in force.

    A call must never be missing in the table while a program in force wants it: first the table gets what the new program wants
    beside what it has, then each hook's slot is changed, then what nobody wants any more leaves the table.

    Args:
        maps: has ``calls`` and ``programs``.
        wanted: the new table (`generate.call_table`).
        hooks: slot of ``programs`` -> descriptor of a program.
    """
    before = {number: struct.unpack("<H", kernel.lookup(maps["calls"], _index(number), 2))[0] for number in range(CALLS)}
    both = {number: _either(kinds, before[number]) for number, kinds in wanted.items()}
    for number, kinds in both.items():
        kernel.update(maps["calls"], _index(number), struct.pack("<H", kinds))
    for slot, fd in hooks.items():
        kernel.update(maps["programs"], _index(slot), struct.pack("<i", fd))
    for number, kinds in (before | both).items():
        if kinds != wanted.get(number, 0):
            kernel.update(maps["calls"], _index(number), struct.pack("<H", wanted.get(number, 0)))


def _either(kinds: int, others: int) -> int:
    """An entry of the call table with what either has of each of its two halves; where both have one it is the same."""
    return (kinds & 0xFF or others & 0xFF) | (kinds & 0xFF00 or others & 0xFF00)


def _index(number: int) -> bytes:
    return number.to_bytes(4, "little")
