#include "agent/node/keeper.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/files.h"

struct keeper {
        struct pool_job job; /* first */
        struct pool *pool;
        const struct keeper_ops *ops;
        void *data;
        char *path;
        uint64_t generation, writing; /* the newest; of the writing under way */
        void *bytes;
        size_t size;
        struct err *err;
        bool busy, freed;
};

struct keeper *keeper_new(struct pool *pool, const char *path, const struct keeper_ops *ops, void *data) {
        struct keeper *k = calloc(1, sizeof(*k));

        if (!k || !(k->path = strdup(path))) {
                free(k);
                return NULL;
        }
        k->pool = pool;
        k->ops = ops;
        k->data = data;
        return k;
}

static void destroy(struct keeper *k) {
        free(k->bytes);
        err_free(k->err);
        free(k->path);
        free(k);
}

static void work(struct pool_job *job) {
        struct keeper *k = (struct keeper *)job;

        if (!k->err)
                files_replace_synced(k->path, k->bytes, k->size, 0600, &k->err);
}

static void write_now(struct keeper *k);

static void done(struct pool_job *job) {
        struct keeper *k = (struct keeper *)job;
        struct err *err = TAKE_PTR(k->err);

        free(TAKE_PTR(k->bytes));
        k->busy = false;
        if (k->freed) {
                err_free(err);
                destroy(k);
                return;
        }
        if (k->generation > k->writing) {
                uint64_t written = k->writing;

                write_now(k);
                k->ops->written(k->data, written, err);
        } else
                k->ops->written(k->data, k->writing, err);
        err_free(err);
}

/* Without memory for it the job says so, by the same way as everything that fails. */
static void write_now(struct keeper *k) {
        k->busy = true;
        k->writing = k->generation;
        if (k->ops->pack(k->data, &k->bytes, &k->size) < 0)
                err_set(&k->err, ENOMEM, "%s: out of memory", k->path);
        k->job = (struct pool_job){ .work = work, .done = done };
        pool_submit(k->pool, &k->job);
}

uint64_t keeper_changed(struct keeper *k) {
        k->generation++;
        if (!k->busy)
                write_now(k);
        return k->generation;
}

int keeper_write(struct keeper *k, struct err **err) {
        _cleanup_free_ void *bytes = NULL;
        size_t size;

        assert(k->generation == 0);
        if (k->ops->pack(k->data, &bytes, &size) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return files_replace_synced(k->path, bytes, size, 0600, err);
}

void keeper_free(struct keeper *k) {
        if (!k)
                return;
        k->freed = true;
        if (!k->busy)
                destroy(k);
}
