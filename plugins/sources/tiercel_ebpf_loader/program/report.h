/* Second stage: an event that comes up gets the paths that are still missing, then leaves. Runs until its list of jobs is empty. */

struct job { u64 vfsmount, dentry; };
BPF_PERCPU_ARRAY(todo, struct job, STRINGS);

static __always_inline void want(struct work *w, u32 slot, u64 vfsmount, u64 dentry)
{
  struct job *j = todo.lookup(&slot);
  if (!j || !dentry) return;
  j->vfsmount = vfsmount; j->dentry = dentry;
  w->jobs |= 1 << slot;
}

static __always_inline void want_path(struct work *w, u32 slot, u64 path)
{
  u64 vfsmount = 0, dentry = 0;
  RD(vfsmount, path, path__mnt); RD(dentry, path, path__dentry);
  want(w, slot, vfsmount, dentry);
}

static __always_inline u64 working_directory(void) { return AT(u64, bpf_get_current_task_btf(), task_struct__fs) + fs_struct__pwd; }
static __always_inline void want_cwd(struct work *w) { want_path(w, STR_CWD, working_directory()); }

int on_report(struct bpf_raw_tracepoint_args *ctx)
{
  int zero = 0, state = WALK_MORE;
  struct work *w = work.lookup(&zero);
  struct paths *s = paths.lookup(&zero);
  if (!w || !s) return 0;
  struct walk *k = &s->k;
  if (!w->described) {                                    /* first run: what all records say of their task */
    w->described = 1;
    describe(&w->rec, (u8 *)bpf_get_current_task_btf());
    put_cgroups(w, bpf_get_current_task(), s);
  }
  if (!w->mark) {                                         /* no walk under way: take the next job */
    u32 job = 0;
    if (!w->jobs) { submit(w); return 0; }
    #pragma unroll
    for (int i = STRINGS - 1; i >= 0; i--) if (w->jobs & (1 << i)) job = i;
    struct job *j = todo.lookup(&job);
    if (!j) return 0;
    walk_from(k, j->vfsmount, j->dentry);
    if (job == STR_ORIGIN) k->on.root = 0;                   /* stay in the superblock */
    w->jobs &= ~(1 << job);
    w->job = job; w->steps = 0;
  }
  NO_UNROLL
  for (int i = 0; i < LONG_STEPS; i++) {
    KEEP(i);
    state = walk_step(s, i == 0 && !w->mark);
    if (state != WALK_MORE) break;
  }
  if (state == WALK_MORE && w->steps < LONG_RUNS - 1) {
    w->mark = 1; w->steps++;
  } else {
    if (state != WALK_DONE) w->rec.flags |= w->job == STR_REAL ? F_CUT : F_CUT_OTHER(w->job & (STRINGS - 1));
    if (k->pos == PATH_END && state == WALK_DONE) { k->pos--; s->walk[k->pos & PATH_END] = '/'; }
    put(w, w->job, &s->walk[k->pos & PATH_END], PATH_END - k->pos);
    w->mark = 0;
  }
  if (!w->mark && !w->jobs) { submit(w); return 0; }
  stages.call(ctx, STAGE_REPORT);
  return 0;
}

/* Sends the record through the second stage. Does not return unless that is impossible. */
static __always_inline void report(struct bpf_raw_tracepoint_args *ctx, struct work *w)
{
  stages.call(ctx, STAGE_REPORT);
  struct counts *c = counts_of(w->kind);                  /* only if the tail call fails */
  if (c) c->lost++;
}
