/* Facts of a task: its identity and what a record or a verdict says of its context. Only what the plan wants is read. */

static __always_inline u32 tty_of(u64 signal)
{
  u64 tty = 0, driver = 0; u32 major = 0, minor = 0, index = 0;
  RD(tty, signal, signal_struct__tty);
  if (!tty) return 0;
  RD(driver, tty, tty_struct__driver);
  RD(index, tty, tty_struct__index);
  RD(major, driver, tty_driver__major);
  RD(minor, driver, tty_driver__minor_start);
  minor += index;                                         /* new_encode_dev(), include/linux/kdev_t.h */
  return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
}

static __always_inline u32 number_in_own_namespace(u64 pid)
{
  u32 level = 0, nr = 0;
  RD(level, pid, pid__level);
  RD(nr, pid, pid__numbers + (level & 31) * SIZE_upid + upid__nr);
  return nr;
}

static __always_inline u32 session_of(u64 signal)
{
  u64 pid = 0; u32 nr = 0;
  RD(pid, signal, signal_struct__pids + 8 * PIDTYPE_SID);
  if (pid) RD(nr, pid, pid__numbers + upid__nr);          /* as the host sees it */
  return nr;
}

/* Control groups: the one of hierarchy CGROUP_SUBSYS (version 1 where that is mounted) and the one of the unified hierarchy. */
static __always_inline void cgroups_of(u64 task, u64 *first, u64 *second)
{
  u64 set = 0, css = 0, group = 0;
  *first = *second = 0;
  RD(set, task, task_struct__cgroups);
  RD(css, set, css_set__subsys + 8 * CGROUP_SUBSYS);
  if (css) { RD(group, css, cgroup_subsys_state__cgroup); RD(*first, group, cgroup__kn); }
  RD(group, set, css_set__dfl_cgrp);
  RD(*second, group, cgroup__kn);
  if (*first == *second) *first = 0;
}

static __always_inline u64 kernfs_id(u64 node)
{
  u64 id = 0;
  if (node) RD(id, node, kernfs_node__id);
  return id;
}

/* `task`: the current one, or an iterator's. */
static __always_inline void describe(struct record *r, u8 *task)
{
  u8 *leader = AT(u8 *, task, task_struct__group_leader);
  r->tgid = AT(u32, task, task_struct__tgid);
  r->tid = AT(u32, task, task_struct__pid);
  r->start = AT(u64, leader, task_struct__start_boottime);
  r->exec_id = AT(u64, leader, task_struct__self_exec_id) & EXEC_ID_MASK;
#if WANT_PPID
  r->ppid = AT(u32, AT(u8 *, task, task_struct__real_parent), task_struct__tgid);
#endif
#if WANT_UID || WANT_GID
  u8 *cred = AT(u8 *, task, task_struct__cred);
#if WANT_UID
  r->uid = AT(u32, cred, cred__euid);
#endif
#if WANT_GID
  r->gid = AT(u32, cred, cred__egid);
#endif
#endif
#if WANT_LOGINUID
  r->loginuid = AT(u32, task, task_struct__loginuid);
#endif
#if WANT_SID
  r->sid = session_of(AT(u64, task, task_struct__signal));
#endif
#if WANT_TTY
  r->tty = tty_of(AT(u64, task, task_struct__signal));
#endif
#if WANT_CGROUPS
  u64 one, two;
  cgroups_of((u64)task, &one, &two);
  r->cgroup[0] = kernfs_id(one); r->cgroup[1] = kernfs_id(two);
#endif
}

/* Path of a kernfs node into `path`, backwards; returns the position of its first byte. Groups deeper than
 * 16 levels lose their top: container engines put what counts at the end. */
static __always_inline u32 kernfs_path(u64 node, struct paths *s)
{
  struct walk *k = &s->k;
  k->dentry = node; k->pos = PATH_END;
  NO_UNROLL
  for (int i = 0; i < 16; i++) {
    KEEP(i);
    u64 name = 0;
    if (!k->dentry) break;
    k->parent = 0;
    RD(k->parent, k->dentry, kernfs_node__parent);
    if (!k->parent) break;
    RD(name, k->dentry, kernfs_node__name);
    int n = bpf_probe_read_kernel_str(&s->walk[4096], 256, (void *)name);
    if (n <= 1 || n > 256) break;
    u32 m = (n - 1) & 255, pos = k->pos;
    if (pos < m + 1) break;
    pos -= m + 1;
    s->walk[pos & PATH_END] = '/';
    bpf_probe_read_kernel(&s->walk[(pos + 1) & PATH_END], m, &s->walk[4096]);
    k->pos = pos;
    k->dentry = k->parent;
  }
  u32 pos = k->pos;
  if (pos == PATH_END && node) { pos--; s->walk[pos & PATH_END] = '/'; }
  return pos;
}

static __always_inline void put_cgroups(struct work *w, u64 task, struct paths *s)
{
#if WANT_CGROUPS
  u64 *node = s->k.chunk;
  cgroups_of(task, &node[0], &node[1]);
  NO_UNROLL
  for (u32 i = 0; i < 2; i++) {
    KEEP(i);
    u32 pos = kernfs_path(node[i & 1], s);
    put(w, STR_CGROUP + i, &s->walk[pos & PATH_END], PATH_END - pos);
  }
#endif
}

static __always_inline void begin(struct work *w, u32 kind)
{
  __builtin_memset(&w->rec, 0, sizeof(w->rec));
  u32 zero = 0;
  struct settings *k = settings.lookup(&zero);
  w->rec.kind = kind; w->kind = kind;
  if (k) w->rec.generation = k->generation;
  w->fill = w->job = w->jobs = w->steps = 0;
  w->mark = w->described = 0;
  w->rec.time = bpf_ktime_get_boot_ns();
}
