#include "logs/writer_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "logs/names.h"

#ifndef RENAME_EXCHANGE /* not in musl 1.2.3 */
#define RENAME_EXCHANGE (1 << 1)
#endif

#define NS_PER_SECOND UINT64_C(1000000000)

/* ".20261121-104715.123456789" */
#define SUFFIX_SIZE 26

/* How far back the last newline is looked for in a file that was torn. */
#define TORN_MAX (LOGS_LINE_MAX + 4096)

static void utc(uint64_t time_ns, struct tm *ret_tm) {
        time_t seconds = (time_t)(time_ns / NS_PER_SECOND);

        gmtime_r(&seconds, ret_tm);
}

static void advance_clock(struct logs_writer *w) {
        uint64_t now = (uint64_t)clock_ns(CLOCK_REALTIME);

        if (now > w->time_ns || w->time_ns - now > LOGS_CLOCK_STEP_SECONDS * NS_PER_SECOND)
                w->time_ns = now;
}

void logs_prefix(struct logs_writer *w, enum logs_stream_name name, char ret_prefix[LOGS_PREFIX_SIZE + 1]) {
        char text[80];
        struct tm tm;

        advance_clock(w);
        utc(w->time_ns, &tm);
        snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ %s F ", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(w->time_ns % NS_PER_SECOND),
                 name == LOGS_STDERR ? "stderr" : "stdout");
        memcpy(ret_prefix, text, LOGS_PREFIX_SIZE);
        ret_prefix[LOGS_PREFIX_SIZE] = '\0';
}

static uint64_t count_lines(const char *data, size_t size) {
        const char *end = data + size;
        uint64_t n = 0;

        while (data < end) {
                const char *newline = memchr(data, '\n', (size_t)(end - data));

                if (!newline)
                        break;
                n++;
                data = newline + 1;
        }
        return n;
}

void logs_writer_drop(struct logs_writer *w, uint64_t lines, int error) {
        w->dropped += lines;
        w->dropped_total += lines;
        w->dropped_error = error;
}

/* Writes whole entries or, after a failure, as many whole entries as got there. Returns 0 or a negative errno. */
static int write_entries(struct logs_writer *w, const char *data, size_t size) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = write(w->fd, data + done, size - done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        int error = n < 0 ? errno : EIO;
                        const char *last = memrchr(data, '\n', done);
                        size_t whole = last ? (size_t)(last - data) + 1 : 0;

                        if (whole < done && ftruncate(w->fd, (off_t)(w->size + whole)) < 0)
                                whole = done;
                        w->size += whole;
                        logs_writer_drop(w, count_lines(data + whole, size - whole), error);
                        return -error;
                }
                done += (size_t)n;
        }
        w->size += size;
        return 0;
}

/* Says what was lost, now that there may be space again. */
static int write_notice(struct logs_writer *w) {
        char text[LOGS_PREFIX_SIZE + 256], prefix[LOGS_PREFIX_SIZE + 1];
        uint64_t lost = w->dropped, total = w->dropped_total;
        int n, r, error = w->dropped_error;

        logs_prefix(w, LOGS_STDERR, prefix);
        n = snprintf(text, sizeof(text), "%snacelle: %llu lines of output lost here: %s\n", prefix,
                     (unsigned long long)lost, strerror(error));
        w->dropped = 0;
        r = write_entries(w, text, (size_t)n);
        if (r < 0) { /* the notice itself is not one of the container's lines */
                w->dropped = lost;
                w->dropped_total = total;
        }
        return r;
}

