#include "logs/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "logs/entry.h"

/* Counts lines from the end: each F ends one; parts at the very end of a stream, whose F is not there yet, are one too.
 */
struct counter {
        const struct logs_options *options;
        int64_t lines;
        bool seen[2];
};

/* Takes the entry before the ones seen so far. Returns true when it belongs to a line more than wanted. */
static bool count_entry(struct counter *c, const char *entry, size_t size) {
        struct logs_line line;
        bool begins;

        if (!logs_line_parse(entry, size, &line))
                return false;
        if (line.is_stderr ? c->options->no_stderr : c->options->no_stdout)
                return false;
        begins = !line.partial || !c->seen[line.is_stderr];
        c->seen[line.is_stderr] = true;
        c->lines += begins;
        return c->lines > c->options->tail_lines;
}

/* Reads exactly what is there of [@from, @from + @size). */
static ssize_t read_window(int fd, char *buffer, size_t size, off_t from) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = pread(fd, buffer + done, size - done, from + (off_t)done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                done += (size_t)n;
        }
        return (ssize_t)done;
}

/* Behind the last newline stands what is still being written, or was torn: no entry. */
static char *last_end(char *buffer, size_t size) {
        char *newline = memrchr(buffer, '\n', size);

        return newline ? newline + 1 : buffer + size;
}

/* Walks the entries of one file from its end. Returns 1 with *@ret_offset when the count is full, 0 at the beginning.
 */
static int count_file(struct counter *c, int fd, char *buffer, size_t size, off_t *ret_offset) {
        struct stat st;
        off_t end; /* of the entries not seen yet */

        if (fstat(fd, &st) < 0)
                return -errno;
        for (end = st.st_size; end > 0;) {
                off_t from = end > (off_t)size ? end - (off_t)size : 0;
                ssize_t n = read_window(fd, buffer, (size_t)(end - from), from);
                char *stop = buffer + n;

                if (n < 0)
                        return (int)n;
                if (n < end - from)
                        return 0; /* truncated meanwhile */
                if (end == st.st_size)
                        stop = last_end(buffer, (size_t)n);
                while (stop > buffer) {
                        char *entry_end = stop[-1] == '\n' ? stop - 1 : stop;
                        char *newline = memrchr(buffer, '\n', (size_t)(entry_end - buffer));
                        char *entry = newline ? newline + 1 : buffer;

                        /* Its beginning is in the window before, unless it fills one alone. */
                        if (!newline && from > 0 && stop < buffer + n)
                                break;
                        if (count_entry(c, entry, (size_t)(entry_end - entry))) {
                                *ret_offset = from + (stop - buffer);
                                return 1;
                        }
                        stop = entry;
                }
                end = from + (stop - buffer);
        }
        return 0;
}

int logs_tail_find(const struct logs_tail *tail, size_t *ret_file, off_t *ret_offset) {
        const struct logs_files *files = tail->files;
        struct counter c = { .options = tail->options };

        for (size_t i = files->n + 1; i-- > 0;) {
                _cleanup_close_ int fd = i < files->n ? logs_files_open(tail->dir_fd, files->names[i]) :
                                                        fcntl(tail->current, F_DUPFD_CLOEXEC, 3);
                off_t offset = 0;
                int r;

                if (fd == -ENOENT || (i == files->n && tail->current < 0))
                        continue;
                if (fd < 0)
                        return i < files->n ? fd : -errno;
                r = count_file(&c, fd, tail->buffer, tail->size, &offset);
                if (r < 0)
                        return r;
                if (r > 0) {
                        *ret_file = i;
                        *ret_offset = offset;
                        return 0;
                }
        }
        *ret_file = 0;
        *ret_offset = 0;
        return 0;
}
