"""Writes the C of a plan: constants and formulas from typed values, ahead of the fixed program text in ``program/``.

No text of the plan ever gets into the C: names select entries of tables here, and numbers are printed as numbers.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from btf import Btf
from plan import COLLECT, COMPARISONS, GUARDS, KINDS, PLACE_KINDS, SCALARS, Formula, Judged, Plan, Scalar

KIND: Final = {name: number for number, name in enumerate(KINDS, 1)} | {"task": 30, "socketcall": 31}
HOOKS: Final = {"call": 0, "exec": 1, "fork": 2, "exit": 3}
STAGES: Final = {"report": 0, "other_call": 1, "opened": 2}
OPENS: Final = ("open", "openat", "openat2", "creat")
CONTROL: Final = {"armed": 0, "ring_id": 16}  # a cache line apart
LAYOUT: Final = 1
"""Version of the record layout in ``program/base.h``; the sensor refuses another."""

X86_64: Final = {  # arch/x86/entry/syscalls/syscall_64.tbl
    "open": 2, "openat": 257, "openat2": 437, "creat": 85, "connect": 42, "dup": 32, "dup2": 33, "dup3": 292, "fcntl": 72,
    "execve": 59, "execveat": 322,
}  # fmt: skip
I386: Final = {  # arch/x86/entry/syscalls/syscall_32.tbl
    "open": 5, "openat": 295, "openat2": 437, "creat": 8, "connect": 362, "dup": 41, "dup2": 63, "dup3": 330, "execve": 11,
    "execveat": 358, "socketcall": 102, "fcntl": 55, "fcntl64": 221,
}  # fmt: skip

MEMBERS: Final[dict[str, str]] = {
    "task_struct": "pid tgid group_leader real_parent self_exec_id start_boottime cred loginuid signal mm files fs thread_pid flags comm "
    "cgroups thread_info stack exit_code in_execve",
    "thread_info": "status",
    "signal_struct": "pids tty live",
    "pid": "level numbers",
    "upid": "nr",
    "tty_struct": "driver index",
    "tty_driver": "major minor_start",
    "cred": "euid egid",
    "css_set": "dfl_cgrp subsys",
    "cgroup_subsys_state": "cgroup",
    "cgroup": "kn",
    "kernfs_node": "name __parent parent id",
    "file": "f_path f_flags f_inode private_data",
    "path": "mnt dentry",
    "inode": "i_mode i_nlink",
    "super_block": "s_dev s_root",
    "fs_struct": "pwd",
    "files_struct": "fdt",
    "fdtable": "fd max_fds",
    "socket": "sk",
    "sock": "sk_protocol",
    "sock_common": "skc_family skc_daddr skc_rcv_saddr skc_dport skc_num skc_v6_daddr skc_v6_rcv_saddr",
    "mm_struct": "exe_file arg_start arg_end",
    "linux_binprm": "fdpath",
    "dentry": "d_parent d_name d_seq",
    "mount": "mnt mnt_parent mnt_mountpoint",
    "vfsmount": "mnt_root mnt_sb",
}
"""What the program reads of kernel structures."""

FILTER_BITS: Final = 15
"""Size of the filter before the place map: 2 ** 15 bits, 4 KiB."""
CHUNKS: Final = {
    "DENTRY": {"dentry__d_seq": 4, "dentry__d_parent": 8, "dentry__d_name": 16},
    "FILE": {"file__f_flags": 4, "file__f_inode": 8, "file__f_path": 16},
}
"""Members (and their sizes) that the program reads together; they must lie within 64 bytes."""

PROGRAM: Final = ("base.h", "walk.h", "task.h", "judge.h", "place.h", "calls.h", "report.h", "open.h", "sockets.h", "hooks.h", "tasks.h")


class KernelError(Exception):
    """The running kernel lacks something that the program needs."""


def kernel_constants(btf: Btf) -> dict[str, int]:
    """Offsets, sizes and enumerators of the running kernel, by the names that the program uses."""
    wanted = {s: set(m.split()) for s, m in MEMBERS.items()}
    found = btf.structures(wanted)
    enums = btf.enumerators({"PIDTYPE_SID", "pids_cgrp_id", "memory_cgrp_id"})
    out: dict[str, int] = {}
    for structure, members in wanted.items():
        for member in members:
            if (structure, member) not in found:
                continue
            bit, bits = found[structure, member]
            if bits:
                out[f"{member}__byte"], out[f"{member}__mask"] = bit // 8, ((1 << bits) - 1) << (bit % 8)
            else:
                out[f"{structure}__{member}"] = bit // 8
    out["kernfs_node__parent"] = out.pop("kernfs_node____parent", out.get("kernfs_node__parent", -1))  # renamed in 6.15
    out.setdefault("in_execve__byte", 0)
    out.setdefault("in_execve__mask", 0)
    out["SIZE_upid"] = found["upid", ""][0]
    out["PIDTYPE_SID"] = enums.get("PIDTYPE_SID", 3)
    group = enums.get("pids_cgrp_id", enums.get("memory_cgrp_id"))
    missing = sorted(
        f"{s}.{m}" for s, ms in wanted.items() for m in ms
        if (s, m) not in found and (s, m) not in {("kernfs_node", "__parent"), ("kernfs_node", "parent"), ("task_struct", "in_execve")}
    )  # fmt: skip
    if missing or out["kernfs_node__parent"] < 0 or group is None:
        what = ", ".join(missing) or "the control groups"
        raise KernelError(f"this kernel's BTF does not describe {what}; the eBPF source needs Linux 5.19 or later with CONFIG_CGROUPS")
    near = {"path__dentry": "path__mnt", "vfsmount__mnt_sb": "vfsmount__mnt_root", "mount__mnt_mountpoint": "mount__mnt_parent",
            "mount__mnt": "mount__mnt_mountpoint"}  # fmt: skip
    apart = [f"{a}, {b}" for a, b in near.items() if out[a] - out[b] != 8]  # what the program reads in one go
    for name, parts in CHUNKS.items():
        first, end = min(out[p] for p in parts), max(out[p] + size for p, size in parts.items())
        out[f"{name}_FROM"], out[f"{name}_SIZE"] = first, end - first
        apart += [f"{', '.join(parts)}"] if end - first > 64 else []
    if apart:
        raise KernelError(f"members that lie side by side elsewhere do not on this kernel ({'; '.join(apart)}); please report its version")
    out["CGROUP_SUBSYS"] = group
    out["THREAD_SIZE"], out["TOP_OF_STACK_PADDING"] = 16384, 0  # x86-64, arch/x86/include/asm/page_64_types.h without KASAN
    return out


FREE: Final = ("result", "fd")
"""Scalars that cost no load: looked at before the others."""


def _number(value: int) -> str:
    """C of a number; the smallest has no literal of its own: 9223372036854775808 would be unsigned, and compare so."""
    return f"{value}LL" if value > -(1 << 63) else f"({value + 1}LL - 1)"


def _leaf(atom: Scalar, *, negated: bool) -> str:
    index = SCALARS.index(atom.scalar)
    value, state = (f"c->{atom.scalar}", "1") if atom.scalar in FREE else (f"c->v[{index}]", f"c->st[{index}]")
    test = " || ".join(f"{value} {COMPARISONS[atom.op]} {_number(v)}" for v in atom.values) or "0"
    return f"{'MAY_NOT' if negated else 'MAY'}({state}, ({test}))"


def _scalar_formula(formula: Formula, atoms: tuple[Scalar, ...], only: tuple[str, ...]) -> str:
    """C of a formula in which the scalars that are not in `only` may be anything."""
    if formula.kind in ("true", "false"):
        return "1" if formula.kind == "true" else "0"
    if formula.kind in ("atom", "not"):
        atom = atoms[formula.atom]
        return _leaf(atom, negated=formula.kind == "not") if atom.scalar in only else "1"
    parts = [_scalar_formula(p, atoms, only) for p in formula.parts]
    if formula.kind == "and":
        parts = [p for p in parts if p != "1"]
        return "(" + " && ".join(parts) + ")" if parts else "1"
    return "1" if "1" in parts else "(" + " || ".join(parts) + ")"


def _scalar_masks(name: str, judged: Iterable[Judged], known: tuple[str, ...]) -> str:
    """The mask of scalars for some kinds, those that are not in `known` being anything. Each is computed once, into the call's scratch."""
    lines = [f"static __always_inline u64 {name}(struct call *c, u32 kind)", "{", "  u64 m = 0;"]
    alike: dict[tuple[tuple[Scalar, ...], tuple[Formula, ...]], list[int]] = {}
    for j in judged:
        alike.setdefault((j.atoms, j.scalars), []).append(KIND[j.kind])
    for (atoms, formulas_), kinds in alike.items():
        used = [s for s in known if s not in FREE and any(a.scalar == s for a in atoms)]
        bits = _bits([_scalar_formula(f, atoms, known) for f in formulas_], "    ")
        lines.append("  if (" + " || ".join(f"kind == {k}" for k in kinds) + ") {")
        lines += [f"    c->st[{i}] = scalar_{s}(c, &c->v[{i}]);" for s in used for i in (SCALARS.index(s),)]
        lines += [*bits, "    return m;", "  }"]
    return "\n".join([*lines, "  return ALL_ONES;", "}"])


