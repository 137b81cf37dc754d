#include "agent/directory/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/directory/watch.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/log.h"

/* A file as last heard of. */
struct file {
        char *name;
        uint64_t hash; /* of its bytes */
        bool known;    /* hash says something */
        bool dirty;    /* to be read again */
        bool closed;   /* since it was last looked at, a writer has closed it or it was moved here */
};

/* What the pool found of one file. */
struct finding {
        char *name;
        uint64_t old_hash, hash;
        bool old_known;
        bool closed;
        bool there, changed;
        bool again; /* it could not be looked at for want of something else: nothing is known of it */
        struct pod *pod;
        struct err *err;
};

/* One look at the directory, on the pool: all of it, or the files that changed. */
struct look {
        struct pool_job job;
        struct source *source; /* NULL: the source is gone */
        char *dir;
        struct source_events events;
        bool all;
        bool too_many;
        int failed; /* errno for which the directory could not be looked at; nothing in it is gone for that */
        int error;  /* of opening the directory; 0: none */
        struct finding *findings;
        size_t n_findings, size;
};

struct source {
        uv_loop_t *loop;
        struct pool *pool;
        char *dir;
        struct source_events events;
        struct watch *watch;
        struct file *files;
        size_t n_files, size;
        struct look *look; /* under way */
        uv_timer_t *retry; /* after a look that failed */
        bool rescan;       /* all files are to be looked at */
        int error;         /* of opening the directory, as last told */
};

/* Whether @code says that something is short, and nothing of what was asked for. */
static bool is_want(int code) {
        return code == EMFILE || code == ENFILE || code == ENOMEM || code == EIO;
}

static bool ends_with(const char *name, const char *suffix) {
        size_t n = strlen(name), m = strlen(suffix);

        return n >= m && strcmp(name + n - m, suffix) == 0;
}

