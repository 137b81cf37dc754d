/* After a shim was killed: what its FIFOs still hold may have been logged already, all or the beginning of it.
 *
 * A batch is logged before it is taken off the FIFO, so the FIFO then begins with the text of the log's last entries.
 * For lines that differ this tells the two cases apart; a run that also stood before itself in the log ("tick", "tick",
 * "tick") more likely was printed again.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "logs/writer_file.h"

/* The entries of one stream in the end of the log. */
struct tail {
        const char *at, *end;
        enum log_stream_name name;
};

struct text {
        const char *data;
        size_t size; /* with the newline when the entry ends its line */
};

/* The next entry of the stream; false at the end. */
static bool next_entry(struct tail *t, struct text *ret_text) {
        while (t->at < t->end) {
                const char *line = t->at, *newline = memchr(line, '\n', (size_t)(t->end - line));

                if (!newline)
                        return false;
                t->at = newline + 1;
                if (newline - line < LOG_PREFIX_SIZE ||
                    memcmp(line + 31, t->name == LOG_STDERR ? "stderr " : "stdout ", 7) != 0)
                        continue;
                *ret_text = (struct text){ line + LOG_PREFIX_SIZE,
                                           (size_t)(newline - line) - LOG_PREFIX_SIZE + (line[38] == 'F') };
                return true;
        }
        return false;
}

/* How much of @data the entries from @t to the end are, all of them; 0 when they are something else. */
static size_t match(struct tail t, const char *data, size_t size, size_t *ret_entries) {
        size_t done = 0, n = 0;
        struct text text;

        while (next_entry(&t, &text)) {
                if (text.size > size - done || memcmp(data + done, text.data, text.size) != 0)
                        return 0;
                done += text.size;
                n++;
        }
        *ret_entries = n;
        return done;
}

/* Whether the last @n entries stand once more before themselves; @before is where as many entries begin. */
static bool repeats(struct tail before, struct tail last, size_t n) {
        struct text a, b;

        for (; n > 0; n--)
                if (!next_entry(&before, &a) || !next_entry(&last, &b) || a.size != b.size ||
                    memcmp(a.data, b.data, a.size) != 0)
                        return false;
        return true;
}

/* How much at the beginning of @data has been logged. */
static size_t logged_already(struct tail tail, const char *data, size_t size) {
        struct tail at = tail, before = tail;
        size_t index = 0, done, n;
        struct text text;

        for (;; index++) {
                struct tail here = at;

                if (!next_entry(&at, &text))
                        return 0;
                done = match(here, data, size, &n);
                if (done == 0)
                        continue;
                for (size_t i = n; i < index; i++)
                        next_entry(&before, &text);
                return n <= index && repeats(before, here, n) ? 0 : done;
        }
}

/* Reads the end of the log to @buffer, beginning with a whole entry. */
static size_t read_tail(const struct log_writer *w, char *buffer, size_t size) {
        _cleanup_close_ int fd = openat(w->dir_fd, w->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        off_t from = w->size > size ? (off_t)(w->size - size) : 0;
        ssize_t n = fd < 0 ? -1 : pread(fd, buffer, size, from);
        const char *newline = n > 0 && from > 0 ? memchr(buffer, '\n', (size_t)n) : NULL;

        if (n <= 0 || (from > 0 && !newline))
                return 0;
        if (newline) {
                n -= newline + 1 - buffer;
                memmove(buffer, newline + 1, (size_t)n);
        }
        return (size_t)n;
}

void log_stream_resume(struct log_stream *s, struct log_arena *arena) {
        size_t size;
        ssize_t n;

        if (s->fd < 0 || !s->writer || !s->writer->open || !log_arena_take(arena))
                return;
        /* As much has to be seen as the killed one may have logged with its pipes at their largest. */
        if (!log_peek_ready(arena))
                return;
        fcntl(arena->peek[1], F_SETPIPE_SZ, LOG_INPUT_SIZE);
        n = log_peek(s, arena);
        fcntl(arena->peek[1], F_SETPIPE_SZ, LOG_PIPE_DEFAULT);
        if (n <= 0)
                return;
        size = read_tail(s->writer, log_arena_output(arena), LOG_OUTPUT_SIZE + LOG_SLACK); /* more than one flush */
        struct tail tail = { log_arena_output(arena), log_arena_output(arena) + size, s->name };
        log_discard(s, arena, 0, logged_already(tail, log_arena_input(arena), (size_t)n));
}
