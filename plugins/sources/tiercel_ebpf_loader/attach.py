"""Puts a plan to work in the kernel.

The first load creates the persistent parts (ring, dispatchers' program array, call table, control page, counters) and attaches the
dispatchers. A later one takes these over in place of maps of its own, and changes the slots of the program array: what is attached
stays, nothing is delivered twice.
"""

from __future__ import annotations

import secrets
import struct
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


def load(plan: Plan, inherited: dict[str, int]) -> tuple[dict[str, Any], dict[str, int]]:
    """Puts a plan into the kernel.

    Args:
        plan: a valid plan.
        inherited: descriptors of the `PERSISTENT` maps of an earlier load, or nothing.

    Returns:
        What the sensor must know, and the descriptors that keep it all alive, by name.

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


def _put(plan: Plan, compiled: objects.Objects, inherited: dict[str, int], btf: Btf) -> tuple[dict[str, Any], dict[str, int]]:
    loaded = objects.Loaded(compiled, inherited)
    secret = keys()
    loaded.set("settings", 0, struct.pack(f"<{len(SECRETS)}Q", *(secret[name] for name in SECRETS)) + struct.pack("<Q", plan.generation))
    for stage, slot in STAGES.items():
        loaded.set("stages", slot, struct.pack("<i", loaded.program(f"on_{stage}")))
    wanted = call_table(plan)
    for number in range(512) if inherited else wanted:
        loaded.set("calls", number, struct.pack("<H", wanted.get(number, 0)))
    for hook, slot in HOOKS.items():
        loaded.set("programs", slot, struct.pack("<i", loaded.program(f"on_{hook}")))
    descriptors = {name: loaded.maps[name] for name in (*PERSISTENT, *PER_PLAN)}
    descriptors[f"stages.{plan.generation}"] = loaded.maps["stages"]
    if not inherited:
        loaded.set("control", CONTROL["ring_id"], struct.pack("<Q", secrets.randbits(64)))
        for hook, tracepoint in reversed(DISPATCHERS.items()):
            descriptors[f"attached.{tracepoint}"] = kernel.open_raw_tracepoint(tracepoint, loaded.program(f"dispatch_{hook}"))
    descriptors["tasks"] = kernel.link_iterator(loaded.program(ITERATOR, iterator_btf_id=btf.function("bpf_iter_task")))
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
    return answer, descriptors
