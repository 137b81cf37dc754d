#include "cri/state/sync.h"

#include <fcntl.h>
#include <string.h>

#include "lib/handle.h"
#include "lib/log.h"

struct entry {
        struct entry *next;
        char folder[]; /* ROOT/sandboxes/ID */
};

struct cri_sync {
        struct pool_job job; /* first */
        struct cri *cri;
        uv_timer_t *timer;
        struct entry *waiting, *working;
        bool under_way;
        int error; /* of the last job */
};

static int sync_path(const char *path, int flags) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags);

        if (fd < 0)
                return errno == ENOENT ? 0 : -errno; /* removed meanwhile */
        return fsync(fd) < 0 ? -errno : 0;
}

/* The files of one object's directory, then the directory itself. */
static int sync_folder(const char *folder) {
        static const char *const files[] = { "sandbox.pb", "container.pb", "exit.pb" };
        char path[4096];
        int r = 0, q;

        for (size_t i = 0; i < ELEMENTS(files); i++) {
                if (snprintf(path, sizeof(path), "%s/%s", folder, files[i]) >= (int)sizeof(path))
                        return -ENAMETOOLONG;
                q = sync_path(path, 0);
                r = r < 0 ? r : q;
        }
        q = sync_path(folder, O_DIRECTORY);
        return r < 0 ? r : q;
}

static int sync_entries(const struct cri *cri, const struct entry *entries) {
        _cleanup_arena_ struct arena *arena = arena_new();
        int r = 0, q;

        if (!arena || !entries)
                return 0;
        for (; entries; entries = entries->next) {
                q = sync_folder(entries->folder);
                r = r < 0 ? r : q;
        }
        for (enum record_kind kind = RECORD_SANDBOX; kind <= RECORD_CONTAINER; kind++) {
                const char *parent = record_dir(cri, arena, kind, "");

                q = parent ? sync_path(parent, O_DIRECTORY) : -ENOMEM;
                r = r < 0 ? r : q;
        }
        return r;
}

static void free_entries(struct entry *entries) {
        struct entry *next;

        for (; entries; entries = next) {
                next = entries->next;
                free(entries);
        }
}

static void job_work(struct pool_job *job) {
        struct cri_sync *sync = (struct cri_sync *)job;

        sync->error = sync_entries(sync->cri, sync->working);
}

static void begin(uv_timer_t *timer);

static void job_done(struct pool_job *job) {
        struct cri_sync *sync = (struct cri_sync *)job;

        if (sync->error < 0)
                log_warning("records are not on the disk: %s", strerror(-sync->error));
        free_entries(TAKE_PTR(sync->working));
        sync->under_way = false;
        if (sync->waiting)
                uv_timer_start(sync->timer, begin, SYNC_DELAY_MS, 0);
}

static void begin(uv_timer_t *timer) {
        struct cri_sync *sync = timer->data;

        sync->working = TAKE_PTR(sync->waiting);
        sync->under_way = true;
        sync->job = (struct pool_job){ .work = job_work, .done = job_done };
        pool_submit(sync->cri->pool, &sync->job);
}

int sync_new(struct cri *cri, struct cri_sync **ret_sync, struct err **err) {
        struct cri_sync *sync = calloc(1, sizeof(*sync));

        if (!sync || !(sync->timer = handle_timer(cri->loop, sync))) {
                free(sync);
                return err_set(err, ENOMEM, "out of memory");
        }
        sync->cri = cri;
        *ret_sync = sync;
        return 0;
}

void sync_later(struct cri *cri, enum record_kind kind, const char *id) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *folder = arena ? record_dir(cri, arena, kind, id) : NULL;
        struct cri_sync *sync = cri->sync;
        struct entry *entry;

        if (!sync || !folder)
                return;
        for (entry = sync->waiting; entry; entry = entry->next)
                if (strcmp(entry->folder, folder) == 0)
                        return;
        entry = malloc(sizeof(*entry) + strlen(folder) + 1);
        if (!entry)
                return;
        strcpy(entry->folder, folder);
        entry->next = sync->waiting;
        if (!sync->waiting && !sync->under_way)
                uv_timer_start(sync->timer, begin, SYNC_DELAY_MS, 0);
        sync->waiting = entry;
}

void sync_free(struct cri_sync *sync) {
        if (!sync)
                return;
        sync_entries(sync->cri, sync->waiting);
        free_entries(sync->waiting);
        handle_free(sync->timer);
        free(sync);
}
