/* stopwatch FILE PROGRAM [ARG...]: runs the program, adds the milliseconds from its start to its end to the file, and
 * ends as it did. For machines whose shell knows no finer clock than a hundredth of a second. */
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

int main(int argc, char **argv) {
        struct timespec begin, end;
        FILE *file = argc > 2 ? fopen(argv[1], "a") : NULL;
        int status;
        pid_t pid;

        if (!file) {
                fputs("usage: stopwatch FILE PROGRAM [ARG...]\n", stderr);
                return 2;
        }
        clock_gettime(CLOCK_MONOTONIC, &begin);
        if (posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ) != 0 || waitpid(pid, &status, 0) < 0) {
                perror(argv[2]);
                return 127;
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        fprintf(file, "%.3f\n",
                (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
