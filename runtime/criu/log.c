#include "runtime/criu/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/criu/criu.h"

#define HEAD_SIZE 4096 /* of the log, where its version stands */
#define TAIL_SIZE 65536
#define LINE_MAX_LENGTH 240
#define VERSION_MAX 64

/* A stamp as "(00.012345) " and, of a restored process, "    12: ". */
static const char *without_stamp(const char *line) {
        const char *end;

        if (*line == '(' && (end = strchr(line, ')')) && strspn(line + 1, "0123456789.") == (size_t)(end - line - 1))
                line = end + 1 + strspn(end + 1, " ");
        return line;
}

static void find_version(char *head, char version[VERSION_MAX]) {
        const char *at = strstr(head, "Version: ");

        snprintf(version, VERSION_MAX, " %.*s", at ? (int)strcspn(at + 9, " \n") : 0, at ? at + 9 : "");
        if (!at)
                version[0] = '\0';
}

/* The last CRIU_LOG_LINES lines that are errors, or just the last. */
static void find_lines(char *tail, char *text, size_t size) {
        const char *errors[CRIU_LOG_LINES] = { 0 }, *last[CRIU_LOG_LINES] = { 0 }, **lines;
        size_t n_errors = 0, n_last = 0, n, length = 0;
        char *save = NULL;

        for (char *line = strtok_r(tail, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                const char *plain = without_stamp(line);

                last[n_last++ % CRIU_LOG_LINES] = plain;
                if (strstr(plain, "Error ("))
                        errors[n_errors++ % CRIU_LOG_LINES] = plain;
        }
        lines = n_errors > 0 ? errors : last;
        n = n_errors > 0 ? n_errors : n_last;
        text[0] = '\0';
        for (size_t i = n > CRIU_LOG_LINES ? n - CRIU_LOG_LINES : 0; i < n && length < size; i++)
                length += (size_t)snprintf(text + length, size - length, "%s%.*s", length > 0 ? "; " : "",
                                           LINE_MAX_LENGTH, lines[i % CRIU_LOG_LINES]);
}

/* Reads the log's beginning and end. False: there is none. */
static bool read_log(const struct criu_request *request, const char *name, char version[VERSION_MAX], char *lines,
                     size_t size) {
        _cleanup_close_ int fd = openat(request->work_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        _cleanup_free_ char *tail = malloc(TAIL_SIZE + 1);
        char head[HEAD_SIZE + 1];
        struct stat st;
        ssize_t n;

        if (fd < 0 || !tail || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return false;
        n = pread(fd, head, HEAD_SIZE, 0);
        head[n > 0 ? n : 0] = '\0';
        find_version(head, version);
        n = pread(fd, tail, TAIL_SIZE, st.st_size > TAIL_SIZE ? st.st_size - TAIL_SIZE : 0);
        tail[n > 0 ? n : 0] = '\0';
        find_lines(tail, lines, size);
        return true;
}

int criu_log_error(const struct criu_request *request, const char *answer, int number, int status, struct err **err) {
        const char *name = request->pid > 0 ? CRIU_DUMP_LOG : CRIU_RESTORE_LOG,
                   *doing = request->pid > 0 ? "checkpoint" : "restore";
        char version[VERSION_MAX] = "", lines[CRIU_LOG_LINES * (LINE_MAX_LENGTH + 2) + 1] = "", link[64],
             directory[PATH_MAX];
        ssize_t n;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", request->work_fd);
        n = readlink(link, directory, sizeof(directory) - 1);
        directory[n > 0 ? n : 0] = '\0';
        if (read_log(request, name, version, lines, sizeof(lines)) && lines[0])
                return err_set(err, EBUSY, "%s%s could not %s the container: %s (its log: %s/%s)", request->program,
                               version, doing, lines, directory, name);
        if (answer && *answer)
                return err_set(err, EBUSY, "%s%s could not %s the container: %.*s", request->program, version, doing,
                               LINE_MAX_LENGTH, answer);
        if (number != 0)
                return err_set(err, EBUSY, "%s%s could not %s the container: %s", request->program, version, doing,
                               strerror(number));
        if (WIFSIGNALED(status))
                return err_set(err, EBUSY, "%s could not %s the container: it was killed by signal %d and wrote no log",
                               request->program, doing, WTERMSIG(status));
        return err_set(err, EBUSY, "%s could not %s the container: it ended with status %d and wrote no log",
                       request->program, doing, WEXITSTATUS(status));
}
