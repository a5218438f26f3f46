/* open, openat, openat2, creat. */

/* What the caller wrote, into s->user; its length, or -1 if it cannot be read or is too long to be compared. */
static __always_inline int read_text(struct paths *s, u64 address)
{
  int n = bpf_probe_read_user_str(s->user, 4096, (void *)address);
  return n > 0 && n < 4096 ? n - 1 : -1;
}

static __always_inline u64 start_directory(struct call *c, u64 *vfsmount)
{
  u64 path = 0, dentry = 0;
  s32 dirfd = c->kind == KIND_OPENAT || c->kind == KIND_OPENAT2 ? (s32)c->arg[0] : AT_FDCWD;
  if (dirfd == AT_FDCWD) {
    path = working_directory();
  } else {
    path = file_of((u32)dirfd);
    if (!path) return 0;
    path += file__f_path;
  }
  RD(*vfsmount, path, path__mnt); RD(dentry, path, path__dentry);
  return dentry;
}

/* First stage: what the flags decide; then the path, and whether the text is the path. */
static __always_inline int on_open(struct bpf_raw_tracepoint_args *ctx, struct call *c, struct paths *s, struct counts *n)
{
  struct opening *o = &s->o;
  struct walk *k = &s->k;
  load_file(c);
#if OPEN_MODE
  load_mode(c);
#endif
  if (!c->compat) {
    o->mask &= scalars_open(c, c->kind);
    if (!o->mask) { n->by_scalars++; return 0; }
  }
  o->base = o->vfsmount = 0; o->flags = o->same = o->behind_bind = 0; o->length = -1;
#if WANT_PATHS
#if PLACE_TYPES
  o->type = place_type(c->kind);
#endif
  u32 text_at = c->kind == KIND_OPENAT || c->kind == KIND_OPENAT2;
  int length = read_text(s, text_at ? c->arg[1] : c->arg[0]);
  o->length = length;
  if (c->file) {
    u64 vfsmount = FILE_PATH(c)[0], dentry = FILE_PATH(c)[1], superroot = 0;
    u32 seq = 0, after = 0, rest = PATH_END - 1 - length, relative = length >= 0 && s->user[0] != '/'; /* rest: where the text would */
    int state = WALK_MORE;                                /* begin, after its '/', if it is the tail of the path */
    o->vfsmount = vfsmount; o->dentry = dentry;
    walk_from(k, vfsmount, dentry);
    o->superblock = k->on.superblock;
    RD(superroot, o->superblock, super_block__s_root);
    o->behind_bind = k->on.root != superroot;
    if (relative) o->base = start_directory(c, &o->base_mount);
    NO_UNROLL
    for (int i = 0; i < STEPS; i++) {
      KEEP(i);
      state = walk_step(s, i == 0);
      if (i == 0) seq = *(u32 *)DENTRY_OF(k, d_seq);
      if (state != WALK_MORE) break;
      if (k->pos == rest && k->dentry == o->base && k->mount == o->base_mount - mount__mnt) o->same = 1;
    }
    RD(after, dentry, dentry__d_seq);
    if (after != seq || (seq & 1)) o->flags |= F_RACED;
    if (state != WALK_DONE) o->flags |= F_CUT;
    else if (k->pos == PATH_END) { k->pos--; s->walk[PATH_END - 1] = '/'; }
  }
#endif
  stages.call(ctx, STAGE_OPENED);
  return 0;
}

/* Second stage: what the path decides; what is left comes up. */
int on_opened(struct bpf_raw_tracepoint_args *ctx)
{
  int zero = 0;
  struct paths *s = paths.lookup(&zero);
  struct work *w = work.lookup(&zero);
  if (!s || !w) return 0;
  struct call *c = &s->c;
  struct opening *o = &s->o;
  struct walk *k = &s->k;
  struct counts *n = counts_of(c->kind);
  if (!n) return 0;
#if WANT_PATHS
  u32 length = o->length, pos = k->pos;
  if (c->file) {
    u32 from = PATH_END - length;
    if (o->length <= 0 || (o->flags & F_CUT)) o->same = 0;
    else if (s->user[0] != '/') o->same = o->same && same_bytes(s->user, 256, s->walk, from, length);
    else o->same = pos == from && same_bytes(s->user, 256, s->walk, from, length);
  }
#if PLACE_TYPES
  u32 type = o->type;
  if (!c->compat && type < PLACE_TYPES) {
    u64 mask = ALL_ONES;
    if (c->result < 0) {
      mask = places_of(type, 0, 0);                       /* a failed open has no path: its place checks are false for sure */
    } else if (o->same && !o->flags && !o->behind_bind) {
      if (place_path(s, o->generation, type, pos, PATH_END - pos)) mask = places_of(type, s->h.maybe, s->h.sure);
    }
    if (!(o->mask & mask)) { n->by_place++; return 0; }
  }
#endif
#endif
  begin(w, c->kind);
  w->rec.generation = o->generation;
  w->rec.result = c->result;
  w->rec.flags = (o->unjudged ? F_UNJUDGED : 0) | (c->compat ? F_COMPAT : 0) | (o->flags & F_RACED) | (o->same ? F_SAME : 0);
  if (o->unjudged) n->unjudged++;
  s64 flags = 0;
  int known = open_flags(c, &flags);
#if !OPEN_MODE
  load_mode(c);
#endif
  w->rec.a[0] = (u32)flags | asked_flags(c) | (u64)c->mode << 32;
  w->rec.a[1] = known;
#if WANT_PATHS
  if (c->file) {
    u32 device = 0;
    RD(device, o->superblock, super_block__s_dev);
    w->rec.a[2] = device;
    if (o->flags & F_CUT) want(w, STR_REAL, o->vfsmount, o->dentry);
    else put(w, STR_REAL, &s->walk[pos & PATH_END], PATH_END - pos);
    if (o->behind_bind) want(w, STR_ORIGIN, o->vfsmount, o->dentry);
  }
  if (o->length < 0) w->rec.flags |= F_TEXT;
  else if (!o->same) {
    put(w, STR_TEXT, s->user, length);
    if (s->user[0] != '/') {
      if (!o->base) o->base = start_directory(c, &o->base_mount);
      want(w, STR_BASE, o->base_mount, o->base);
    }
  }
#endif
#if WANT_CWD
  want_cwd(w);
#endif
  report(ctx, w);
  return 0;
}
