#include "logs/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "logs/entry.h"
#include "logs/files.h"
#include "logs/tail.h"

/* How often the beginning is looked for while rotation takes it away. */
#define FIRST_TRIES 16

struct logs_reader {
        struct logs_options options;
        int dir_fd;
        int fd; /* the file being read; -EBADF: none yet */
        dev_t dev;
        ino_t ino;
        int next;                /* the file after it, where one is there already; negative: none known */
        struct logs_files queue; /* those behind, from queued on; none of them is removed while fd is held */
        size_t queued;
        bool missed; /* files were removed before they were read */
        int inotify;
        bool at_end;     /* of what there was at the last call: the descriptor is to be emptied before looking again */
        bool within[2];  /* the stream's last entry was a part */
        bool long_entry; /* the rest of an entry that did not fit the buffer comes next */
        struct logs_line long_line;
        int64_t bytes_left;
        uint64_t skipped;
        size_t begin, end; /* what is not taken yet, in buffer */
        char name[NAME_MAX + 1];
        char buffer[LOGS_READER_BUFFER];
};

/* Reads on in @fd, which becomes the reader's. The hold on the file before ends only then. */
static int use_file(struct logs_reader *r, int fd, off_t offset) {
        _cleanup_close_ int file = fd;
        struct stat st;

        if (fstat(file, &st) < 0 || lseek(file, offset, SEEK_SET) < 0)
                return -errno;
        close_fd(r->fd);
        r->fd = TAKE_FD(file);
        r->dev = st.st_dev;
        r->ino = st.st_ino;
        r->begin = r->end = 0;
        r->long_entry = false;
        return 0;
}

