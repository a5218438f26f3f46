/* Does what its arguments say, one after the other: `image WORD ARGUMENT... WORD ...`. What it is called by (argv[0], its file) is what rules
 * look at. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(char **a);

static void die(const char *what)
{
  fprintf(stderr, "image: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void open_file(const char *path)
{
  int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
  if (fd < 0) die(path);
  close(fd);
}

static void become(char **a)
{
  execv(a[0], a);
  die(a[0]);
}

static void *in_thread(void *a) { run(a); return 0; }
static void *exec_in_thread(void *a) { become(a); return 0; }
static void *idle(void *a) { for (;;) pause(); return a; }

static void thread(void *(*function)(void *), char **a)
{
  pthread_t id;
  if (pthread_create(&id, 0, function, a)) die("pthread_create");
  pthread_join(id, 0);
}

static void write_text(const char *path, const char *text)
{
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) die(path);
  close(fd);
}

static void wait_for(pid_t pid)
{
  int status;
  if (waitpid(pid, &status, 0) < 0 || status) { errno = ECHILD; die("child"); }
}

/* A child with this very pid. */
static pid_t fork_as(pid_t pid)
{
  struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (unsigned long)&pid, .set_tid_size = 1 };
  return syscall(SYS_clone3, &args, sizeof(args));
}

/* Returns when the arguments end, or at the word "end". */
static int run(char **a)
{
  char text[32];
  pid_t pid;
  for (; *a && strcmp(*a, "end"); a++) {
    const char *word = *a;
#define IS(w) (!strcmp(word, w))
    if (IS("open")) open_file(*++a);
    else if (IS("opens")) { for (int n = atoi(*++a); n; n--) open_file(a[1]); a++; }
    else if (IS("wait")) usleep(1000 * atoi(*++a));
    else if (IS("ready")) { printf("%d %ld %d\n", getpid(), syscall(SYS_gettid), getppid()); fflush(stdout); }
    else if (IS("read")) { if (read(0, text, 1) != 1) exit(0); }
    else if (IS("exec")) become(a + 1);
    else if (IS("thread-exec")) thread(exec_in_thread, a + 1);
    else if (IS("idle-thread")) { pthread_t id; pthread_create(&id, 0, idle, 0); }
    else if (IS("thread")) {                               /* up to "end" in a thread, then on here */
      thread(in_thread, a + 1);
      while (*a && strcmp(*a, "end")) a++;
    } else if (IS("fork")) {                               /* the same in a child */
      if (!(pid = fork())) exit(run(a + 1));
      wait_for(pid);
      while (strcmp(*a, "end")) a++;
    } else if (IS("fork-as")) {                            /* PID; in a child of that pid */
      if (!(pid = fork_as(atoi(*++a)))) exit(run(a + 1));
      if (pid < 0) die("clone3");
      wait_for(pid);
      while (strcmp(*a, "end")) a++;
    } else if (IS("leave")) {                              /* up to "end" in a child that nobody waits for, then on here */
      if (!fork()) exit(run(a + 1));
      while (strcmp(*a, "end")) a++;
    } else if (IS("vfork")) {                              /* FILE; the child opens it, then executes what follows up to "end" */
      const char *file = *++a;
      char **command = ++a;
      while (strcmp(*a, "end")) a++;
      *a = 0;
      if (!(pid = vfork())) {
        int fd = syscall(SYS_openat, AT_FDCWD, file, O_RDONLY);
        close(fd);
        execv(command[0], command);
        _exit(1);
      }
      wait_for(pid);
    } else if (IS("again")) {                              /* FILE MS COUNT OTHER SELF: open, wait, execute OTHER, and so on */
      int count = atoi(a[3]);
      open_file(a[1]);
      if (atoi(a[2])) usleep(1000 * atoi(a[2]));
      if (!count) return 0;
      snprintf(text, sizeof(text), "%d", count - 1);
      char *next[] = { a[4], "again", a[1], a[2], text, a[5], a[4], 0 };
      become(next);
    } else if (IS("seteuid")) { if (seteuid(atoi(*++a))) die("seteuid"); }
    else if (IS("thread-uid")) { pid = atoi(*++a); if (syscall(SYS_setresuid, -1, pid, -1)) die("setresuid"); }
    else if (IS("uid")) { pid = atoi(*++a); if (setresuid(pid, pid, pid)) die("setresuid"); }
    else if (IS("setsid")) { if (setsid() < 0) die("setsid"); }
    else if (IS("terminal")) { int fd = open(*++a, O_RDWR | O_NOCTTY); if (fd < 0 || ioctl(fd, TIOCSCTTY, 0)) die("TIOCSCTTY"); }
    else if (IS("no-terminal")) { int fd = open("/dev/tty", O_RDWR); signal(SIGHUP, SIG_IGN); if (ioctl(fd, TIOCNOTTY)) die("TIOCNOTTY"); }
    else if (IS("chdir")) { if (chdir(*++a)) die("chdir"); }
    else if (IS("group")) { snprintf(text, sizeof(text), "%ld", syscall(SYS_gettid)); write_text(*++a, text); }
    else { errno = EINVAL; die(word); }
  }
  return 0;
}

int main(int argc, char **argv) { (void)argc; return run(argv + 1); }
