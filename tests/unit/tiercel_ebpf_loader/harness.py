"""The program's own C, compiled for this process: bcc's maps and the kernel's helpers are replaced by memory of the test."""

from __future__ import annotations

import ctypes
import itertools
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import generate
from plan import SCALARS, Plan
from tests.conftest import lacking

SECRET: Final = {
    "HASH_SEED": 0x1234567890ABCDE1, "HASH_FACTOR": 0x10000000001B3, "VK_TGID": 0x1FEDCBA987654321, "VK_START": 0x1111222233334445,
    "VK_EXEC": 0x0F0F0F0F0F0F0F0F, "VK_GENERATION": 0x1234123412341235, "VK_GUARD": 0x1777777777777777, "VK_MASK": 0x0ABCDEF987654321,
}  # fmt: skip

_SHIM: Final = """
#include <string.h>
#include <stddef.h>
typedef unsigned long long u64; typedef unsigned u32; typedef unsigned short u16; typedef unsigned char u8;
typedef long long s64; typedef int s32;
#define __always_inline inline __attribute__((always_inline))
struct bpf_raw_tracepoint_args { u64 args[4]; };
#define BPF_TABLE(kind, K, V, name, n) \\
  static struct { V *(*lookup)(const void *); void (*call)(void *, int); int (*update)(void *, void *); } name;
#define BPF_F_TABLE(kind, K, V, name, n, f) BPF_TABLE(kind, K, V, name, n)
#define BPF_ARRAY(name, V, n) BPF_TABLE("array", u32, V, name, n)
#define BPF_PERCPU_ARRAY(name, V, n) BPF_TABLE("array", u32, V, name, n)
#define BPF_RINGBUF_OUTPUT(name, pages) static struct { int (*ringbuf_output)(void *, u64, u64); } name;
static u64 test_tgid, test_task;
static int bpf_probe_read_kernel(void *to, u32 n, const void *from) { memcpy(to, from, n); return 0; }
static u64 bpf_ktime_get_boot_ns(void) { return 0; }
static u64 bpf_get_current_pid_tgid(void) { return test_tgid << 32; }
static u64 bpf_get_current_task(void) { return test_task; }
static u8 *bpf_get_current_task_btf(void) { return (u8 *)test_task; }
"""

_TEST: Final = """
#define MAX 4096
static struct settings test_settings; static struct place_filter test_filter;
static struct settings *find_settings(const void *key) { return &test_settings; }
static struct place_filter *find_filter(const void *key) { return &test_filter; }
void test_settle(const u8 *value) { memcpy(&test_settings, value, sizeof(test_settings)); }
void test_set_filter(const u8 *value) { memcpy(&test_filter, value, sizeof(test_filter)); }
u32 test_filter_size(void) { return sizeof(test_filter); }
u32 test_settings_size(void) { return sizeof(test_settings); }
static struct place test_places[MAX]; static struct place_key test_place_keys[MAX]; static u32 test_place_count;
static struct place *find_place(const void *key) {
  for (u32 i = 0; i < test_place_count; i++) if (!memcmp(&test_place_keys[i], key, 16)) return &test_places[i];
  return 0;
}
void test_forget(void) { test_place_count = 0; }
void test_add_place(const u8 *key, const u8 *value) {
  memcpy(&test_place_keys[test_place_count], key, 16); memcpy(&test_places[test_place_count++], value, sizeof(struct place));
}
u32 test_place_size(void) { return sizeof(struct place); }
u32 test_net_size(void) { return sizeof(struct net); }
u32 test_net_key_size(void) { return sizeof(struct net_key); }
u32 test_record_size(void) { return sizeof(struct record); }
u32 test_record_at(void) { return offsetof(struct record, at); }
u32 test_record_a1(void) { return offsetof(struct record, a[1]); }
u32 test_verdict_size(void) { return sizeof(struct verdict); }
u64 test_hash(const u8 *text, u32 n) {
  static struct paths s; settings.lookup = find_settings; filter.lookup = find_filter; places.lookup = find_place;
  memcpy(s.walk, text, n); place_path(&s, 1, 0, 0, n); return s.hash.all;
}
int test_place_path(const u8 *path, u32 n, u32 set, u32 type, u64 *maybe, u64 *sure) {
  static struct paths s;
  u32 pos = PATH_END - n;
  settings.lookup = find_settings; filter.lookup = find_filter; places.lookup = find_place;
  memset(s.walk, 0xa5, sizeof(s.walk));
  memcpy(&s.walk[pos], path, n);
  int known = place_path(&s, set, type, pos, n);
  *maybe = s.h.maybe; *sure = s.h.sure;
  return known;
}
static struct verdict test_verdict;
static struct verdict *find_verdict(const void *key) { return *(u32 *)key == test_tgid ? &test_verdict : 0; }
u64 test_judged(const u8 *verdict, u32 tgid, u64 task, u32 slot, int *unjudged) {
  static struct paths s;
  settings.lookup = find_settings; verdicts.lookup = find_verdict; test_tgid = tgid;
  memcpy(&test_verdict, verdict, sizeof(test_verdict));
  test_task = task;
  s.judged_tgid = 0; s.o.generation = test_settings.generation; return judged(&s, slot, unjudged);
}
"""