/* Files that ended before the time asked for need not be read. */
static size_t skip_old(const struct logs_reader *r, const struct logs_files *files) {
        size_t i = 0;
        struct stat st;

        for (; i < files->n; i++)
                if (fstatat(r->dir_fd, files->names[i], &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                    st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec >= r->options.since_ns)
                        break;
        return i;
}

/* Makes @files the ones to read next, from @i on. */
static void queue_set(struct logs_reader *r, struct logs_files *files, size_t i) {
        logs_files_done(&r->queue);
        r->queue = *files;
        r->queued = i;
        *files = (struct logs_files){ 0 };
}

/* Opens the first of the queue that is there still. Returns -ENOENT when there is none. */
static int queue_take(struct logs_reader *r, bool *ret_removed) {
        while (r->queued < r->queue.n) {
                int fd = logs_files_open(r->dir_fd, r->queue.names[r->queued++]);

                if (fd >= 0 && logs_files_hold(fd) == 0)
                        return fd;
                if (fd < 0 && fd != -ENOENT)
                        return fd;
                close_fd(fd);
                *ret_removed = true;
        }
        return -ENOENT;
}

/* Goes to where the output begins. -ENOENT when there is no file at all, -EAGAIN when it was removed meanwhile. */
static int open_first_now(struct logs_reader *r) {
        _cleanup_log_files_ struct logs_files files = { 0 };
        _cleanup_close_ int current = -EBADF;
        bool removed = false;
        off_t offset = 0;
        size_t i = 0, n;
        int e = logs_files_list(r->dir_fd, r->name, &files, &current), fd;

        if (e < 0)
                return e;
        if (r->options.tail_lines >= 0)
                e = logs_tail_find(
                        &(struct logs_tail){ &files, r->dir_fd, current, &r->options, r->buffer, sizeof(r->buffer) },
                        &i, &offset);
        else if (r->options.since_ns > 0)
                i = skip_old(r, &files);
        if (e < 0)
                return e;
        n = files.n;
        queue_set(r, &files, i);
        fd = i < n ? queue_take(r, &removed) : TAKE_FD(current);
        if (fd == -ENOENT)
                return current >= 0 || removed ? -EAGAIN : -ENOENT;
        if (fd < 0)
                return fd;
        e = use_file(r, fd, removed ? 0 : offset);
        return e == 0 && logs_files_hold(r->fd) < 0 ? -EAGAIN : e;
}

static int open_first(struct logs_reader *r) {
        int e = -EAGAIN;

        for (unsigned i = 0; i < FIRST_TRIES && e == -EAGAIN; i++)
                e = open_first_now(r);
        return e == -EAGAIN ? 0 : e;
}

/* The file behind the one that is read. While that one is held, the writer removes none that is younger; so what is
 * listed can be opened later. Returns -ENOENT when there is none (yet). */
static int find_next(struct logs_reader *r) {
        _cleanup_log_files_ struct logs_files files = { 0 };
        _cleanup_close_ int current = -EBADF;
        bool removed = false;
        struct stat st;
        ssize_t at;
        int fd = queue_take(r, &removed), e;

        if (fd == -ENOENT) {
                e = logs_files_list(r->dir_fd, r->name, &files, &current);
                if (e < 0)
                        return e;
                at = r->fd < 0 ? -1 : logs_files_find(&files, r->dir_fd, r->dev, r->ino);
                queue_set(r, &files, (size_t)(at + 1));
                fd = queue_take(r, &removed);
                if (fd == -ENOENT && current >= 0 && fstat(current, &st) == 0 &&
                    (r->fd < 0 || st.st_dev != r->dev || st.st_ino != r->ino)) {
                        fd = TAKE_FD(current);
                        logs_files_hold(fd);
                }
        }
        r->missed |= removed;
        return fd;
}

/* Reads on in the current file. Returns the number of bytes, 0 at its end. */
static ssize_t fill(struct logs_reader *r) {
        ssize_t n;

        if (r->fd < 0)
                return 0;
        if (r->begin > 0) {
                memmove(r->buffer, r->buffer + r->begin, r->end - r->begin);
                r->end -= r->begin;
                r->begin = 0;
        }
        do
                n = read(r->fd, r->buffer + r->end, sizeof(r->buffer) - r->end);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        r->end += (size_t)n;
        return n;
}

/* Whether the file being read is still the one that is written to. */
static bool is_current(const struct logs_reader *r) {
        struct stat st;

        return r->fd >= 0 && fstatat(r->dir_fd, r->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == r->dev &&
               st.st_ino == r->ino;
}

/* Gets more bytes, from the next file where this one is done. Returns 1, 0 at the end of all, or a negative errno. */
static int more(struct logs_reader *r) {
        struct stat st;
        ssize_t n;
        int e;

        /* Nothing is added to a file any more once there is a next one, but before that there may have been: the last
         * look at it comes after the next one was found. */
        while ((n = fill(r)) == 0 && r->next < 0) {
                if (is_current(r))
                        return 0;
                r->next = find_next(r);
                if (r->next < 0)
                        return r->next == -ENOENT ? 0 : r->next;
        }
        if (n != 0)
                return n < 0 ? (int)n : 1;
        r->skipped += r->end > r->begin; /* torn */
        r->missed |= r->fd >= 0 && fstat(r->fd, &st) == 0 && st.st_nlink == 0;
        e = use_file(r, TAKE_FD(r->next), 0);
        return e < 0 ? e : 1;
}

/* The next raw line: up to a newline, or LOGS_ENTRY_MAX of one that is longer. Returns 1, 0 at the end, or an errno. */
static int next_line(struct logs_reader *r, char **ret_line, size_t *ret_size, bool *ret_whole) {
        size_t seen = 0;

        for (;;) {
                size_t have = r->end - r->begin;
                char *line = r->buffer + r->begin;
                char *newline = memchr(line + seen, '\n', have - seen);
                int e;

                if (newline || have >= LOGS_ENTRY_MAX) {
                        *ret_whole = newline && newline - line <= LOGS_ENTRY_MAX;
                        *ret_size = *ret_whole ? (size_t)(newline - line) : LOGS_ENTRY_MAX;
                        *ret_line = line;
                        r->begin += *ret_size + *ret_whole;
                        return 1;
                }
                seen = have;
                e = more(r);
                if (e <= 0)
                        return e;
                if (r->end - r->begin < seen) /* another file */
                        seen = 0;
        }
}

/* Turns a line into an entry; false when it is not to be shown. */
static bool make_entry(struct logs_reader *r, char *text, size_t size, bool whole, struct logs_entry *ret_entry) {
        struct logs_line line = r->long_line;
        bool begins;

        if (r->long_entry) {
                line.text_at = 0;
        } else if (!logs_line_parse(text, size, &line)) {
                r->skipped++;
                return false;
        }
        begins = !r->long_entry && !r->within[line.is_stderr];
        r->long_entry = !whole;
        r->long_line = line;
        if (line.is_stderr ? r->options.no_stderr : r->options.no_stdout)
                return false;
        if (line.time_ns < r->options.since_ns)
                return false;
        r->within[line.is_stderr] = line.partial;

        *ret_entry = (struct logs_entry){
                .is_stderr = line.is_stderr,
                .partial = line.partial || !whole,
                .time_ns = line.time_ns,
                .data = text + line.text_at,
                .size = size - line.text_at,
        };
        if (!ret_entry->partial)
                ret_entry->size++; /* the newline, which stands behind it in the buffer */
        if (r->options.timestamps && begins) {
                /* The time moves over stream and tag to stand right before the text. */
                text[line.time_size] = ' ';
                ret_entry->data -= line.time_size + 1;
                ret_entry->size += line.time_size + 1;
                memmove(text + line.text_at - line.time_size - 1, text, line.time_size + 1);
        }
        return true;
}

static void empty_inotify(struct logs_reader *r) {
        char events[4096];

        while (read(r->inotify, events, sizeof(events)) > 0)
                ;
}

int logs_reader_next(struct logs_reader *r, struct logs_entry *ret_entry, struct err **err) {
        struct logs_entry entry;

        if (r->bytes_left == 0)
                return -ENODATA;
        if (r->at_end && r->inotify >= 0)
                empty_inotify(r);
        r->at_end = false;
        for (;;) {
                bool whole;
                size_t size;
                char *text;
                int e = next_line(r, &text, &size, &whole);

                if (e < 0)
                        return err_errno(err, -e, "log %s: read", r->name);
                if (e == 0) {
                        r->at_end = true;
                        return 0;
                }
                if (make_entry(r, text, size, whole, &entry))
                        break;
        }
        if (r->bytes_left > 0) {
                if ((uint64_t)entry.size > (uint64_t)r->bytes_left)
                        entry.size = (size_t)r->bytes_left;
                r->bytes_left -= (int64_t)entry.size;
        }
        *ret_entry = entry;
        return 1;
}

/* Before the first look, so that nothing that comes after it is missed. */
static int watch(struct logs_reader *r) {
        char path[64];

        r->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (r->inotify < 0)
                return -errno;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", r->dir_fd);
        if (inotify_add_watch(r->inotify, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
                return -errno;
        return 0;
}

int logs_reader_open(int dir_fd, const char *name, const struct logs_options *options, struct logs_reader **ret_reader,
                     struct err **err) {
        _cleanup_log_reader_ struct logs_reader *r = NULL;
        int e;

        if (!*name || strchr(name, '/') || strlen(name) > NAME_MAX)
                return err_set(err, EINVAL, "log \"%s\": not a file name", name);
        r = malloc(sizeof(*r));
        if (!r)
                return err_errno(err, ENOMEM, "log %s", name);
        /* Not the buffer: its pages come with what is read. */
        memset(r, 0, offsetof(struct logs_reader, buffer));
        r->fd = r->next = r->inotify = -EBADF;
        r->options = *options;
        r->bytes_left = options->limit_bytes;
        strcpy(r->name, name);
        r->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
        if (r->dir_fd < 0)
                return err_errno(err, errno, "log %s", name);
        e = options->follow && !options->watched ? watch(r) : 0;
        if (e < 0)
                return err_errno(err, -e, "log %s: watch its directory", name);
        e = open_first(r);
        if (e < 0 && !(e == -ENOENT && options->follow))
                return err_errno(err, -e, "log %s", name);
        r->at_end = true;
        *ret_reader = TAKE_PTR(r);
        return 0;
}

int logs_reader_fd(const struct logs_reader *r) {
        return r->inotify;
}

bool logs_reader_missed(struct logs_reader *r) {
        bool missed = r->missed;

        r->missed = false;
        return missed;
}

uint64_t logs_reader_skipped(const struct logs_reader *r) {
        return r->skipped;
}

void logs_reader_free(struct logs_reader *r) {
        if (!r)
                return;
        close_fd(r->fd);
        close_fd(r->next);
        logs_files_done(&r->queue);
        close_fd(r->dir_fd);
        close_fd(r->inotify);
        free(r);
}

void logs_reader_freep(struct logs_reader **r) {
        logs_reader_free(*r);
        *r = NULL;
}
