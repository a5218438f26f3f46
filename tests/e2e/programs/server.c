// Starts a program as a child and waits for it, as a server does:  server PROGRAM [ARGUMENT...]
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int status = 1;
    pid_t child = argc > 1 ? fork() : -1;
    if (child == 0) {
        execv(argv[1], argv + 1);
        _exit(127);
    }
    if (child > 0) waitpid(child, &status, 0);
    return status != 0;
}