def _place_formula(formula: Formula) -> str:
    if formula.kind in ("true", "false"):
        return "1" if formula.kind == "true" else "0"
    if formula.kind == "atom":
        return f"(maybe & {1 << formula.atom:#x}ULL)"
    if formula.kind == "not":
        return f"!(sure & {1 << formula.atom:#x}ULL)"
    sign = " && " if formula.kind == "and" else " || "
    return "(" + sign.join(_place_formula(p) for p in formula.parts) + ")"


def _bits(expressions: list[str], indent: str) -> list[str]:
    """Statements that set in m the bits whose expression holds; equal expressions are evaluated once."""
    bits: dict[str, int] = {}
    for bit, expression in enumerate(expressions):
        bits[expression] = bits.get(expression, 0) | 1 << bit
    return [f"{indent}if ({e}) m |= {b:#x}ULL;" if e != "1" else f"{indent}m |= {b:#x}ULL;" for e, b in bits.items() if e != "0"]


def _place_masks(with_places: list[Judged]) -> str:
    """The mask of places for each kind that has any."""
    lines = ["static __always_inline u64 places_of(u32 type, u64 maybe, u64 sure)", "{", "  u64 m = 0;"]
    alike: dict[tuple[Formula, ...], list[int]] = {}
    for number, j in enumerate(with_places):
        alike.setdefault(j.places, []).append(number)
    for formulas_, types in alike.items():
        lines.append("  if (" + " || ".join(f"type == {t}" for t in types) + ") {")
        lines += [*_bits([_place_formula(f) for f in formulas_], "    "), "    return m;", "  }"]
    return "\n".join([*lines, "  return ALL_ONES;", "}"])


