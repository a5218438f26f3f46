/* Does the deeds that it reads from its standard input, one a line, words apart by tabs, and says what came of each: "RESULT OWN-ADDRESS
 * OWN-PORT", or "RESULT - 0" if the descriptor is no internet socket. A word @N stands for the result of line N. The first line of the answer
 * is the process id. Link it statically: then it makes no call of its own that a rule could look at.
 *
 * As `deeds launch NEWPID UID GID IMAGE ARGV...` it starts an image as its child, in a new pid namespace if NEWPID is 1, and waits. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_LINES 1024
static long results[MAX_LINES];

static void die(const char *what)
{
  fprintf(stderr, "deeds: %s: %s\n", what, strerror(errno));
  exit(1);
}

static long number(const char *word) { return *word == '@' ? results[atoi(word + 1)] : strtol(word, 0, 0); }
static const char *path(const char *word) { return strcmp(word, "(bad)") ? word : (const char *)1; }

static socklen_t address(union { struct sockaddr any; struct sockaddr_in in; struct sockaddr_in6 in6; struct sockaddr_un un; } *a, char **w)
{
  size_t n = strlen(w[1]);
  memset(a, 0, sizeof(*a));
  if (!strcmp(w[0], "in")) {
    a->in.sin_family = AF_INET; a->in.sin_port = htons(atoi(w[2]));
    inet_pton(AF_INET, w[1], &a->in.sin_addr);
    return sizeof(a->in);
  }
  if (!strcmp(w[0], "in6")) {
    a->in6.sin6_family = AF_INET6; a->in6.sin6_port = htons(atoi(w[2]));
    inet_pton(AF_INET6, w[1], &a->in6.sin6_addr);
    return sizeof(a->in6);
  }
  a->un.sun_family = AF_UNIX;
  if (!strcmp(w[0], "abstract")) {
    memcpy(a->un.sun_path + 1, w[1], n);
    return offsetof(struct sockaddr_un, sun_path) + 1 + n;
  }
  memcpy(a->un.sun_path, w[1], n + 1);
  return sizeof(a->un);
}

static long deed(char **w)
{
#define IS(word) (!strcmp(w[0], word))
  if (IS("open")) return syscall(SYS_open, path(w[1]), number(w[2]), 0666);
  if (IS("openat")) return syscall(SYS_openat, number(w[1]), path(w[2]), number(w[3]), 0666);
  if (IS("openat2")) {
    long flags = number(w[3]);
    struct open_how how = { .flags = flags, .mode = flags & O_CREAT ? 0666 : 0, .resolve = number(w[4]) };
    return syscall(SYS_openat2, number(w[1]), path(w[2]), &how, sizeof(how));
  }
  if (IS("creat")) return syscall(SYS_creat, path(w[1]), 0666);
  if (IS("dup")) return syscall(SYS_dup, number(w[1]));
  if (IS("dup2")) return syscall(SYS_dup2, number(w[1]), number(w[2]));
  if (IS("dup3")) return syscall(SYS_dup3, number(w[1]), number(w[2]), number(w[3]));
  if (IS("fcntl")) return syscall(SYS_fcntl, number(w[1]), number(w[2]), number(w[3]));
  if (IS("connect")) {
    union { struct sockaddr any; struct sockaddr_in in; struct sockaddr_in6 in6; struct sockaddr_un un; } a;
    socklen_t n = address((void *)&a, w + 2);
    return syscall(SYS_connect, number(w[1]), &a, n);
  }
  if (IS("socket")) return socket(number(w[1]), number(w[2]), 0);
  if (IS("chdir")) return chdir(w[1]);
  if (IS("wait")) return usleep(1000 * number(w[1]));
  errno = EINVAL;
  die(w[0]);
  return -1;
}

static void answer(long result, long fd)
{
  struct sockaddr_in6 six;
  struct sockaddr_in *four = (void *)&six;
  socklen_t n = sizeof(six);
  char text[64] = "-";
  int port = 0;
  if (fd >= 0 && !getsockname(fd, (void *)&six, &n)) {
    if (four->sin_family == AF_INET) inet_ntop(AF_INET, &four->sin_addr, text, sizeof(text));
    if (four->sin_family == AF_INET6) inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof(text));
    if (*text != '-') port = ntohs(four->sin_port);
  }
  printf("%ld %s %d\n", result, text, port);
}

static int launch(char **w)
{
  int status = 0;
  gid_t gid = atoi(w[2]);
  uid_t uid = atoi(w[1]);
  if (atoi(w[0]) && unshare(CLONE_NEWPID)) die("unshare");
  pid_t pid = fork();
  if (pid < 0) die("fork");
  if (!pid) {
    if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) die("ids");
    execv(w[3], w + 4);
    die(w[3]);
  }
  if (waitpid(pid, &status, 0) < 0 || status) { errno = ECHILD; die("child"); }
  return 0;
}

int main(int argc, char **argv)
{
  static char text[1 << 16], output[1 << 16];
  char *w[8] = { 0 }, *line, *rest = text;
  size_t n = 0;
  ssize_t got;
  if (argc > 1 && !strcmp(argv[1], "launch")) return launch(argv + 2);
  setvbuf(stdout, output, _IOFBF, sizeof(output));
  while ((got = read(0, text + n, sizeof(text) - 1 - n)) > 0) n += got;
  printf("%d\n", getpid());
  for (int i = 0; i < MAX_LINES && (line = strsep(&rest, "\n")) && *line; i++) {
    int words = 0;
    while (words < 8 && (w[words] = strsep(&line, "\t"))) words++;
    long result = deed(w);
    results[i] = result < 0 ? -errno : result;
    answer(results[i], !strcmp(w[0], "connect") ? number(w[1]) : results[i]);
  }
  return fflush(stdout) ? 1 : 0;
}
