#include "api/chores.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/cache/collection.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define BATCH 16

static const struct row {
        const char *group, *resource;
        const char *name; /* of the objects that matter; NULL: all */
        int (*run)(const struct api_chores_config *config, struct arena *arena);
} rows[] = {
        { "rbac.authorization.k8s.io", "clusterroles", NULL, api_aggregate_roles },
};

struct chore {
        struct collection_listener listener;
        struct api_chores *chores;
        const struct row *row;
        struct api_resource *resource;
        uint64_t next; /* number of the event to be looked at next */
        atomic_bool due;
};

struct api_chores {
        struct api_chores_config config;
        int fd;
        struct chore all[ELEMENTS(rows)];
};

static bool matters(const struct row *row, const struct object *object) {
        return !row->name || strcmp(row->name, object->name) == 0;
}

static void on_changed(struct collection_listener *listener) {
        struct chore *chore = (struct chore *)((char *)listener - offsetof(struct chore, listener));
        struct collection_event events[BATCH];
        int64_t revision;
        bool due = false;
        int n;

        while ((n = collection_read(chore->resource->collection, chore->next, events, BATCH, &revision)) > 0)
                for (int i = 0; i < n; i++, chore->next++) {
                        due |= matters(chore->row, events[i].object);
                        collection_event_clear(&events[i]);
                }
        if (due && !atomic_exchange(&chore->due, true))
                eventfd_write(chore->chores->fd, 1);
}

static int begin(struct api_chores *chores, struct chore *chore, const struct row *row) {
        int r;

        chore->chores = chores;
        chore->row = row;
        atomic_init(&chore->due, true);
        chore->resource = api_state_find(chores->config.state, row->group, row->resource);
        if (!chore->resource)
                return -ENOENT;
        r = collection_seek(chore->resource->collection, api_state_revision(chores->config.state), &chore->next);
        if (r < 0)
                return r;
        chore->listener.changed = on_changed;
        collection_listen(chore->resource->collection, &chore->listener);
        return 0;
}

int api_chores_new(const struct api_chores_config *config, struct api_chores **ret_chores, struct err **err) {
        struct api_chores *chores = calloc(1, sizeof(*chores));
        int r = 0;

        if (!chores)
                return err_set(err, ENOMEM, "no memory to follow what changes");
        chores->config = *config;
        chores->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        if (chores->fd < 0)
                r = -errno;
        for (size_t i = 0; r == 0 && i < ELEMENTS(rows); i++)
                r = begin(chores, &chores->all[i], &rows[i]);
        if (r < 0) {
                api_chores_free(chores);
                return err_errno(err, -r, "cannot follow what changes");
        }
        *ret_chores = chores;
        return 0;
}

struct api_chores *api_chores_free(struct api_chores *chores) {
        if (!chores)
                return NULL;
        for (size_t i = 0; i < ELEMENTS(chores->all); i++)
                if (chores->all[i].listener.changed)
                        collection_ignore(chores->all[i].resource->collection, &chores->all[i].listener);
        close_fd(chores->fd);
        free(chores);
        return NULL;
}

int api_chores_fd(const struct api_chores *chores) {
        return chores->fd;
}

static int run(struct api_chores *chores, struct chore *chore, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        int r = arena ? chore->row->run(&chores->config, arena) : -ENOMEM;

        return r < 0 ? err_errno(err, -r, "cannot bring %s up to date", chore->row->resource) : 0;
}

int api_chores_run(struct api_chores *chores, struct err **err) {
        eventfd_t n;
        int r = 0;

        /* What is changed from here on, by a chore too, is noticed anew. */
        while (r == 0 && eventfd_read(chores->fd, &n) == 0)
                for (size_t i = 0; r == 0 && i < ELEMENTS(chores->all); i++)
                        if (atomic_exchange(&chores->all[i].due, false))
                                r = run(chores, &chores->all[i], err);
        return r;
}