def _numbers(name: str, values: dict[int, int], default: int) -> str:
    lines = [f"static __always_inline {'u64' if default < 0 else 'u32'} {name}(u32 kind)", "{"]
    lines += [f"  if (kind == {kind}) return {value:#x}ULL;" for kind, value in values.items()]
    return "\n".join([*lines, f"  return {'~0ULL' if default < 0 else default};", "}"])


def placed(plan: Plan) -> list[Judged]:
    """The kinds whose places are judged, in the order of their bits in the place maps."""
    return [j for j in plan.judged if any(f.kind != "true" for f in j.places)]


def formulas(plan: Plan) -> str:
    """The C functions that a plan's formulas become."""
    with_places = placed(plan)
    index = {j.kind: i for i, j in enumerate(with_places)}
    parts = [
        _numbers("slot_of", {KIND[j.kind]: i for i, j in enumerate(plan.judged)}, 255),
        _numbers("place_type", {KIND[j.kind]: index[j.kind] for j in with_places}, 255),
        _numbers("classes", {KIND[j.kind]: (1 << j.classes) - 1 for j in plan.judged}, -1),
        _scalar_masks("scalars_free", plan.judged, FREE),
        _scalar_masks("scalars_open", [j for j in plan.judged if j.kind in OPENS], SCALARS),
        _scalar_masks("scalars_socket", [j for j in plan.judged if j.kind not in OPENS], SCALARS),
        _place_masks(with_places),
    ]
    return "\n".join(parts) + "\n"


