/* Paths of kernel objects: from a dentry upwards, across mounts, backwards into a buffer. */

#define STEPS 24                                          /* components looked at in one run; a longer walk goes on in the next stage */
#define LONG_STEPS 352                                    /* the same for a run of that stage: a path has at most 2047 */
#define LONG_RUNS 6                                       /* four walks of that many runs stay below the kernel's 33 tail calls */
#define WALK_MORE 0
#define WALK_DONE 1
#define WALK_CUT 2

static __always_inline void walk_from(struct walk *k, u64 vfsmount, u64 dentry)
{
  k->dentry = dentry; k->mount = vfsmount - mount__mnt; k->pos = PATH_END;
  RD(k->on, k->mount, mount__mnt_parent);
}

/* Sequence counter, parent and name lie close together in a dentry, parent and mount point in a mount: one read gets all. */
#define DENTRY_OF(k, member) ((u8 *)(k)->chunk + dentry__##member - DENTRY_FROM)

/* One component of s->k into s->walk. `first` is true for the object's own name. */
static __always_inline int walk_step(struct paths *s, int first)
{
  struct walk *k = &s->k;
  if (k->dentry == k->on.root) {                          /* top of this mount: go on where it is mounted */
    if (k->on.parent == k->mount || !k->on.parent) return WALK_DONE;
    k->dentry = k->on.mountpoint;
    k->mount = k->on.parent;
    RD(k->on, k->mount, mount__mnt_parent);
    return WALK_MORE;
  }
  bpf_probe_read_kernel(k->chunk, DENTRY_SIZE, (void *)(k->dentry + DENTRY_FROM));
  struct qstr *q = (struct qstr *)DENTRY_OF(k, d_name);
  u64 parent = *(u64 *)DENTRY_OF(k, d_parent), name = q->name;
  u32 n = q->len & 255, pos = k->pos;
  if (parent == k->dentry || !parent) {                   /* a root that is mounted nowhere; objects in memory have a name of their own */
    u8 c = 0;
    if (!first) return WALK_DONE;
    RD(c, name, 0);
    if (c == '/' || !n) return WALK_DONE;
    pos -= n;
    bpf_probe_read_kernel(&s->walk[pos & PATH_END], n, (void *)name);
    k->pos = pos;
    return WALK_DONE;
  }
  if (pos < n + 1) return WALK_CUT;
  pos -= n + 1;
  s->walk[pos & PATH_END] = '/';
  bpf_probe_read_kernel(&s->walk[(pos + 1) & PATH_END], n, (void *)name);
  k->pos = pos;
  k->dentry = parent;
  return WALK_MORE;
}

/* True if the first n bytes of one, and of the path from a position on, are the same. `bound` is a constant power of two: no more bytes are
 * compared, and one has that many. */
static __always_inline int same_bytes(const u8 *one, u32 bound, const u8 *path, u32 from, u32 n)
{
  u32 at = 0;
  if (n > bound) return 0;
  NO_UNROLL
  for (u32 i = 0; i < bound / 8; i++) {
    KEEP(i);
    at = i * 8;
    if (at >= n) break;
    u64 differ = *(u64 *)&one[at & (bound - 1)] ^ *(u64 *)&path[(from + at) & PATH_END];
    if (n - at < 8) differ &= (1ULL << ((n - at) * 8 & 63)) - 1;
    if (differ) return 0;
  }
  return 1;
}

/* The object behind descriptor `fd` of the current task, or 0. Kernel memory only. */
static __always_inline u64 file_of(u64 fd)
{
  u64 file = 0;
  u8 *fdt = AT(u8 *, AT(u8 *, bpf_get_current_task_btf(), task_struct__files), files_struct__fdt);
  if (fd >= AT(u32, fdt, fdtable__max_fds)) return 0;
  RD(file, AT(u64, fdt, fdtable__fd), fd * 8);
  return file;
}