/* What editors and package tools leave beside a file while, or after, they replace it. 4913 is vim's probe. */
bool source_name_counts(const char *name) {
        static const char *const suffixes[] = { "~",        ".swp",    ".swx",      ".tmp",      ".bak",
                                                ".orig",    ".rej",    ".dpkg-new", ".dpkg-old", ".dpkg-tmp",
                                                ".rpmsave", ".rpmnew", ".part" };

        if (name[0] == '.' || name[0] == '\0' || name[0] == '#' || strcmp(name, "4913") == 0)
                return false;
        for (size_t i = 0; i < ELEMENTS(suffixes); i++)
                if (ends_with(name, suffixes[i]))
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

/* -- on the pool ------------------------------------------------------------------------------------------- */

static int add_finding(struct look *look, const char *name) {
        if (look->n_findings == look->size) {
                size_t size = look->size ? look->size * 2 : 16;
                struct finding *more = reallocarray(look->findings, size, sizeof(*more));

                if (!more)
                        return -ENOMEM;
                look->findings = more;
                look->size = size;
        }
        char *copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        look->findings[look->n_findings++] = (struct finding){ .name = copy };
        return 0;
}

static int read_bytes(int fd, char **ret_text, size_t *ret_length, struct err **err) {
        _cleanup_free_ char *text = NULL;
        size_t length = 0, size = 0;

        for (;;) {
                if (length == size) {
                        size = size ? size * 2 : 8192;
                        char *more = realloc(text, size + 1);
                        if (!more)
                                return err_set(err, ENOMEM, "out of memory");
                        text = more;
                }
                ssize_t n = read(fd, text + length, size - length);
                if (n < 0)
                        return err_errno(err, errno, "cannot read it");
                if (n == 0)
                        break;
                length += (size_t)n;
                if (length > SOURCE_FILE_BYTES_MAX)
                        return err_set(err, EFBIG, "is larger than a manifest may be (%d bytes)",
                                       SOURCE_FILE_BYTES_MAX);
        }
        text[length] = '\0';
        *ret_text = TAKE_PTR(text);
        *ret_length = length;
        return 0;
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
                if (add_finding(look, entry->d_name) < 0) {
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

/* -- on the loop ------------------------------------------------------------------------------------------- */

static void look_free(struct look *look) {
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

static struct file *find_file(struct source *s, const char *name) {
        for (size_t i = 0; i < s->n_files; i++)
                if (strcmp(s->files[i].name, name) == 0)
                        return &s->files[i];
        return NULL;
}

static struct file *add_file(struct source *s, const char *name) {
        if (s->n_files == s->size) {
                size_t size = s->size ? s->size * 2 : 16;
                struct file *more = reallocarray(s->files, size, sizeof(*more));

                if (!more)
                        return NULL;
                s->files = more;
                s->size = size;
        }
        char *copy = strdup(name);
        if (!copy)
                return NULL;
        s->files[s->n_files] = (struct file){ .name = copy };
        return &s->files[s->n_files++];
}

static void remove_file(struct source *s, struct file *file) {
        free(file->name);
        *file = s->files[--s->n_files];
}

static void look_done(struct pool_job *job);

/* Starts a look when something is to be looked at and none is under way. */
static void look_if_needed(struct source *s) {
        struct look *look;
        bool wanted = s->rescan;

        for (size_t i = 0; i < s->n_files; i++)
                wanted |= s->files[i].dirty;
        if (!wanted || s->look || !(look = calloc(1, sizeof(*look))))
                return;
        look->job = (struct pool_job){ .work = look_work, .done = look_done };
        look->source = s;
        look->events = s->events;
        look->all = s->rescan;
        look->dir = strdup(s->dir);
        for (size_t i = 0; i < s->n_files && look->dir; i++) {
                struct file *file = &s->files[i];

                if (!s->rescan && !file->dirty)
                        continue;
                if (add_finding(look, file->name) < 0)
                        continue;
                look->findings[look->n_findings - 1].old_hash = file->hash;
                look->findings[look->n_findings - 1].old_known = file->known;
                look->findings[look->n_findings - 1].closed = file->closed;
                file->dirty = file->closed = false;
        }
        if (!look->dir) {
                look_free(look);
                return;
        }
        s->rescan = false;
        s->look = look;
        pool_submit(s->pool, &look->job);
}

static void on_retry(uv_timer_t *timer) {
        look_if_needed(timer->data);
}

static void retry_later(struct source *s) {
        if (s->retry)
                uv_timer_start(s->retry, on_retry, SOURCE_RETRY_SECONDS * 1000, 0);
}

static void take_finding(struct source *s, struct finding *f) {
        struct file *file = find_file(s, f->name);

        if (f->again) {
                log_warning("%s/%s: %s; it is tried again", s->dir, f->name, err_text(f->err));
                if (file || (file = add_file(s, f->name)))
                        file->dirty = true;
                s->events.unread(s->events.data, f->name);
                retry_later(s);
                return;
        }

        if (!f->there) {
                if (file && !file->dirty) {
                        bool known = file->known;

                        remove_file(s, file);
                        if (known)
                                s->events.gone(s->events.data, f->name);
                }
                return;
        }
        if (!f->changed || (!file && !(file = add_file(s, f->name))))
                return;
        file->hash = f->hash;
        file->known = true;
        if (f->pod)
                s->events.pod(s->events.data, f->name, TAKE_PTR(f->pod));
        else
                s->events.broken(s->events.data, f->name, err_text(f->err));
}

static void look_done(struct pool_job *job) {
        struct look *look = (struct look *)job;
        struct source *s = look->source;

        if (!s) {
                look_free(look);
                return;
        }
        s->look = NULL;
        if (look->failed) {
                log_warning("cannot look into %s, which is tried again: %s", s->dir, strerror(look->failed));
                s->rescan = true;
                retry_later(s);
                look_free(look);
                return;
        }
        if (look->error && look->error != s->error)
                log_warning("%s: %s; its pods run when it is a directory", s->dir, strerror(look->error));
        s->error = look->error;
        if (look->too_many)
                log_warning("%s holds more than %d files; the rest is passed over", s->dir, SOURCE_FILES_MAX);
        /* Removals first: a pod that moved from one file to another must not meet itself. */
        for (size_t i = 0; i < look->n_findings; i++)
                if (!look->findings[i].there)
                        take_finding(s, &look->findings[i]);
        for (size_t i = 0; i < look->n_findings; i++)
                if (look->findings[i].there)
                        take_finding(s, &look->findings[i]);
        look_free(look);
        s->events.looked(s->events.data);
        if (!uv_is_active((uv_handle_t *)s->retry))
                look_if_needed(s);
}

static void on_entry(void *data, const char *name, uint32_t mask) {
        struct source *s = data;
        struct file *file;

        if (strcmp(name, "..data") == 0) {
                s->rescan = true;
        } else if (source_name_counts(name) && !(mask & IN_ISDIR)) {
                if (!(file = find_file(s, name)) && !(file = add_file(s, name)))
                        return;
                file->dirty = true;
                file->closed |= (mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0;
        }
        look_if_needed(s);
}

static void on_rescan(void *data) {
        struct source *s = data;

        s->rescan = true;
        look_if_needed(s);
}

int source_new(uv_loop_t *loop, struct pool *pool, const char *dir, const struct source_events *events,
               struct source **ret_source, struct err **err) {
        struct source *s = calloc(1, sizeof(*s));
        struct watch_events heard = { .entry = on_entry, .rescan = on_rescan, .data = s };
        int r;

        if (!s || !(s->dir = strdup(dir))) {
                free(s);
                return err_set(err, ENOMEM, "out of memory");
        }
        s->loop = loop;
        s->pool = pool;
        s->events = *events;
        if (!(s->retry = handle_timer(loop, s))) {
                source_free(s);
                return err_set(err, ENOMEM, "out of memory");
        }
        if ((r = watch_new(loop, dir, &heard, &s->watch, err)) < 0) {
                source_free(s);
                return r;
        }
        s->rescan = true;
        look_if_needed(s);
        *ret_source = s;
        return 0;
}

void source_free(struct source *s) {
        if (!s)
                return;
        watch_free(s->watch);
        handle_free(s->retry);
        if (s->look)
                s->look->source = NULL;
        for (size_t i = 0; i < s->n_files; i++)
                free(s->files[i].name);
        free(s->files);
        free(s->dir);
        free(s);
}
