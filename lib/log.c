#include "lib/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/journal.h"

static const struct {
        const char *name;
        int syslog; /* the number of sd-daemon(3) */
} levels[] = {
        [LOG_LEVEL_ERROR] = { "error", 3 },
        [LOG_LEVEL_WARNING] = { "warning", 4 },
        [LOG_LEVEL_INFO] = { "info", 6 },
        [LOG_LEVEL_DEBUG] = { "debug", 7 },
};

static const char *program = "nacelle";
static enum log_level most = LOG_LEVEL_INFO;
static bool journal;
static int journal_fd = -EBADF;

bool log_level_parse(const char *text, enum log_level *ret_level) {
        for (size_t i = 0; i < ELEMENTS(levels); i++)
                if (strcmp(text, levels[i].name) == 0) {
                        *ret_level = (enum log_level)i;
                        return true;
                }
        return false;
}

void log_init(const char *name, enum log_level most_detailed) {
        program = name;
        most = most_detailed;
        journal = getenv("JOURNAL_STREAM") != NULL;
        if (journal && journal_is_stderr() && journal_fd < 0)
                log_to_journal(JOURNAL_SOCKET);
}

int log_to_journal(const char *path) {
        int fd = journal_open(path);

        if (fd < 0)
                return fd;
        close_fd(journal_fd);
        journal_fd = fd;
        return 0;
}

bool log_is_blocked(void) {
        struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };

        return journal_fd < 0 && poll(&out, 1, 0) == 0;
}

static int prefix(char *line, size_t size, enum log_level level) {
        struct timespec now;
        struct tm tm;
        int n;

        if (journal)
                return snprintf(line, size, "<%d>", levels[level].syslog);

        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &tm);
        n = (int)strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
        return n + snprintf(line + n, size - (size_t)n, ".%03ldZ %s %s: ", now.tv_nsec / 1000000, levels[level].name,
                            program);
}

/* What others have sent may be in it: a line's end would begin a message of theirs, with a level of their choice. */
static void make_plain(char *text, size_t n) {
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
                        text[i] = text[i] == '\n' || text[i] == '\t' ? ' ' : '?';
}

void log_write(enum log_level level, const char *format, ...) {
        char line[LOG_LINE_MAX];
        va_list ap;
        int n, begin, text;

        if (level > most)
                return;
        n = prefix(line, sizeof(line), level);
        va_start(ap, format);
        begin = n;
        text = vsnprintf(line + n, sizeof(line) - (size_t)n, format, ap);
        va_end(ap);
        if (text < 0)
                return;
        n += text;
        if (n > (int)sizeof(line) - 1)
                n = sizeof(line) - 1;
        if (journal_fd >= 0 && journal_send(journal_fd, program, levels[level].syslog, line + begin) == 0)
                return;
        make_plain(line + begin, (size_t)(n - begin));
        line[n++] = '\n';
        if (write(STDERR_FILENO, line, (size_t)n) < 0)
                return; /* nobody reads the log: nothing is left to tell it to */
}
