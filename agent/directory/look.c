/* One look at the directory, on the pool. */
#include "agent/directory/look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/grow.h"
#include "lib/texts.h"

/* Whether @code says that something is short, and nothing of what was asked for. */
static bool is_want(int code) {
        return code == EMFILE || code == ENFILE || code == ENOMEM || code == EIO;
}

/* What editors and package tools leave beside a file while, or after, they replace it. 4913 is vim's probe. */
bool source_name_counts(const char *name) {
        static const char *const suffixes[] = { "~",        ".swp",    ".swx",      ".tmp",      ".bak",
                                                ".orig",    ".rej",    ".dpkg-new", ".dpkg-old", ".dpkg-tmp",
                                                ".rpmsave", ".rpmnew", ".part" };

        if (name[0] == '.' || name[0] == '\0' || name[0] == '#' || strcmp(name, "4913") == 0)
                return false;
        for (size_t i = 0; i < ELEMENTS(suffixes); i++)
                if (texts_end_in(name, suffixes[i]))
                        return false;
        return true;
}

/* FNV-1a: tells an edit from a touch; nothing hostile gains by a collision but to be overlooked. */
static uint64_t hash_bytes(const char *text, size_t length) {
        uint64_t hash = 14695981039346656037ULL;

        for (size_t i = 0; i < length; i++)
                hash = (hash ^ (unsigned char)text[i]) * 1099511628211ULL;
        return hash;
}

static void look_work(struct pool_job *job);

struct look *look_new(const char *dir, const struct source_events *events, bool all) {
        struct look *look = calloc(1, sizeof(*look));

        if (!look)
                return NULL;
        *look = (struct look){ .job = { .work = look_work }, .events = *events, .all = all, .dir = strdup(dir) };
        if (!look->dir) {
                look_free(look);
                return NULL;
        }
        return look;
}

void look_free(struct look *look) {
        if (!look)
                return;
        for (size_t i = 0; i < look->n_findings; i++) {
                struct finding *f = &look->findings[i];

                if (f->pod)
                        look->events.discard(f->pod);
                err_free(f->err);
                free(f->name);
        }
        free(look->findings);
        free(look->dir);
        free(look);
}

int look_add(struct look *look, const char *name) {
        char *copy;

        if (GROW(look->findings, look->size, look->n_findings + 1, GROW_NO_MAX) < 0 || !(copy = strdup(name)))
                return -ENOMEM;
        look->findings[look->n_findings++] = (struct finding){ .name = copy };
        return 0;
}

static int read_bytes(int fd, char **ret_text, size_t *ret_length, struct err **err) {
        int r = files_read_all(fd, SOURCE_FILE_BYTES_MAX, ret_text, ret_length);

        if (r == -EFBIG)
                return err_set(err, EFBIG, "is larger than a manifest may be (%d bytes)", SOURCE_FILE_BYTES_MAX);
        if (r == -ENOMEM)
                return err_set(err, ENOMEM, "out of memory");
        return r < 0 ? err_errno(err, -r, "cannot read it") : 0;
}

/* O_NONBLOCK: a FIFO in the directory must not hold the thread. */
static int open_file(int dir, const char *name, struct finding *f) {
        int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;

        if (fd < 0) {
                if (errno != ENOENT) {
                        f->there = true;
                        f->again = is_want(errno);
                        err_errno(&f->err, errno, "cannot open it");
                }
                return -EBADF;
        }
        if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
                return close_fd(fd);
        f->there = true;
        if (!S_ISREG(st.st_mode)) {
                err_set(&f->err, EINVAL, "is not a regular file");
                return close_fd(fd);
        }
        return fd;
}

/* Whether somebody has it open for writing: then his close tells when it is whole. Not to be asked after that was told,
 * since the kernel tells of a close before it counts one writer less. A lease is only given to files that nobody
 * writes; should it be called back before it is returned, SIGURG, which does nothing, is the signal. */
static bool is_being_written(int fd) {
        if (fcntl(fd, F_SETSIG, SIGURG) < 0)
                return false;
        if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
                return errno == EAGAIN;
        fcntl(fd, F_SETLEASE, F_UNLCK);
        return false;
}

static void look_at_file(struct look *look, int dir, struct finding *f) {
        _cleanup_close_ int fd = open_file(dir, f->name, f);
        _cleanup_free_ char *text = NULL;
        size_t length = 0;

        if (fd >= 0 && !look->all && !f->closed && is_being_written(fd))
                return;
        if (fd >= 0 && read_bytes(fd, &text, &length, &f->err) == 0) {
                f->hash = hash_bytes(text, length);
                f->changed = !f->old_known || f->hash != f->old_hash;
                if (f->changed)
                        look->events.decode(f->name, text, length, look->events.decode_data, &f->pod, &f->err);
                f->again = f->err && is_want(err_code(f->err));
                return;
        }
        f->again |= is_want(err_code(f->err));
        /* An unreadable file counts as changed once: its text stands for its content. */
        if (f->err && !f->again) {
                err_wrap(&f->err, -err_code(f->err), "%s/%s", look->dir, f->name);
                f->hash = hash_bytes(err_text(f->err), strlen(err_text(f->err)));
                f->changed = !f->old_known || f->hash != f->old_hash;
        }
}

static int by_name(const void *a, const void *b) {
        return strcmp(((const struct finding *)a)->name, ((const struct finding *)b)->name);
}

/* Adds what the listing has beyond the files known before. Sorted, so that of two files with one pod the same
 * wins each time. */
static void list(struct look *look, int fd) {
        int copy = dup(fd);
        _cleanup_closedir_ DIR *dir = open_dir(copy);
        size_t n_known = look->n_findings;
        struct dirent *entry;

        if (!dir) {
                look->failed = errno;
                return;
        }
        while ((entry = readdir(dir))) {
                bool known = false;

                if (!source_name_counts(entry->d_name) || entry->d_type == DT_DIR)
                        continue;
                for (size_t i = 0; i < n_known && !known; i++)
                        known = strcmp(look->findings[i].name, entry->d_name) == 0;
                if (known)
                        continue;
                if (look->n_findings >= SOURCE_FILES_MAX) {
                        look->too_many = true;
                        break;
                }
                if (look_add(look, entry->d_name) < 0) {
                        look->failed = ENOMEM;
                        break;
                }
        }
        if (look->n_findings > n_known)
                qsort(look->findings + n_known, look->n_findings - n_known, sizeof(*look->findings), by_name);
}

static void look_work(struct pool_job *job) {
        struct look *look = (struct look *)job;
        _cleanup_close_ int dir = open(look->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        look->error = dir < 0 ? errno : 0;
        if (dir < 0 && errno != ENOENT && errno != ENOTDIR)
                look->failed = errno;
        if (dir < 0)
                return;
        if (look->all)
                list(look, dir);
        for (size_t i = 0; i < look->n_findings && !look->failed; i++)
                look_at_file(look, dir, &look->findings[i]);
}
