"""Compiles a program with bcc, without kernel headers, loads it and puts it to work; the only module that imports bcc.

The first load creates the persistent parts (ring, dispatcher's program array, call table, control page, counters) and attaches the
dispatchers. A later one gets the descriptors of these, takes them in place of its own maps before its programs load, and
changes the slots of the program array: what is attached stays, nothing is delivered twice.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import sys
import sysconfig
from pathlib import Path
from typing import Any, Final

from generate import CONTROL, FILTER_BITS, HOOKS, KIND, LAYOUT, STAGES, KernelError, call_table, kernel_constants, keys, placed, program
from btf import VMLINUX, Btf
from plan import Plan

PERSISTENT: Final = ("events", "programs", "calls", "control", "counters")
"""Maps that survive a reload."""
PER_PLAN: Final = ("verdicts", "places", "networks", "filter")
"""Maps of one generation that the sensor writes."""
DISPATCHERS: Final = {"call": "sys_exit", "exec": "sched_process_exec", "fork": "sched_process_fork", "exit": "sched_process_exit"}
TRACING: Final = 26  # BPF_PROG_TYPE_TRACING, include/uapi/linux/bpf.h
DEBIAN_PACKAGES: Final = "/usr/lib/python3/dist-packages"  # where python3-bpfcc puts bcc; -S leaves it out of the path


def import_bcc() -> Any:
    """Debian's bcc.

    Raises:
        KernelError: it is not installed, or what is installed under its name is something else.
    """
    headers = Path(__file__).parent / "headers"
    os.environ["BCC_KERNEL_SOURCE"] = str(headers)
    if DEBIAN_PACKAGES not in sys.path:
        sys.path.append(DEBIAN_PACKAGES)
    try:
        import bcc
    except ImportError as e:
        raise KernelError(f"bcc: cannot be imported ({e}); install it with: apt-get install python3-bpfcc") from e
    if not hasattr(bcc, "BPF"):
        raise KernelError(f"bcc: {bcc.__file__} is not the eBPF compiler; install Debian's: apt-get install python3-bpfcc")
    return bcc


def _cflags() -> list[str]:
    multiarch = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
    include = Path("/usr/include")
    if not (include / "linux" / "bpf.h").exists():
        raise KernelError("/usr/include/linux/bpf.h: not found; install it with: apt-get install linux-libc-dev")
    return [f"-I{include}", f"-I{include / multiarch}", "-Wno-everything"]


def load(plan: Plan, inherited: dict[str, int]) -> tuple[dict[str, Any], dict[str, int]]:
    """Puts a plan into the kernel.

    Args:
        plan: a valid plan.
        inherited: descriptors of the `PERSISTENT` maps of an earlier load, or nothing.

    Returns:
        What the sensor must know, and the descriptors that keep it all alive, by name.

    Raises:
        KernelError: the host lacks something; the message says what and how to get it.
    """
    try:
        btf = Btf(VMLINUX.read_bytes())
    except OSError as e:
        raise KernelError(f"{VMLINUX}: {e.strerror}; the eBPF source needs a kernel built with CONFIG_DEBUG_INFO_BTF") from e
    constants, secret = kernel_constants(btf), keys()
    flags = _cflags()
    bcc = import_bcc()
    bpf = bcc.BPF(text=program(plan, constants, secret), cflags=flags)
    for name, fd in inherited.items():
        os.dup2(fd, bpf[name].map_fd)
    raw = bcc.BPF.RAW_TRACEPOINT
    stages = bpf["stages"]
    for stage, slot in STAGES.items():
        stages[ctypes.c_int(slot)] = ctypes.c_int(bpf.load_func(f"on_{stage}", raw).fd)
    calls, wanted = bpf["calls"], call_table(plan)
    for number in range(512):
        if number in wanted or inherited:
            calls[ctypes.c_uint(number)] = ctypes.c_ushort(wanted.get(number, 0))
    programs = bpf["programs"]
    for hook, slot in HOOKS.items():
        programs[ctypes.c_int(slot)] = ctypes.c_int(bpf.load_func(f"on_{hook}", raw).fd)
    if not inherited:
        bpf["control"][ctypes.c_int(CONTROL["ring_id"])] = ctypes.c_ulonglong(secrets.randbits(64))
    descriptors = {name: bpf[name].map_fd for name in (*PERSISTENT, *PER_PLAN)}
    descriptors |= {f"stages.{plan.generation}": bpf["stages"].map_fd}
    if not inherited:
        for hook, tracepoint in reversed(DISPATCHERS.items()):
            bpf.load_func(f"dispatch_{hook}", raw)
            bpf.attach_raw_tracepoint(tp=tracepoint, fn_name=f"dispatch_{hook}")
        descriptors |= {f"attached.{tp.decode()}": fd for tp, fd in bpf.raw_tracepoint_fds.items()}
    lib = bcc.lib
    lib.bcc_iter_attach.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint]
    link = lib.bcc_iter_attach(bpf.load_func("bpf_iter__task", TRACING).fd, None, 0)
    if link < 0:
        raise KernelError("bpf_iter/task: cannot be attached; the eBPF source needs Linux 5.8 or later")
    descriptors["tasks"] = link
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