SECRETS: Final = ("HASH_SEED", "HASH_FACTOR", "VK_TGID", "VK_START", "VK_EXEC", "VK_GENERATION", "VK_GUARD", "VK_MASK")
"""Members of the program's settings, in their order; the plan's generation follows."""


def keys() -> dict[str, int]:
    """Fresh secrets: hashes of places cannot be forged without them, nor can a torn verdict pass by luck."""
    return {name: secrets.randbits(61) | 1 for name in SECRETS}


def program(plan: Plan, constants: dict[str, int]) -> str:
    """The complete C text for a valid plan. Plans that differ in secrets, generation and sizes of maps only have the same one."""
    slots = max(1, len(plan.judged))
    defines = {f"KIND_{name.upper()}": number for name, number in KIND.items()}
    defines |= {f"HOOK_{name.upper()}": number for name, number in HOOKS.items()}
    defines |= {f"STAGE_{name.upper()}": number for name, number in STAGES.items()}
    defines |= {f"CONTROL_{name.upper()}": number for name, number in CONTROL.items()}
    defines |= {f"WANT_{name.upper()}": int(name in plan.collect) for name in COLLECT}
    defines |= {f"GUARD_{name.upper()}": int(name in plan.guards) for name in GUARDS}
    defines |= {f"PLACE_BY_{name.upper()}": int(name in plan.place_kinds) for name in PLACE_KINDS}
    defines |= {
        "REPORT_THREADS": int("threads" in plan.collect),
        "REPORT_FAILED_EXEC": int("failed_exec" in plan.collect),
        "OPEN_MODE": int(any(a.scalar == "fd_type" for j in plan.judged if j.kind in OPENS for a in j.atoms)),
        "SCALARS": len(SCALARS),
        "FILTER_BITS": FILTER_BITS,
        "FILTER_WORDS": 1 << (FILTER_BITS - 6),
        "RING_PAGES": plan.ring_bytes // 4096,
        "KINDS": 32,
        "SLOTS": slots,
        "PLACE_TYPES": len(placed(plan)),
        "PLACE_ROWS": max(1, len(placed(plan))),
        "EXEC_ID_MASK": 0xFFFFFFFF,
    }
    text = [f"#define {name} {value}" for name, value in sorted((constants | defines).items())]
    folder = Path(__file__).parent / "program"
    for name in PROGRAM:
        text.append((folder / name).read_text())
        if name == "calls.h":
            text.append(formulas(plan))
    return "\n".join(text)


def call_table(plan: Plan) -> dict[int, int]:
    """Call number -> kind (x86-64) | kind (i386) << 8, for the kinds that end in a system call's result."""
    wanted = {k for k in plan.kinds if k in X86_64}
    if "failed_exec" not in plan.collect:
        wanted -= {"execve", "execveat"}
    table: dict[int, int] = {}
    for kind in wanted:
        table[X86_64[kind]] = table.get(X86_64[kind], 0) | KIND[kind]
        table[I386[kind]] = table.get(I386[kind], 0) | KIND[kind] << 8
    if "fcntl" in wanted:  # i386 has a second call for it, which libraries use
        table[I386["fcntl64"]] = table.get(I386["fcntl64"], 0) | KIND["fcntl"] << 8
    if "connect" in wanted:
        number = I386["socketcall"]
        table[number] = table.get(number, 0) | KIND["socketcall"] << 8
    return table
