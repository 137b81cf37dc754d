#include "api/state/kept.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/state/resource.h"
#include "lib/http/body.h"

struct api_kept {
        const struct kube_kind *kind;
        int form;
        char *namespace;
        int64_t last, bytes;
        struct http_body *body;
};

static _Atomic int64_t bytes_kept; /* of all resources of the process */

static void forget(struct api_kept *kept) {
        atomic_fetch_sub(&bytes_kept, kept->bytes);
        http_body_unref(kept->body);
        free(kept->namespace);
        *kept = (struct api_kept){ 0 };
}

static bool is_it(const struct api_kept *kept, const struct api_kept_key *key) {
        return kept->body && kept->kind == key->kind && kept->form == key->form &&
               !kept->namespace == !key->namespace && (!key->namespace || strcmp(kept->namespace, key->namespace) == 0);
}

static struct api_kept *find(const struct api_lists *lists, const struct api_kept_key *key) {
        for (size_t i = 0; lists->all && i < API_KEPT_LISTS_MAX; i++)
                if (is_it(&lists->all[i], key))
                        return &lists->all[i];
        return NULL;
}

struct http_body *api_kept_find(struct api_resource *resource, const struct api_kept_key *key, int64_t *ret_revision) {
        struct api_lists *lists = &resource->lists;
        struct http_body *body = NULL;
        struct api_kept *kept;
        int64_t last, revision;

        if (!atomic_load(&lists->any))
                return NULL;
        collection_look(resource->collection, &last, &revision);
        pthread_mutex_lock(&lists->lock);
        kept = find(lists, key);
        if (kept && kept->last == last) {
                body = http_body_ref(kept->body);
                *ret_revision = revision;
        }
        pthread_mutex_unlock(&lists->lock);
        return body;
}

/* The one of @key, an empty one, or the oldest. */
static struct api_kept *choose(struct api_lists *lists, const struct api_kept_key *key) {
        struct api_kept *kept = find(lists, key);

        if (!lists->all)
                lists->all = calloc(API_KEPT_LISTS_MAX, sizeof(*lists->all));
        if (!lists->all || kept)
                return kept;
        for (size_t i = 0; i < API_KEPT_LISTS_MAX && !kept; i++)
                if (!lists->all[i].body)
                        kept = &lists->all[i];
        return kept ?: &lists->all[lists->next++ % API_KEPT_LISTS_MAX];
}

void api_kept_put(struct api_resource *resource, const struct api_kept_key *key, int64_t last, struct http_body *body) {
        struct api_lists *lists = &resource->lists;
        struct api_kept *kept, made = { key->kind, key->form, NULL, last, (int64_t)http_body_size(body), NULL };

        if (atomic_fetch_add(&bytes_kept, made.bytes) + made.bytes > API_KEPT_BYTES_MAX ||
            (key->namespace && !(made.namespace = strdup(key->namespace)))) {
                atomic_fetch_sub(&bytes_kept, made.bytes);
                return;
        }
        made.body = http_body_ref(body);
        pthread_mutex_lock(&lists->lock);
        kept = choose(lists, key);
        if (kept) {
                forget(kept);
                *kept = made;
                atomic_store(&lists->any, true);
        }
        pthread_mutex_unlock(&lists->lock);
        if (!kept)
                forget(&made);
}

void api_kept_drop(struct api_resource *resource) {
        struct api_lists *lists = &resource->lists;

        if (!atomic_exchange(&lists->any, false))
                return;
        pthread_mutex_lock(&lists->lock);
        for (size_t i = 0; i < API_KEPT_LISTS_MAX; i++)
                forget(&lists->all[i]);
        pthread_mutex_unlock(&lists->lock);
}
