/* Groups: changes that are one transaction and one wait for the disk, and what there is room for when it is full. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/index.h"
#include "lib/log.h"
#include "store/internal.h"

/* Revisions that are told to the backend before they are given, so that a cut takes none back that somebody saw. */
#define REVISIONS_AHEAD 1000

void store_set_revision(struct store *store, int64_t revision) {
        pthread_mutex_lock(&store->lock);
        store->revision = revision;
        pthread_mutex_unlock(&store->lock);
}

void store_tell(struct store_change *change, int code, int64_t revision, const char *text) {
        change->done(change, &(struct store_result){ code, revision, text });
}

static bool is_refusal(int code) {
        return code == -EEXIST || code == -ENOENT || code == -ESTALE;
}

/* Puts the group into the transaction that is open; each change's outcome is kept. */
static int put_group(struct store *store, const struct store_changes *group, int64_t *revision, struct err **err) {
        struct store_outcome *outcome = store->outcomes;

        LIST_EACH (store_changes, change, group) {
                int64_t current = 0;
                int r;

                if (change->stamp)
                        change->stamp(change, *revision + 1);
                r = store->backend->put(store->data, change, *revision + 1, &current, err);

                if (r < 0 && !is_refusal(r))
                        return r;
                if (r < 0 && change->stamp)
                        change->stamp(change, 0);
                *outcome++ = (struct store_outcome){ r, r == 0 ? ++*revision : current };
        }
        return 0;
}

static void unstamp(const struct store_changes *group) {
        LIST_EACH (store_changes, change, group)
                if (change->stamp)
                        change->stamp(change, 0);
}

/* One transaction with all that is lazy and @group; 0, or nothing was made. */
static int write_group(struct store *store, const struct store_changes *group, struct err **err) {
        int64_t revision = store->revision, reserved = store->reserved;
        int r = store->backend->begin(store->data, err);

        if (r < 0)
                return r;
        r = store_put_lazies(store, err);
        if (r == 0)
                r = put_group(store, group, &revision, err);
        if (revision > store->revision && revision + REVISIONS_AHEAD / 2 > reserved) /* a full disk is only read */
                reserved = revision + REVISIONS_AHEAD;
        if (r < 0 || (r = store->backend->commit(store->data, reserved, err)) < 0) {
                store->backend->rollback(store->data);
                unstamp(group);
                return r;
        }
        store->reserved = reserved;
        store_set_revision(store, revision);
        store_forget_lazies(store);
        return 0;
}

static void tell_group(struct store *store, struct store_changes *group, int code, const char *text) {
        const struct store_outcome *outcome = store->outcomes;

        for (struct store_change *change; (change = store_changes_pop(group)); outcome++)
                store_tell(change, code < 0 ? code : outcome->code, code < 0 ? 0 : outcome->revision, text);
}

/* What does not make room is told that there is none. */
static void refuse_others(struct store *store, struct store_changes *group) {
        struct store_changes all = { 0 };

        store_changes_take(&all, group);
        for (struct store_change *change; (change = store_changes_pop(&all));)
                if (change->value && !change->makes_room)
                        store_tell(change, -ENOSPC, 0, store->full ?: "the disk is full");
                else
                        store_changes_append(group, change);
}

/* On a full disk, what makes room has what was kept for it. */
static int write_scarcely(struct store *store, struct store_changes *group, struct err **err) {
        int r;

        if (store->scarce)
                store->scarce = !store->backend->keep(store->data);
        if (store->scarce)
                refuse_others(store, group);
        if (store_changes_is_empty(group) && index_count(&store->lazies) == 0)
                return 0;
        r = write_group(store, group, err);
        if (r != -ENOSPC || !store->backend->give || !store->backend->give(store->data))
                return r;
        if (!store->scarce) {
                free(store->full);
                store->full = strdup(err_text(*err));
        }
        store->scarce = true;
        *err = err_free(*err);
        refuse_others(store, group);
        return write_group(store, group, err);
}

/* Those at the front of a group that is lazy as a whole; what wants a transaction is left, with all behind it. */
static void make_all_lazily(struct store *store, struct store_changes *group) {
        LIST_EACH (store_changes, change, group)
                if (!change->lazy)
                        return;
        for (struct store_change *change; (change = store_changes_pop(group));)
                if (!store_make_lazily(store, change)) {
                        store_changes_prepend(group, change);
                        return;
                }
}

int store_run_group(struct store *store, struct store_changes *group) {
        _cleanup_err_ struct err *err = NULL;
        bool has_group = !store_changes_is_empty(group);
        int r;

        make_all_lazily(store, group);
        if (store_changes_is_empty(group) && (has_group || index_count(&store->lazies) == 0))
                return 0;
        r = write_scarcely(store, group, &err);
        if (r < 0 && store_changes_is_empty(group) && !store->said_lazy)
                log_warning("%s", err_text(err));
        store->said_lazy = r < 0 && (store->said_lazy || store_changes_is_empty(group));
        tell_group(store, group, r, err ? err_text(err) : NULL);
        return r;
}
