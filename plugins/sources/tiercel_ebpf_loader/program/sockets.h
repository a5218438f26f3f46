/* connect, and dup, dup2, dup3, fcntl: events about a descriptor that may be a socket. */

/* The ends of the call's socket; those of IPv4 in the first four bytes. */
static __always_inline void addresses(struct call *c, struct address *a)
{
  __builtin_memset(a, 0, sizeof(*a));
  if (!c->sk) return;
  a->family = c->family; a->own_port = c->lport; a->peer_port = c->rport;
  if (c->family == AF_INET) {
    bpf_probe_read_kernel(a->peer, 4, (void *)(c->sk + sock_common__skc_daddr));
    bpf_probe_read_kernel(a->own, 4, (void *)(c->sk + sock_common__skc_rcv_saddr));
  } else if (c->family == AF_INET6) {
    bpf_probe_read_kernel(a->peer, 16, (void *)(c->sk + sock_common__skc_v6_daddr));
    bpf_probe_read_kernel(a->own, 16, (void *)(c->sk + sock_common__skc_v6_rcv_saddr));
  }
  /* The socket does not keep the peer of a failed connect: the caller's text, whose family may be another than the socket's. */
  if (c->kind == KIND_CONNECT && !peer_known(c) && (c->family == AF_INET || c->family == AF_INET6)) {
    struct { u16 family, port; u32 four; u8 six[16]; } u = {};
    a->user = 1;
    if (bpf_probe_read_user(&u, 8, (void *)c->arg[1])) return;
    a->peer_port = (u16)(u.port << 8 | u.port >> 8);
    if (u.family == AF_INET) {
      a->family = AF_INET;
      __builtin_memcpy(a->peer, &u.four, 4);
    } else if (u.family == AF_INET6) {
      a->family = AF_INET6;
      bpf_probe_read_user(a->peer, 16, (void *)(c->arg[1] + 8));
    }
  }
}

static __always_inline int on_socket(struct bpf_raw_tracepoint_args *ctx, struct call *c, struct paths *s, struct counts *n, struct work *w)
{
  struct opening *o = &s->o;
  struct address *a = &s->a;
  u32 type = place_type(c->kind);
  load_file(c);
  load_mode(c);
  load_socket(c);
  if (!c->compat) {
    o->mask &= scalars_socket(c, c->kind);
    if (!o->mask) { n->by_scalars++; return 0; }
  }
  addresses(c, a);
#if PLACE_TYPES
  if (!c->compat && type < PLACE_TYPES) {
    if (!a->user && (a->family == AF_INET || a->family == AF_INET6)) {
      struct net_key key = { .prefixlen = 160, .set = o->generation };
      if (a->family == AF_INET) {                          /* IPv4 as ::ffff:a.b.c.d, so that one map serves both */
        key.address[10] = key.address[11] = 0xff;
        __builtin_memcpy(&key.address[12], a->peer, 4);
      } else {
        __builtin_memcpy(key.address, a->peer, 16);
      }
      struct net *hit = networks.lookup(&key);
      u64 bits = hit ? hit->hit[type] : 0;
      o->mask &= places_of(type, bits, bits);
    }
    if (!o->mask) { n->by_place++; return 0; }
  }
#endif
  begin(w, c->kind);
  w->rec.generation = o->generation;
  w->rec.result = c->result;
  w->rec.flags = (o->unjudged ? F_UNJUDGED : 0) | (c->compat ? F_COMPAT : 0) | (a->user ? F_USER_ADDRESS : 0);
  if (o->unjudged) n->unjudged++;
  w->rec.a[0] = (u64)(a->family & 255) | (u64)(c->family & 255) << 8 | (u64)c->protocol << 16 | (u64)a->own_port << 32 |
    (u64)a->peer_port << 48;
  w->rec.a[1] = (u32)c->fd | (u64)c->mode << 32;
  __builtin_memcpy(&w->rec.a[2], a->peer, 16);
  __builtin_memcpy(&w->rec.a[4], a->own, 16);
#if WANT_PATHS
  if (c->kind == KIND_CONNECT && c->family == AF_UNIX) {
    int length = bpf_probe_read_user_str(s->user, 109, (void *)(c->arg[1] + 2));
    if (length > 0) put(w, STR_TEXT, s->user, (length - 1) & 127);
  } else if (c->file && !c->sk) {
    want_path(w, STR_REAL, c->file + file__f_path);
  }
#endif
#if WANT_CWD
  want_cwd(w);
#endif
  report(ctx, w);
  return 0;
}
