/* The hooks. What is attached are dispatchers that stay; each tail-calls the program in force through a slot of `programs`. */

int dispatch_call(struct bpf_raw_tracepoint_args *ctx)
{
  u64 nr = 0;
  RD(nr, ctx->args[0], __builtin_offsetof(struct pt_regs, orig_ax));
  u32 index = nr;
  u16 *kinds = calls.lookup(&index);
  if (!kinds || !*kinds) return 0;
  programs.call(ctx, HOOK_CALL);
  return 0;
}
int dispatch_exec(struct bpf_raw_tracepoint_args *ctx) { programs.call(ctx, HOOK_EXEC); return 0; }
int dispatch_fork(struct bpf_raw_tracepoint_args *ctx) { programs.call(ctx, HOOK_FORK); return 0; }
int dispatch_exit(struct bpf_raw_tracepoint_args *ctx) { programs.call(ctx, HOOK_EXIT); return 0; }

/* Calls of the second rank share a program; the first, of opens, must be quick. */
int on_other_call(struct bpf_raw_tracepoint_args *ctx)
{
  int zero = 0;
  struct paths *s = paths.lookup(&zero);
  struct work *w = work.lookup(&zero);
  if (!s || !w) return 0;
  struct call *c = &s->c;
  struct counts *n = counts_of(c->kind);
  if (!n) return 0;
  if (c->kind >= KIND_CONNECT) return on_socket(ctx, c, s, n, w);
#if REPORT_FAILED_EXEC
  begin(w, c->kind);
  w->rec.generation = s->o.generation;
  w->rec.result = c->result;
  int length = read_text(s, c->kind == KIND_EXECVEAT ? c->arg[1] : c->arg[0]);
  if (length >= 0) put(w, STR_TEXT, s->user, length); else w->rec.flags |= F_TEXT;
  report(ctx, w);
#endif
  return 0;
}

int on_call(struct bpf_raw_tracepoint_args *ctx)
{
  int zero = 0, unjudged = 0;
  u64 mask = ALL_ONES;
  struct paths *s = paths.lookup(&zero);
  if (!s) return 0;
  struct pt_regs *regs = &s->regs;                        /* from r10 on: what a call of the 64-bit table is made of */
  bpf_probe_read_kernel(&regs->r10, 9 * 8, (void *)(ctx->args[0] + __builtin_offsetof(struct pt_regs, r10)));
  u32 index = regs->orig_ax;
  u16 *kinds = calls.lookup(&index);
  if (!kinds) return 0;
  struct call *c = &s->c;
  c->compat = AT(u32, bpf_get_current_task_btf(), task_struct__thread_info + thread_info__status) & 2; /* TS_COMPAT, thread_info.h */
  c->kind = c->compat ? *kinds >> 8 : *kinds & 255;
  if (!c->kind) return 0;
  c->result = ctx->args[1];
  c->file = c->sk = 0; c->family = c->protocol = c->lport = c->rport = 0; c->mode = c->flags = 0;
  c->arg[0] = regs->di; c->arg[1] = regs->si; c->arg[2] = regs->dx; c->arg[3] = regs->r10;
  if (c->compat) {
    bpf_probe_read_kernel(&regs->bx, 8, (void *)(ctx->args[0] + __builtin_offsetof(struct pt_regs, bx)));
    c->result = (s32)c->result;
    c->arg[0] = (u32)regs->bx; c->arg[1] = (u32)regs->cx; c->arg[2] = (u32)regs->dx; c->arg[3] = (u32)regs->si;
    if (c->kind == KIND_SOCKETCALL) {                     /* connect is number 3 of socketcall(2), its arguments in user memory */
      u32 args[3] = {};
      if (c->arg[0] != 3) return 0;
      bpf_probe_read_user(args, sizeof(args), (void *)c->arg[1]);
      c->kind = KIND_CONNECT;
      c->arg[0] = args[0]; c->arg[1] = args[1]; c->arg[2] = args[2];
    }
  }
  if (c->kind <= KIND_EXECVEAT && c->result >= 0) return 0; /* on_exec has reported it */
  if (c->kind == KIND_FCNTL && (u32)c->arg[1] != F_DUPFD && (u32)c->arg[1] != F_DUPFD_CLOEXEC) return 0; /* the call takes 32 bits */
  c->fd = c->kind == KIND_CONNECT ? (s64)(s32)c->arg[0] : c->result;
  struct counts *n = counts_of(c->kind);
  struct settings *settled = settings.lookup(&zero);
  if (!n || !settled) return 0;
  s->o.generation = *(volatile u64 *)&settled->generation;
  n->seen++;
  if (c->compat) {
    n->compat++;                                          /* comes up undecided */
  } else if (c->kind >= KIND_OPEN) {
    mask = judged(s, slot_of(c->kind), &unjudged) & classes(c->kind);
    if (!mask) { n->by_process++; return 0; }
    mask &= scalars_free(c, c->kind);
    if (!mask) { n->by_scalars++; return 0; }
  }
  s->o.mask = mask; s->o.unjudged = unjudged;
  if (c->kind >= KIND_OPEN && c->kind <= KIND_CREAT) return on_open(ctx, c, s, n);
  stages.call(ctx, STAGE_OTHER_CALL);
  return 0;
}

