/* Process verdicts: masks that the sensor made, believed only for the very task image and context that they were made for. */

#define ALL_ONES (~0ULL)

static __always_inline u64 verdict_sum(u32 tgid, struct verdict *v, struct settings *k)
{
  u64 sum = (u64)tgid * k->vk_tgid + v->start * k->vk_start + v->exec_id * k->vk_exec + v->generation * k->vk_generation;
  #pragma unroll
  for (int i = 0; i < 5; i++) sum += v->guard[i] * (k->vk_guard + 2 * i);
  #pragma unroll
  for (int i = 0; i < SLOTS; i++) sum += v->mask[i] * (k->vk_mask + 2 * i);
  return sum;
}

/* True if a verdict is for the current task as it is now. */
static __always_inline int fits(struct verdict *v)
{
  u8 *task = (u8 *)bpf_get_current_task_btf();
  u8 *leader = AT(u8 *, task, task_struct__group_leader);
  if (v->start != AT(u64, leader, task_struct__start_boottime)) return 0;
  if (v->exec_id != (AT(u64, leader, task_struct__self_exec_id) & EXEC_ID_MASK)) return 0;
#if GUARD_CREDENTIALS
  u8 *cred = AT(u8 *, task, task_struct__cred);
  u64 ids = AT(u32, cred, cred__euid) | (u64)AT(u32, cred, cred__egid) << 32;
  if (v->guard[0] != ids || v->guard[1] != AT(u32, task, task_struct__loginuid)) return 0;
#endif
#if GUARD_SESSION || GUARD_TTY
  u64 signal = AT(u64, task, task_struct__signal), where = 0;
#if GUARD_SESSION
  where |= session_of(signal);
#endif
#if GUARD_TTY
  where |= (u64)tty_of(signal) << 32;
#endif
  if (v->guard[2] != where) return 0;
#endif
#if GUARD_CGROUP
  u64 one, two;
  cgroups_of((u64)task, &one, &two);
  if (v->guard[3] != kernfs_id(one) || v->guard[4] != kernfs_id(two)) return 0;
#endif
  return 1;
}

/* The process mask of the current task for a slot; all ones, and *unjudged, if there is no verdict to believe. The last verdict that was
 * believed on this CPU is at hand in s->v: for the same image in the same context it stays true, whatever the map says by now. */
static __always_inline u64 judged(struct paths *s, u32 slot, int *unjudged)
{
  u32 zero = 0, tgid = bpf_get_current_pid_tgid() >> 32;
  struct settings *k = settings.lookup(&zero);
  struct verdict *v = &s->v;
  *unjudged = 1;
  if (!k) return ALL_ONES;
  if (s->judged_tgid != tgid || v->generation != s->o.generation || !fits(v)) {
    struct verdict *shared = verdicts.lookup(&tgid);
    if (!shared) return ALL_ONES;
    s->judged_tgid = 0;
    _Pragma("unroll")                                     /* LRU maps recycle elements under a reader: copy, then verify */
    for (int i = 0; i < sizeof(*v) / 8; i++) ((u64 *)v)[i] = ((volatile u64 *)shared)[i];
    if (v->check != verdict_sum(tgid, v, k) || v->generation != s->o.generation) return ALL_ONES;
    if (!fits(v)) return ALL_ONES;
    s->judged_tgid = tgid;
  }
  *unjudged = 0;
  return slot < SLOTS ? v->mask[slot] : ALL_ONES;
}
