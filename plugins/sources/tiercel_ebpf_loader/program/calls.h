/* The end of a system call: which classes of rules can still want it. What none wants is dropped here. */

#define EINPROGRESS 115
#define AT_FDCWD -100
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define F_DUPFD 0                                         /* include/uapi/asm-generic/fcntl.h, include/uapi/linux/fcntl.h */
#define F_DUPFD_CLOEXEC 1030
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10

/* The file of the call's descriptor; flags, inode and path by one read. */
static __always_inline void load_file(struct call *c)
{
  c->file = c->fd >= 0 ? file_of(c->fd) : 0;
  if (!c->file) return;
  bpf_probe_read_kernel(c->head, FILE_SIZE, (void *)(c->file + FILE_FROM));
  c->flags = *(u32 *)((u8 *)c->head + file__f_flags - FILE_FROM);
  c->inode = *(u64 *)((u8 *)c->head + file__f_inode - FILE_FROM);
}
#define FILE_PATH(c) ((u64 *)((u8 *)(c)->head + file__f_path - FILE_FROM)) /* vfsmount, dentry */

static __always_inline void load_mode(struct call *c)
{
  u16 mode = 0;
  if (c->file) RD(mode, c->inode, inode__i_mode);
  c->mode = mode;
}

static __always_inline void load_socket(struct call *c)
{
  u64 socket = 0;
  if ((c->mode & S_IFMT) != S_IFSOCK) return;
  RD(socket, c->file, file__private_data);
  RD(c->sk, socket, socket__sk);
  if (!c->sk) return;
  RD(c->family, c->sk, sock_common__skc_family);
  RD(c->protocol, c->sk, sock__sk_protocol);
  RD(c->lport, c->sk, sock_common__skc_num);
  RD(c->rport, c->sk, sock_common__skc_dport);
  c->rport = (u16)(c->rport << 8 | c->rport >> 8);
}

/* What do_dentry_open() takes out of f_flags once it has been done: O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC; from the registers. */
static __always_inline u32 asked_flags(struct call *c)
{
  u64 asked = c->kind == KIND_OPEN ? c->arg[1] : c->kind == KIND_OPENAT ? c->arg[2] : c->kind == KIND_CREAT ? 01100 : 0;
  return asked & 01700;
}

/* Scalars, of what has been loaded. Each returns 0 if the event has no such value, 1 if *v is it, 2 if it cannot be known here. */
static __always_inline int open_flags(struct call *c, s64 *v)
{
  if (c->kind > KIND_CREAT) { *v = 0; return 0; }
  if (c->result >= 0) { *v = c->flags; return c->file ? 1 : 2; }
  *v = c->kind == KIND_OPEN ? c->arg[1] : c->kind == KIND_OPENAT ? c->arg[2] : 1 /* creat: O_WRONLY among others */;
  return c->kind == KIND_OPENAT2 ? 2 : 1;                 /* openat2: the flags are in user memory */
}
static __always_inline int scalar_open_read(struct call *c, s64 *v)
{
  int known = open_flags(c, v);
  *v = (*v & 3) == 0 || (*v & 3) == 2;
  if (c->kind >= KIND_CREAT) { *v = 0; return 1; }
  return known;
}
static __always_inline int scalar_open_write(struct call *c, s64 *v)
{
  int known = open_flags(c, v);
  *v = (*v & 3) == 1 || (*v & 3) == 2;
  return c->kind > KIND_CREAT ? 1 : known;                /* not an open: known to be false */
}

/* The type of the descriptor as a character, arguments.py: TYPES. */
static __always_inline int scalar_fd_type(struct call *c, s64 *v)
{
  u32 type = c->mode & S_IFMT;
  if (c->fd < 0) return 0;
  if (!c->file) return c->kind == KIND_CONNECT ? 0 : 2;
  *v = type == 0100000 || type == 0020000 || type == 0060000 ? 'f' : type == 0040000 ? 'd' : type == 0010000 ? 'p'
     : c->family == AF_INET ? '4' : c->family == AF_INET6 ? '6' : c->family == AF_UNIX ? 'u' : 0;
  return *v ? 1 : 2;
}
static __always_inline int scalar_protocol(struct call *c, s64 *v)
{
  if (c->fd < 0) return 0;
  *v = c->family == AF_INET || c->family == AF_INET6 ? c->protocol : -1; /* arguments.py: text "<NA>" */
  return !c->sk && c->file && (c->mode & S_IFMT) == S_IFSOCK ? 2 : 1;
}

/* True if the peer's address in the socket is that of this call; after a failure only user memory has it. */
static __always_inline int peer_known(struct call *c) { return c->sk && (c->result == 0 || c->result == -EINPROGRESS); }
static __always_inline int scalar_server_port(struct call *c, s64 *v)
{
  *v = c->rport;
  if (c->sk && c->family != AF_INET && c->family != AF_INET6) return 0;
  return c->kind == KIND_CONNECT && peer_known(c) ? 1 : 2;
}

#define MAY(state, test) ((state) == 2 || ((state) == 1 && (test)))
#define MAY_NOT(state, test) ((state) != 1 || !(test))