int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
  int zero = 0;
  u64 task = bpf_get_current_task(), mm = 0, file = 0, start = 0, end = 0, p = 0, fdpath = 0, inode = 0;
  u32 links = 0;
  struct paths *s = paths.lookup(&zero);
  RD(fdpath, ctx->args[2], linux_binprm__fdpath);         /* set for execveat with a descriptor */
  u32 kind = fdpath ? KIND_EXECVEAT : KIND_EXECVE;
  struct counts *n = counts_of(kind);
  struct work *w = work.lookup(&zero);
  if (!w || !s || !n) return 0;
  n->seen++;
  begin(w, kind);
  w->rec.flags = F_UNJUDGED;
  RD(mm, task, task_struct__mm);
  RD(file, mm, mm_struct__exe_file);
  RD(p, task, task_struct__thread_pid);
  w->rec.a[0] = number_in_own_namespace(p);
  bpf_probe_read_kernel(&w->rec.a[1], 16, (void *)(task + task_struct__comm));
#if WANT_MEMFD
  u64 dentry = 0, vfsmount = 0, mount = 0, up = 0;
  RD(vfsmount, file, file__f_path + path__mnt); RD(inode, file, file__f_inode); RD(links, inode, inode__i_nlink);
  mount = vfsmount - mount__mnt;
  RD(up, mount, mount__mnt_parent);
  RD(dentry, file, file__f_path + path__dentry);
  struct qstr q = {}; u64 head = 0;
  RD(q, dentry, dentry__d_name);
  bpf_probe_read_kernel(&head, 6, (void *)q.name);
  if (up == mount && links == 0 && head == 0x3a64666d656dULL) w->rec.flags |= F_MEMFD;     /* "memfd:" on the kernel's own mount */
#endif
#if WANT_ARGS
  RD(start, mm, mm_struct__arg_start); RD(end, mm, mm_struct__arg_end);
  u32 length = end - start;
  if (end - start > 4095) { length = 4095; w->rec.flags |= F_ARGS_CUT; }
  length &= 4095;
  if (bpf_probe_read_user(s->user, length, (void *)start)) { length = 0; w->rec.flags |= F_ARGS_CUT; }
  put(w, STR_ARGS, s->user, length);
#endif
#if WANT_EXE
  want_path(w, STR_REAL, file + file__f_path);
#endif
#if WANT_CWD
  want_cwd(w);
#endif
  report(ctx, w);
  return 0;
}

int on_fork(struct bpf_raw_tracepoint_args *ctx)
{
  int zero = 0;
  u64 parent = ctx->args[0], child = ctx->args[1], nr = 0, p = 0;
  u32 pid = 0, tgid = 0;
  RD(pid, child, task_struct__pid); RD(tgid, child, task_struct__tgid);
#if !REPORT_THREADS
  if (pid != tgid) return 0;
#endif
  RD(p, parent, task_struct__stack);                      /* task_pt_regs(), arch/x86/include/asm/processor.h */
  RD(nr, p, THREAD_SIZE - TOP_OF_STACK_PADDING - sizeof(struct pt_regs) + __builtin_offsetof(struct pt_regs, orig_ax));
  u32 status = 0;
  RD(status, parent, task_struct__thread_info + thread_info__status);
  u32 kind = KIND_CLONE;
  if (status & 2) kind = nr == 2 ? KIND_FORK : nr == 190 ? KIND_VFORK : nr == 435 ? KIND_CLONE3 : KIND_CLONE;
  else kind = nr == 57 ? KIND_FORK : nr == 58 ? KIND_VFORK : nr == 435 ? KIND_CLONE3 : KIND_CLONE;
  struct counts *n = counts_of(kind);
  struct work *w = work.lookup(&zero);
  if (!w || !n) return 0;
  n->seen++;
  begin(w, kind);
  if (status & 2) { n->compat++; w->rec.flags |= F_COMPAT; }
  if (pid != tgid) w->rec.flags |= F_THREAD;
  w->rec.result = pid;
  w->rec.a[0] = tgid | (u64)pid << 32;
  RD(w->rec.a[1], child, task_struct__start_boottime);
  RD(p, child, task_struct__thread_pid);
  w->rec.a[2] = number_in_own_namespace(p);
  u64 exec_id = 0;
  RD(exec_id, child, task_struct__self_exec_id);
  w->rec.a[3] = exec_id & EXEC_ID_MASK;
  report(ctx, w);
  return 0;
}

int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
  int zero = 0;
  u64 task = bpf_get_current_task(), signal = 0;
  s32 live = 0, code = 0;
  RD(signal, task, task_struct__signal);
  RD(live, signal, signal_struct__live);                  /* counted down before this tracepoint: 0 when the last thread goes */
  if (live) return 0;
  struct counts *n = counts_of(KIND_PROCEXIT);
  struct work *w = work.lookup(&zero);
  if (!w || !n) return 0;
  n->seen++;
  begin(w, KIND_PROCEXIT);
  RD(code, task, task_struct__exit_code);
  w->rec.result = code;
  u32 tgid = bpf_get_current_pid_tgid() >> 32;
  verdicts.delete(&tgid);
  report(ctx, w);
  return 0;
}