static bool is_empty(int dir_fd, const char *name) {
        struct stat st;

        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

/* A directory's entries, without the heap. */
struct listing {
        int fd;
        long size, at;
        _Alignas(struct dirent) char buffer[2048];
};

static const char *next_name(struct listing *l) {
        const struct dirent *d;

        if (l->at >= l->size) {
                l->size = syscall(SYS_getdents64, l->fd, l->buffer, sizeof(l->buffer));
                l->at = 0;
                if (l->size <= 0)
                        return NULL;
        }
        d = (const void *)(l->buffer + l->at);
        l->at += d->d_reclen;
        return d->d_name;
}

/* Counts the rotated files and finds the oldest. One without entries is what a rotation left that was killed, before
 * this writer: removed at its first look. */
static size_t scan_rotated(struct logs_writer *w, char ret_oldest[NAME_MAX + 1]) {
        _cleanup_close_ int fd = openat(w->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct listing l = { .fd = fd };
        const char *name;
        size_t n_files = 0;

        ret_oldest[0] = '\0';
        while ((name = next_name(&l))) {
                if (!logs_is_rotated(name, w->name) || (!w->swept && is_empty(fd, name) && unlinkat(fd, name, 0) == 0))
                        continue;
                n_files++;
                if (!ret_oldest[0] || strcmp(name, ret_oldest) < 0)
                        snprintf(ret_oldest, NAME_MAX + 1, "%.*s", NAME_MAX, name);
        }
        w->swept = true;
        return n_files;
}

int logs_writer_find(const struct logs_writer *w, uint64_t dev, uint64_t ino) {
        _cleanup_close_ int dir = openat(w->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct listing l = { .fd = dir };
        const char *name;

        while ((name = next_name(&l))) {
                _cleanup_close_ int fd = -EBADF;
                struct stat st;

                if (strncmp(name, w->name, strlen(w->name)) != 0)
                        continue;
                fd = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
                if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_dev == dev && st.st_ino == ino)
                        return TAKE_FD(fd);
        }
        return -ENOENT;
}

/* Whether somebody reads the log who has come no further than this file (logs_files_hold()), and has not let it lie. */
static bool is_held(const struct logs_writer *w, const char *name) {
        _cleanup_close_ int fd = openat(w->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        uint64_t written;
        struct stat st;

        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0 || fstat(fd, &st) < 0)
                return false;
        written = (uint64_t)st.st_mtim.tv_sec * NS_PER_SECOND + (uint64_t)st.st_mtim.tv_nsec;
        return w->time_ns < written + LOGS_BEHIND_SECONDS * NS_PER_SECOND;
}

/* How many rotated files there may be for somebody's sake who reads. */
static size_t behind_max(const struct logs_writer *w) {
        uint64_t more = w->limits.size > 0 ? LOGS_BEHIND_BYTES / w->limits.size : 0;

        return more < LOGS_ROTATED_MAX - w->limits.files ? w->limits.files + (size_t)more : LOGS_ROTATED_MAX - 1;
}

static void remove_oldest(struct logs_writer *w) {
        char oldest[NAME_MAX + 1];

        w->behind = false;
        w->trimmed_ns = w->time_ns;
        for (unsigned tries = 0; tries < LOGS_ROTATED_MAX; tries++) {
                size_t n = scan_rotated(w, oldest);

                if (n < w->limits.files)
                        return;
                w->behind = n < behind_max(w) && is_held(w, oldest);
                if (w->behind || unlinkat(w->dir_fd, oldest, 0) < 0)
                        return;
        }
}

/* The writer goes on in this file. */
static void use_file(struct logs_writer *w, int fd, uint64_t size) {
        struct stat st = { 0 };

        fstat(fd, &st);
        close_fd(w->fd);
        w->fd = fd;
        w->dev = st.st_dev;
        w->ino = st.st_ino;
        w->size = size;
        w->rotate_at = w->limits.size;
}

static int open_log(const struct logs_writer *w, const char *name, int flags) {
        int fd = openat(w->dir_fd, name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | flags,
                        0640);

        return fd < 0 ? -errno : fd;
}

static void rotated_name(const struct logs_writer *w, uint64_t time_ns, char ret_name[NAME_MAX + 1]) {
        char stamp[128];
        struct tm tm;

        utc(time_ns, &tm);
        snprintf(stamp, sizeof(stamp), ".%04d%02d%02d-%02d%02d%02d.%09u", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                 tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(time_ns % NS_PER_SECOND));
        memccpy(mempcpy(ret_name, w->name, strlen(w->name)), stamp, '\0', SUFFIX_SIZE + 2);
}

/* Makes the next file under the name that the full one is to have: later than every name before it, also where one
 * batch fills several files and the first of them are gone again. */
static int make_fresh(struct logs_writer *w, char ret_name[NAME_MAX + 1]) {
        uint64_t time_ns = w->time_ns;
        int fd = -EEXIST;

        if (time_ns <= w->rotated_ns && w->rotated_ns - time_ns < LOGS_CLOCK_STEP_SECONDS * NS_PER_SECOND)
                time_ns = w->rotated_ns + 1;
        for (unsigned tries = 0; tries < LOGS_FILES_MAX && fd == -EEXIST; tries++) {
                rotated_name(w, time_ns, ret_name);
                w->rotated_ns = time_ns++;
                fd = open_log(w, ret_name, O_EXCL);
        }
        return fd;
}

/* The new file is there before the two swap their names in one step: whenever this ends, NAME is there, and no entry is
 * in two files. */
static int rotate(struct logs_writer *w) {
        char rotated[NAME_MAX + 1];
        _cleanup_close_ int fd = make_fresh(w, rotated);
        int r;

        if (fd < 0)
                return fd;
        r = syscall(SYS_renameat2, w->dir_fd, rotated, w->dir_fd, w->name, RENAME_EXCHANGE) < 0 ? -errno : 0;
        if (r == -ENOENT) /* someone took the file away; a new one is wanted all the more */
                r = renameat(w->dir_fd, rotated, w->dir_fd, w->name) < 0 ? -errno : 0;
        if (r < 0) {
                unlinkat(w->dir_fd, rotated, 0);
                return r;
        }
        use_file(w, TAKE_FD(fd), 0);
        remove_oldest(w);
        return 0;
}

size_t logs_writer_room(const struct logs_writer *w) {
        if (w->limits.size == 0)
                return SIZE_MAX;
        return w->rotate_at > w->size ? (size_t)(w->rotate_at - w->size) : 0;
}

void logs_writer_append(struct logs_writer *w, struct logs_intent *intent, const char *data, size_t size) {
        off_t end;

        if (size > logs_writer_room(w) && w->size > 0 && rotate(w) < 0)
                /* go on in this file and try again a while later */
                w->rotate_at = w->size + size + w->limits.size / 8;
        if (w->behind && w->time_ns - w->trimmed_ns >= NS_PER_SECOND)
                remove_oldest(w);
        if (w->dropped > 0 && write_notice(w) < 0) {
                logs_writer_drop(w, count_lines(data, size), w->dropped_error);
                return;
        }
        end = lseek(w->fd, 0, SEEK_END); /* somebody may have cut it */
        if (end >= 0)
                w->size = (uint64_t)end;
        intent->dev = w->dev;
        intent->ino = w->ino;
        intent->before = w->size;
        intent->after = w->size + size;
        logs_intent_enter(intent, LOGS_PHASE_WRITING);
        write_entries(w, data, size);
}

/* What a power cut or a kill left behind the last newline is no entry. */
static void cut_torn_entry(int fd, off_t *size) {
        char buffer[TORN_MAX];
        off_t from = *size > (off_t)sizeof(buffer) ? *size - (off_t)sizeof(buffer) : 0;
        ssize_t n = pread(fd, buffer, sizeof(buffer), from);
        const char *last;

        if (n <= 0 || buffer[n - 1] == '\n')
                return;
        last = memrchr(buffer, '\n', (size_t)n);
        if (!last && from > 0)
                return; /* not a log of ours: leave it alone */
        from += last ? last - buffer + 1 : 0;
        if (ftruncate(fd, from) == 0)
                *size = from;
}

/* Opens NAME for appending, refusing what is not a regular file. */
static int open_current(const struct logs_writer *w, int *ret_fd, uint64_t *ret_size) {
        _cleanup_close_ int fd = open_log(w, w->name, 0);
        struct stat st;
        off_t size;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        size = st.st_size;
        if (size > 0) {
                _cleanup_close_ int reading = openat(w->dir_fd, w->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

                if (reading >= 0)
                        cut_torn_entry(reading, &size);
        }
        *ret_size = (uint64_t)size;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int logs_writer_open(struct logs_writer *w, int dir_fd, const char *name, const struct logs_limits *limits,
                     int journal_fd) {
        size_t name_size = strlen(name);
        uint64_t size;
        int fd, r;

        *w = (struct logs_writer){ .dir_fd = -EBADF, .fd = -EBADF, .journal_fd = -EBADF, .limits = *limits };
        if (name_size == 0 || strchr(name, '/') || name[0] == '.' || name_size + SUFFIX_SIZE > NAME_MAX)
                return -EINVAL;
        memcpy(w->name, name, name_size + 1);
        if (w->limits.files == 0)
                w->limits.files = 1;
        if (w->limits.files > LOGS_FILES_MAX)
                w->limits.files = LOGS_FILES_MAX;
        w->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
        if (w->dir_fd < 0)
                return -errno;
        r = open_current(w, &fd, &size);
        if (r < 0) {
                w->dir_fd = close_fd(w->dir_fd);
                return r;
        }
        use_file(w, fd, size);
        if (journal_fd >= 0)
                w->journal_fd = fcntl(journal_fd, F_DUPFD_CLOEXEC, 3);
        w->open = true;
        return 0;
}

int logs_writer_reopen(struct logs_writer *w) {
        uint64_t size;
        int fd, r;

        if (!w->open)
                return 0;
        r = open_current(w, &fd, &size);
        if (r < 0)
                return r;
        use_file(w, fd, size);
        return 0;
}

void logs_writer_close(struct logs_writer *w) {
        if (!w->open)
                return;
        if (w->dropped > 0)
                write_notice(w);
        if (w->behind)
                remove_oldest(w);
        w->fd = close_fd(w->fd);
        w->dir_fd = close_fd(w->dir_fd);
        w->journal_fd = close_fd(w->journal_fd);
        w->open = false;
}
