/* Opens files many times within a time: `storm DIRECTORY FILES COUNT MILLISECONDS` opens DIRECTORY/0, /1, ... and begins again after FILES.
 * Every opening is spread evenly over the time, or comes later if the machine does not manage. Prints how many succeeded and how many
 * milliseconds it took. It goes before everything else that wants a processor, if it may. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
  if (argc != 5 || chdir(argv[1])) return 64;
  struct sched_param first = { .sched_priority = 1 };
  sched_setscheduler(0, SCHED_FIFO, &first);
  long files = atol(argv[2]), count = atol(argv[3]), good = 0;
  long long length = atoll(argv[4]) * 1000000, start = now();
  for (long i = 0; i < count; i++) {
    char name[24];
    snprintf(name, sizeof name, "%ld", i % files);
    while (now() < start + length * i / count) continue;
    int fd = open(name, O_RDONLY);
    if (fd < 0) continue;
    good++;
    close(fd);
  }
  printf("%ld %lld\n", good, (now() - start) / 1000000);
  return 0;
}
