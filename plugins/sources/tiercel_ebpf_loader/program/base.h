/* What every part of the program shares: maps, the record, reading kernel memory. Offsets (task_struct__pid, ...), KIND_*, SLOT_*,
 * WANT_*, GUARD_* and sizes are defined ahead of this file by generate.py from the plan and from the kernel's BTF. */

struct pt_regs { unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss; };
struct qstr { u32 hash, len; u64 name; };                 /* include/linux/dcache.h */

#define RD(dst, base, off) bpf_probe_read_kernel(&(dst), sizeof(dst), (void *)((u64)(base) + (off)))
/* The current task is a pointer that the verifier knows the type of: what it leads to is loaded directly, without a call. */
#define AT(type, base, off) (*(type *)((u8 *)(base) + (off)))
#define PATH_END 4095                                     /* paths are built backwards, their last byte before this index */
#define TEXT_MAX 16384                                    /* strings of a record start below this; the last may be 4095 long */
#define STRINGS 8
#define SIZED 1                                           /* entries of a map that the plan gives a size when it is created: attach.py */
#define KEEP(i) asm volatile("" : "+r"(i))                /* a loop counter as it is written: the verifier must be able to follow it */
#define NO_UNROLL _Pragma("clang loop unroll(disable)")

/* Strings of a record. They follow it without terminators. */
#define STR_REAL 0                                        /* path of the kernel object */
#define STR_TEXT 1                                        /* what the caller wrote: user memory */
#define STR_ORIGIN 2                                      /* path inside the superblock, behind a bind mount */
#define STR_BASE 3                                        /* directory that a relative text starts from */
#define STR_CGROUP 4                                      /* first control group: the version 1 hierarchy CGROUP_SUBSYS, if mounted */
#define STR_CGROUP2 5                                     /* second: the unified hierarchy */
#define STR_ARGS 6                                        /* arguments, each with a NUL */
#define STR_CWD 7                                         /* current directory */

/* Flags of a record. */
#define F_UNJUDGED 1                                      /* no verdict was believed: the sensor should make one */
#define F_COMPAT 2                                        /* call of the i386 table: came up undecided */
#define F_CUT 4                                           /* the real path is incomplete (too deep or too long) */
#define F_CUT_OTHER(slot) (1024U << (slot))               /* the same for ORIGIN, BASE, CWD */
#define F_TEXT 8                                          /* the caller's text could not be read */
#define F_RACED 16                                        /* a rename happened while the path was read */
#define F_ARGS_CUT 32
#define F_MEMFD 64                                        /* the executable lives in memory only */
#define F_THREAD 128                                      /* fork: a thread, not a process */
#define F_USER_ADDRESS 256                                /* the address comes from user memory */
#define F_CHANGING 512                                    /* snapshot row taken during an exec: never judged */
#define F_KTHREAD 1024
#define F_SAME 2048                                       /* the text names the object itself: one view */

struct record {                                           /* decode.py: HEAD, keep both alike */
  u16 kind, generation; u32 flags;
  u64 time, start, exec_id;
  u32 tgid, tid, ppid, uid, gid, loginuid, sid, tty;
  u64 cgroup[2];
  s64 result;
  u64 a[6];
  u16 at[STRINGS], len[STRINGS];                          /* of each string: where it starts behind the record, and its length */
};

