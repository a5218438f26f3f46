/* One row for each process, read through a BPF iterator (Documentation/bpf/bpf_iterators.rst). */

struct seq_file;
struct bpf_iter_meta { struct seq_file *seq; u64 session_id, seq_num; };
struct bpf_iter__task { struct bpf_iter_meta *meta; void *task; };

BPF_PERCPU_ARRAY(row_work, struct work, 1);               /* its own: an iterator may be preempted by a program on the same CPU */
BPF_PERCPU_ARRAY(row_paths, struct paths, 1);

BPF_ITER(task)
{
  int zero = 0, state = WALK_MORE;
  u8 *typed = ctx->task;
  u64 task, mm = 0, file = 0, start = 0, end = 0, p = 0;
  u32 pid = 0, tgid = 0, flags = 0, executing = 0;
  KEEP(typed);                                            /* loaded once: the verifier takes each load from ctx for another pointer */
  if (!typed) return 0;
  task = (u64)typed;
  RD(pid, task, task_struct__pid); RD(tgid, task, task_struct__tgid);
  if (pid != tgid) return 0;
  struct paths *s = row_paths.lookup(&zero);
  struct work *w = row_work.lookup(&zero);
  if (!s || !w) return 0;
  begin(w, KIND_TASK);
  describe(&w->rec, typed);
  RD(flags, task, task_struct__flags);
  RD(executing, task, in_execve__byte);
  RD(mm, task, task_struct__mm);
  if (flags & 0x00200000) w->rec.flags |= F_KTHREAD;      /* PF_KTHREAD, include/linux/sched.h */
  if (executing & in_execve__mask) w->rec.flags |= F_CHANGING;
  if (mm) {
    RD(start, mm, mm_struct__arg_start); RD(end, mm, mm_struct__arg_end);
    RD(file, mm, mm_struct__exe_file);
    if (!start || end <= start) w->rec.flags |= F_CHANGING;
  }
  RD(p, task, task_struct__thread_pid);
  w->rec.a[0] = number_in_own_namespace(p);
  bpf_probe_read_kernel(&w->rec.a[1], 16, (void *)(task + task_struct__comm));
  put_cgroups(w, task, s);
#if WANT_EXE
  if (file) {
    u64 vfsmount = 0, dentry = 0;
    RD(vfsmount, file, file__f_path + path__mnt); RD(dentry, file, file__f_path + path__dentry);
    walk_from(&s->k, vfsmount, dentry);
    NO_UNROLL
    for (int i = 0; i < STEPS; i++) {
      KEEP(i);
      state = walk_step(s, i == 0);
      if (state != WALK_MORE) break;
    }
    if (state != WALK_DONE) w->rec.flags |= F_CUT;
    put(w, STR_REAL, &s->walk[s->k.pos & PATH_END], PATH_END - s->k.pos);
  }
#endif
  u64 size = w->fill;
  asm volatile("" : "+r"(size));
  if (size > TEXT_MAX + 4095) return 0;
  w->rec.tid = sizeof(w->rec) + size;                     /* a row says how long it is, its process has no thread of interest */
  bpf_seq_write(ctx->meta->seq, &w->rec, sizeof(w->rec) + size);
  return 0;
}
