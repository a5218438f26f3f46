/* The end of a system call: which classes of rules can still want it. What none wants is dropped here. */

#define EINPROGRESS 115
#define AT_FDCWD -100
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10

#define HAVE_FILE 1
#define HAVE_SOCK 2

/* What the descriptor of the call is: loaded only if a formula asks. */
static __always_inline void load_file(struct call *c, s64 fd)
{
  if (c->have & HAVE_FILE) return;
  c->have |= HAVE_FILE;
  c->file = fd >= 0 ? file_of(c->task, fd) : 0;
  if (!c->file) return;
  u64 inode = 0; u16 mode = 0;
  RD(c->flags, c->file, file__f_flags);
  RD(inode, c->file, file__f_inode);
  RD(mode, inode, inode__i_mode);
  c->mode = mode;
}

static __always_inline void load_socket(struct call *c, s64 fd)
{
  u64 socket = 0;
  if (c->have & HAVE_SOCK) return;
  load_file(c, fd);
  c->have |= HAVE_SOCK;
  if (!c->file || (c->mode & S_IFMT) != S_IFSOCK) return;
  RD(socket, c->file, file__private_data);
  RD(c->sk, socket, socket__sk);
  if (!c->sk) return;
  RD(c->family, c->sk, sock_common__skc_family);
  RD(c->protocol, c->sk, sock__sk_protocol);
  RD(c->lport, c->sk, sock_common__skc_num);
  RD(c->rport, c->sk, sock_common__skc_dport);
  c->rport = (u16)(c->rport << 8 | c->rport >> 8);
}

/* The descriptor that the event is about. */
static __always_inline s64 fd_of(struct call *c) { return c->kind == KIND_CONNECT ? (s64)(s32)c->arg[0] : c->result; }

/* Scalars. Each returns 0 if the event has no such value, 1 if *v is it, 2 if it cannot be known here. */
static __always_inline int scalar_result(struct call *c, s64 *v) { *v = c->result; return 1; }
static __always_inline int scalar_fd(struct call *c, s64 *v) { *v = fd_of(c); return 1; }

static __always_inline int open_flags(struct call *c, s64 *v)
{
  if (c->result >= 0) { load_file(c, c->result); *v = c->flags; return c->file ? 1 : 2; }
  if (c->kind == KIND_OPEN) { *v = c->arg[1]; return 1; }
  if (c->kind == KIND_OPENAT) { *v = c->arg[2]; return 1; }
  if (c->kind == KIND_CREAT) { *v = 1; return 1; }        /* O_WRONLY among others */
  return 2;                                               /* openat2: the flags are in user memory */
}
static __always_inline int scalar_open_read(struct call *c, s64 *v)
{
  int known = open_flags(c, v);
  if (c->kind >= KIND_CREAT) { *v = 0; return 1; }
  *v = (*v & 3) == 0 || (*v & 3) == 2;
  return known;
}
static __always_inline int scalar_open_write(struct call *c, s64 *v)
{
  int known = open_flags(c, v);
  if (c->kind > KIND_CREAT) { *v = 0; return 1; }
  *v = (*v & 3) == 1 || (*v & 3) == 2;
  return known;
}

/* The type of the descriptor as a character, fields.py: FD_TYPES. */
static __always_inline int scalar_fd_type(struct call *c, s64 *v)
{
  s64 fd = fd_of(c);
  if (fd < 0) return 0;
  load_file(c, fd);
  if (!c->file) return c->kind == KIND_CONNECT ? 0 : 2;
  u32 type = c->mode & S_IFMT;
  if (type == 0100000 || type == 0020000 || type == 0060000) { *v = 'f'; return 1; }
  if (type == 0040000) { *v = 'd'; return 1; }
  if (type == 0010000) { *v = 'p'; return 1; }
  if (type != S_IFSOCK) return 2;
  load_socket(c, fd);
  if (c->family == AF_INET) { *v = '4'; return 1; }
  if (c->family == AF_INET6) { *v = '6'; return 1; }
  if (c->family == AF_UNIX) { *v = 'u'; return 1; }
  return 2;
}
static __always_inline int scalar_protocol(struct call *c, s64 *v)
{
  s64 fd = fd_of(c);
  if (fd < 0) return 0;
  load_socket(c, fd);
  if (!c->sk && c->file && (c->mode & S_IFMT) == S_IFSOCK) return 2;
  *v = c->family == AF_INET || c->family == AF_INET6 ? c->protocol : -1; /* fields.py: text "<NA>" */
  return 1;
}

/* True if the peer's address in the socket is that of this call; after a failure only user memory has it. */
static __always_inline int peer_known(struct call *c) { return c->sk && (c->result == 0 || c->result == -EINPROGRESS); }
static __always_inline int scalar_server_port(struct call *c, s64 *v)
{
  load_socket(c, fd_of(c));
  if (c->sk && c->family != AF_INET && c->family != AF_INET6) return 0;
  *v = c->rport;
  return c->kind == KIND_CONNECT && peer_known(c) ? 1 : 2;
}

#define MAY(state, test) ((state) == 2 || ((state) == 1 && (test)))
#define MAY_NOT(state, test) ((state) != 1 || !(test))
