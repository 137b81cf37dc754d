#include "cri/state/sync.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

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
        bool all_waiting, all_working; /* there was no memory to say what: the whole file system */
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

static int sync_all(const struct cri *cri) {
        _cleanup_close_ int fd = open(cri->options.root_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 || syncfs(fd) < 0 ? -errno : 0;
}

static int sync_entries(const struct cri *cri, const struct entry *entries, bool all) {
        _cleanup_arena_ struct arena *arena = NULL;
        int r = 0, q;

        if (all)
                return sync_all(cri);
        if (!entries)
                return 0;
        if (!(arena = arena_new()))
                return sync_all(cri);
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

        sync->error = sync_entries(sync->cri, sync->working, sync->all_working);
}

static void begin(uv_timer_t *timer);

static void job_done(struct pool_job *job) {
        struct cri_sync *sync = (struct cri_sync *)job;

        if (sync->error < 0)
                log_warning("records are not on the disk: %s", strerror(-sync->error));
        free_entries(TAKE_PTR(sync->working));
        sync->under_way = false;
        if (sync->waiting || sync->all_waiting)
                uv_timer_start(sync->timer, begin, SYNC_DELAY_MS, 0);
}

static void begin(uv_timer_t *timer) {
        struct cri_sync *sync = timer->data;

        sync->working = TAKE_PTR(sync->waiting);
        sync->all_working = sync->all_waiting;
        sync->all_waiting = false;
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

/* The entry of @folder among those that wait; NULL without memory. */
static struct entry *wait_for(struct cri_sync *sync, const char *folder) {
        struct entry *entry;

        for (entry = sync->waiting; entry; entry = entry->next)
                if (strcmp(entry->folder, folder) == 0)
                        return entry;
        entry = malloc(sizeof(*entry) + strlen(folder) + 1);
        if (!entry)
                return NULL;
        strcpy(entry->folder, folder);
        entry->next = sync->waiting;
        return sync->waiting = entry;
}

void sync_later(struct cri *cri, enum record_kind kind, const char *id) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *folder = arena ? record_dir(cri, arena, kind, id) : NULL;
        struct cri_sync *sync = cri->sync;

        if (!sync)
                return;
        if (!folder || !wait_for(sync, folder))
                sync->all_waiting = true;
        if (!sync->under_way && !uv_is_active((uv_handle_t *)sync->timer))
                uv_timer_start(sync->timer, begin, SYNC_DELAY_MS, 0);
}

void sync_free(struct cri_sync *sync) {
        if (!sync)
                return;
        sync_entries(sync->cri, sync->waiting, sync->all_waiting);
        free_entries(sync->waiting);
        handle_free(sync->timer);
        free(sync);
}
