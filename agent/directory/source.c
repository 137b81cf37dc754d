#include "agent/directory/source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "agent/directory/look.h"
#include "agent/directory/watch.h"
#include "lib/cleanup.h"
#include "lib/grow.h"
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

static struct file *find_file(struct source *s, const char *name) {
        for (size_t i = 0; i < s->n_files; i++)
                if (strcmp(s->files[i].name, name) == 0)
                        return &s->files[i];
        return NULL;
}

static struct file *add_file(struct source *s, const char *name) {
        char *copy;

        if (GROW(s->files, s->size, s->n_files + 1, GROW_NO_MAX) < 0 || !(copy = strdup(name)))
                return NULL;
        s->files[s->n_files] = (struct file){ .name = copy };
        return &s->files[s->n_files++];
}

static void remove_file(struct source *s, struct file *file) {
        free(file->name);
        *file = s->files[--s->n_files];
}

static void look_done(struct pool_job *job);
static void on_retry(uv_timer_t *timer);

static void retry_later(struct source *s) {
        uv_timer_start(s->retry, on_retry, SOURCE_RETRY_SECONDS * 1000, 0);
}

/* Nothing is lost for want of memory: all files are looked at a little later. */
static void look_again(struct source *s) {
        log_warning("%s: out of memory; it is looked at again", s->dir);
        s->rescan = true;
        retry_later(s);
}

static bool is_wanted(const struct source *s, const struct file *file) {
        return s->rescan || file->dirty;
}

/* The look that is wanted; NULL without memory. */
static struct look *look_of(struct source *s) {
        struct look *look = look_new(s->dir, &s->events, s->rescan);

        for (size_t i = 0; i < s->n_files && look; i++) {
                const struct file *file = &s->files[i];
                struct finding *f;

                if (!is_wanted(s, file))
                        continue;
                if (look_add(look, file->name) < 0) {
                        look_free(look);
                        return NULL;
                }
                f = &look->findings[look->n_findings - 1];
                f->old_hash = file->hash;
                f->old_known = file->known;
                f->closed = file->closed;
        }
        return look;
}

/* Starts a look when something is to be looked at and none is under way. */
static void look_if_needed(struct source *s) {
        bool wanted = false;

        for (size_t i = 0; i < s->n_files; i++)
                wanted |= is_wanted(s, &s->files[i]);
        if ((!wanted && !s->rescan) || s->look)
                return;
        if (!(s->look = look_of(s))) {
                look_again(s);
                return;
        }
        for (size_t i = 0; i < s->n_files; i++)
                if (is_wanted(s, &s->files[i]))
                        s->files[i].dirty = s->files[i].closed = false;
        s->rescan = false;
        s->look->source = s;
        s->look->job.done = look_done;
        pool_submit(s->pool, &s->look->job);
}

static void on_retry(uv_timer_t *timer) {
        look_if_needed(timer->data);
}

static void take_unread(struct source *s, const struct finding *f) {
        struct file *file = find_file(s, f->name);

        log_warning("%s/%s: %s; it is tried again", s->dir, f->name, err_text(f->err));
        if (file || (file = add_file(s, f->name)))
                file->dirty = true;
        else
                s->rescan = true;
        s->events.unread(s->events.data, f->name);
        retry_later(s);
}

static void take_gone(struct source *s, const struct finding *f) {
        struct file *file = find_file(s, f->name);
        bool known = file && file->known;

        if (!file || file->dirty)
                return;
        remove_file(s, file);
        if (known)
                s->events.gone(s->events.data, f->name);
}

static void take_changed(struct source *s, struct finding *f) {
        struct file *file = find_file(s, f->name);

        if (!file && !(file = add_file(s, f->name))) {
                look_again(s);
                return;
        }
        file->hash = f->hash;
        file->known = true;
        if (f->pod)
                s->events.pod(s->events.data, f->name, TAKE_PTR(f->pod));
        else
                s->events.broken(s->events.data, f->name, err_text(f->err));
}

static void take_finding(struct source *s, struct finding *f) {
        if (f->again)
                take_unread(s, f);
        else if (!f->there)
                take_gone(s, f);
        else if (f->changed)
                take_changed(s, f);
}

/* Whether the directory could be looked at; what could not is told. */
static bool take_look(struct source *s, const struct look *look) {
        if (look->failed) {
                log_warning("cannot look into %s, which is tried again: %s", s->dir, strerror(look->failed));
                s->rescan = true;
                retry_later(s);
                return false;
        }
        if (look->error && look->error != s->error)
                log_warning("%s: %s; its pods run when it is a directory", s->dir, strerror(look->error));
        s->error = look->error;
        if (look->too_many)
                log_warning("%s holds more than %d files; the rest is passed over", s->dir, SOURCE_FILES_MAX);
        return true;
}

static void look_done(struct pool_job *job) {
        struct look *look = (struct look *)job;
        struct source *s = look->source;
        bool taken = s && take_look(s, look);

        if (s)
                s->look = NULL;
        /* Removals first: a pod that moved from one file to another must not meet itself. */
        for (size_t i = 0; i < look->n_findings && taken; i++)
                if (!look->findings[i].there)
                        take_finding(s, &look->findings[i]);
        for (size_t i = 0; i < look->n_findings && taken; i++)
                if (look->findings[i].there)
                        take_finding(s, &look->findings[i]);
        look_free(look);
        if (!taken)
                return;
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
                if (!(file = find_file(s, name)) && !(file = add_file(s, name))) {
                        look_again(s);
                        return;
                }
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
                s->look->source = NULL; /* it is freed when it is done */
        for (size_t i = 0; i < s->n_files; i++)
                free(s->files[i].name);
        free(s->files);
        free(s->dir);
        free(s);
}