struct work {                                             /* one record under construction */
  struct record rec;
  u8 text[TEXT_MAX + 4096];
  u32 job, jobs, fill, steps, kind, mark, described;      /* mark: a walk is under way in `paths` */
};
struct counts { u64 seen, by_process, by_scalars, by_place, passed, lost, compat, unjudged; };
struct verdict { u64 check, start, exec_id, generation, guard[5], mask[SLOTS]; };
struct call {                                             /* the call that ended, and what it was about */
  u64 file, inode, sk;
  s64 result, fd;
  u64 arg[4];
  u64 head[8];                                            /* the part of the file that holds flags, inode and path */
  s64 v[SCALARS]; u32 st[SCALARS];                        /* scalars: values, and whether they are known */
  u32 kind, flags, mode, compat;
  u16 family, protocol, lport, rport;
};
struct address { u8 peer[16], own[16]; u16 family, peer_port, own_port, user; };
struct mounted { u64 parent, mountpoint, root, superblock; }; /* of a struct mount, as it lies there: generate.py */
struct walk { u64 dentry, mount, parent; struct mounted on; u32 pos, pad; u64 chunk[8]; };
struct hits { u64 maybe, sure; };
struct opening {                                          /* a call under way: what its stages share */
  u64 generation;                                         /* read once: all that is decided about a call is of one generation */
  u64 mask, vfsmount, dentry, superblock, base, base_mount;
  u32 unjudged, flags, same, behind_bind, type;            /* type: of its event; kept, so that the verifier follows it once */
  s32 length;
};
struct slash { u64 hash; u32 at, pad; };                  /* a '/' of a path: the hash of all up to it */
struct hashing { u64 all, name, directory; u64 slashes, end; struct slash slash[64]; };
/* What loops work on lives in a map: the verifier does not follow the contents of maps, so each turn of a loop looks alike to it. */
struct paths {                                            /* scratch of one run; twice the length that is masked: copies stay in bounds */
  u8 walk[8192]; u8 user[8192];
  struct walk k; struct hits h; struct hashing hash; struct opening o;
  struct verdict v; u32 judged_tgid, pad; struct call c; struct address a; struct pt_regs regs;
};

struct settings { u64 hash_seed, hash_factor, vk_tgid, vk_start, vk_exec, vk_generation, vk_guard, vk_mask, generation; };

BPF_F_TABLE("array", u32, struct settings, settings, 1, BPF_F_MMAPABLE); /* generate.py: SECRETS, then the generation, which the sensor sets */
BPF_RINGBUF_OUTPUT(events, RING_PAGES);
BPF_TABLE("prog", u32, int, programs, 8);                 /* the program in force: one slot for each hook; kept over reloads */
BPF_ARRAY(calls, u16, 512);                               /* call number -> KIND (x86-64) | KIND (i386) << 8; kept over reloads */
BPF_F_TABLE("array", u32, u64, control, 512, BPF_F_MMAPABLE); /* CONTROL_*; kept over reloads */
BPF_TABLE("percpu_array", u32, struct counts, counters, KINDS); /* kept over reloads */
BPF_TABLE("lru_hash", u32, struct verdict, verdicts, SIZED);
BPF_TABLE("prog", u32, int, stages, 4);                   /* this program's own later stages */
BPF_PERCPU_ARRAY(work, struct work, 1);
BPF_PERCPU_ARRAY(paths, struct paths, 1);

static __always_inline struct counts *counts_of(u32 kind) { return counters.lookup(&kind); }

static __always_inline void submit(struct work *w)
{
  u32 zero = CONTROL_ARMED;
  u64 size = w->fill, flags = 1 /* BPF_RB_NO_WAKEUP */, *armed = control.lookup(&zero);
  struct counts *c = counts_of(w->kind);
  asm volatile("" : "+r"(size));                           /* one register for the test and the use */
  if (size > TEXT_MAX + 4095) return;
  if (armed && *armed) { *armed = 0; flags = 2 /* BPF_RB_FORCE_WAKEUP */; }
  int failed = events.ringbuf_output(&w->rec, sizeof(w->rec) + size, flags);
  if (c) { if (failed) c->lost++; else c->passed++; }
}

static __always_inline void put(struct work *w, u32 slot, const void *from, u32 n)
{
  u32 at = w->fill;
  if (at >= TEXT_MAX) return;
  n &= 4095;
  bpf_probe_read_kernel(&w->text[at & (TEXT_MAX - 1)], n, from);
  w->rec.at[slot & (STRINGS - 1)] = at; w->rec.len[slot & (STRINGS - 1)] = n;
  w->fill = at + n;
}