_FORMULAS: Final = """
struct call { s64 result, fd, v[7]; u32 st[7]; };
#define ALL_ONES (~0ULL)
static s64 *test_v; static int *test_st;
"""

_EXPORTS: Final = """
u64 test_scalars(s64 *v, int *st, u32 kind, int which) {
  struct call c; memset(&c, 0xa5, sizeof(c)); test_v = v; test_st = st; c.result = v[0]; c.fd = v[1];
  return which == 0 ? scalars_free(&c, kind) : which == 1 ? scalars_open(&c, kind) : scalars_socket(&c, kind);
}
u64 test_places_of(u32 type, u64 maybe, u64 sure) { return places_of(type, maybe, sure); }
u32 test_slot(u32 kind) { return slot_of(kind); }
u32 test_place_type(u32 kind) { return place_type(kind); }
u64 test_classes(u32 kind) { return classes(kind); }
"""

PROGRAM: Final = Path(generate.__file__).parent / "program"


def _build(text: str) -> ctypes.CDLL:
    if shutil.which("gcc") is None:
        lacking("gcc is missing")
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "program.c", Path(folder) / "program.so"
        source.write_text(text)
        subprocess.run(["gcc", "-w", "-O0", "-shared", "-fPIC", "-o", library, source], check=True)
        return ctypes.CDLL(str(library))


def formulas(plan: Plan) -> ctypes.CDLL:
    """`test_scalars`, `test_places_of`, `test_slot`, `test_place_type`, `test_classes` of a plan, over scalars that the test gives."""
    macros = [line for line in (PROGRAM / "calls.h").read_text().splitlines() if line.startswith(("#define MAY(", "#define MAY_NOT("))]
    assert len(macros) == 2
    scalars = [
        f"static int scalar_{name}(struct call *c, s64 *v) {{ *v = test_v[{i}]; return test_st[{i}]; }}" for i, name in enumerate(SCALARS)
    ]
    library = _build("\n".join([_SHIM, _FORMULAS, *macros, *scalars, generate.formulas(plan), _EXPORTS]))
    library.test_scalars.restype = library.test_places_of.restype = library.test_classes.restype = ctypes.c_uint64
    library.test_places_of.argtypes = [ctypes.c_uint32, ctypes.c_uint64, ctypes.c_uint64]
    return library


def places_and_verdicts(plan: Plan, offsets: dict[str, int]) -> ctypes.CDLL:
    """base.h, task.h, judge.h and place.h as they are for a plan, with maps that the test fills."""
    text = generate.program(plan, offsets)
    head = text[: text.index("/* What every part of the program shares")]
    files = [(PROGRAM / name).read_text() for name in ("base.h", "walk.h", "task.h", "judge.h", "place.h")]
    library = _build("\n".join([_SHIM, head, *files, _TEST]))
    library.test_hash.restype = library.test_judged.restype = ctypes.c_uint64
    library.test_judged.argtypes = [ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p]
    settings = struct.pack("<9Q", *(SECRET[name] for name in generate.SECRETS), plan.generation)
    assert len(settings) == library.test_settings_size()
    library.test_settle(settings)
    return library


def made_up_offsets() -> dict[str, int]:
    """Every constant that the program wants of a kernel, with numbers of our own: members 16 bytes apart."""
    numbers = itertools.count(16, 16)
    out = {f"{structure}__{member}": next(numbers) for structure, members in generate.MEMBERS.items() for member in members.split()}
    out["cred__egid"] = out["cred__euid"] + 4
    out["kernfs_node__parent"] = out["kernfs_node____parent"]
    sizes = {f"{name}_{end}": value for name in generate.CHUNKS for end, value in (("FROM", 0), ("SIZE", 64))}
    return out | sizes | {"in_execve__byte": 0, "in_execve__mask": 0, "SIZE_upid": 16, "PIDTYPE_SID": 3, "CGROUP_SUBSYS": 4,
        "THREAD_SIZE": 16384, "TOP_OF_STACK_PADDING": 0}  # fmt: skip
