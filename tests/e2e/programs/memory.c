// Executes a copy of a program that exists only in memory:  memory execveat|proc PROGRAM [ARGUMENT...]
// execveat: execveat(2) with AT_EMPTY_PATH; proc: execve(2) of /proc/self/fd/N, as fexecve(3) does where there is no execveat.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
    struct stat file;
    char path[64];
    int from = argc > 2 ? open(argv[2], O_RDONLY) : -1, to = memfd_create("tiercel", 0);
    if (from < 0 || to < 0 || fstat(from, &file) || sendfile(to, from, NULL, file.st_size) != file.st_size) return 1;
    if (!strcmp(argv[1], "execveat")) {
        syscall(SYS_execveat, to, "", argv + 2, environ, AT_EMPTY_PATH);
    } else {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
        execve(path, argv + 2, environ);
    }
    return 1;
}
