/* What keeps a store's bytes. Called by the store alone (store/internal.h): all but get, scan, tidy and backup by one
 * thread at a time, those by any. Objects' revisions are given by the store. */
#pragma once

#include <stdint.h>

#include "store/store.h"

struct store_backend {
        /* *ret_revision: higher than or equal to any that was ever handed to commit(). */
        int (*open)(const struct store_options *options, void **ret_backend, int64_t *ret_revision, struct err **err);
        void (*close)(void *backend, int64_t revision);

        int (*begin)(void *backend, struct err **err);

        /* Within begin(): makes @change where what it expects fits, as @revision. -EEXIST, -ENOENT or -ESTALE with
         * *ret_current where it does not: then nothing has changed, and others may go on. */
        int (*put)(void *backend, const struct store_change *change, int64_t revision, int64_t *ret_current,
                   struct err **err);

        /* What was put is durable, or none of it is there. No revision up to @reserved is given again after a cut. */
        int (*commit)(void *backend, int64_t reserved, struct err **err);
        void (*rollback)(void *backend);

        /* Of what was committed. */
        int (*get)(void *backend, const char *key, struct bytes **ret_value, int64_t *ret_revision, struct err **err);
        int (*scan)(void *backend, const char *prefix, store_visit visit, void *data, struct err **err);

        int (*backup)(void *backend, const char *path, struct err **err);

        /* Room for when there is none: kept where there is space for it, and more, or not yet; given up so that changes
         * that make room fit. Whether it is kept now; whether there may be room that there was not. NULL: there is no
         * such thing. */
        bool (*keep)(void *backend);
        bool (*give)(void *backend);

        /* Gives back what changes left behind; between groups, and quick. NULL: nothing to do. */
        void (*tidy)(void *backend);
};

/* By what stands at a key (@current, 0: nothing) whether a change may be made: 0, -EEXIST, -ENOENT or -ESTALE. */
int store_check(int64_t current, int64_t expected, bool deletes);
