#include "api/state/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/state/internal.h"
#include "api/state/resource.h"
#include "api/state/turn.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/value.h"

/* --- resources: one of each name, kept in its best version --- */

/* How Kubernetes orders versions: v2 before v1 before v1beta2 before v1alpha3. */
static int64_t version_rank(const char *version) {
        static const struct {
                const char *word;
                int64_t rank;
        } stages[] = { { "beta", 1 }, { "alpha", 0 } };
        char *rest;
        int64_t rank = 2, major = strtol(version + 1, &rest, 10), minor = 0;

        for (size_t i = 0; i < ELEMENTS(stages); i++)
                if (strncmp(rest, stages[i].word, strlen(stages[i].word)) == 0) {
                        rank = stages[i].rank;
                        minor = strtol(rest + strlen(stages[i].word), NULL, 10);
                }
        return (rank << 40) + (major << 20) + minor;
}

/* Resources of two groups whose objects are the same: kept as the second's. */
static const struct shared {
        const char *group, *resource, *kept;
} shared[] = {
        { "events.k8s.io", "events", "" },
};

static const struct shared *shared_of(const char *group, const char *resource) {
        for (size_t i = 0; i < ELEMENTS(shared); i++)
                if (strcmp(shared[i].group, group) == 0 && strcmp(shared[i].resource, resource) == 0)
                        return &shared[i];
        return NULL;
}

struct building {
        struct api_state *state;
        struct arena *arena;
        int error;
};

static void add_kind(void *data, const struct kube_kind *kind) {
        struct building *b = data;
        struct api_resource *resource;

        /* What cannot be read back is an action, not an object. */
        if (b->error < 0 || !kind->resource || !(kind->verbs & KUBE_VERB_GET) || shared_of(kind->group, kind->resource))
                return;
        resource = api_state_find(b->state, kind->group, kind->resource);
        if (resource && version_rank(resource->kind->version) >= version_rank(kind->version))
                return;
        if (resource) {
                table_remove(&b->state->resources, &resource->in_state);
                api_resource_free(resource);
        }
        resource = api_resource_new(kind, &b->state->told);
        b->error = resource ? table_add(&b->state->resources, &resource->in_state, resource->key) : -ENOMEM;
        if (b->error < 0)
                api_resource_free(resource);
}

struct api_resource *api_state_find(const struct api_state *state, const char *group, const char *resource) {
        const struct shared *with = shared_of(group, resource);
        char key[256];

        if (with)
                group = with->kept;
        if (strlen(group) + strlen(resource) + strlen("core/") >= sizeof(key))
                return NULL;
        stpcpy(stpcpy(stpcpy(key, *group ? group : "core"), "/"), resource);
        return table_object(table_find(&state->resources, key), struct api_resource, in_state);
}

struct api_resource *api_state_resource(const struct api_state *state, const struct kube_kind *kind) {
        return kind->resource ? api_state_find(state, kind->group, kind->resource) : NULL;
}

void api_state_each(const struct api_state *state, void (*visit)(void *data, const struct api_resource *resource),
                    void *data) {
        for (size_t i = 0; i < state->resources.n_buckets; i++)
                for (struct table_node *node = state->resources.buckets[i]; node; node = node->next)
                        visit(data, table_object(node, struct api_resource, in_state));
}

/* --- what is in the store --- */

struct loading {
        struct api_state *state;
        struct arena *arena; /* of one object */
        uint64_t unknown;
        struct err **err;
};

static struct api_resource *resource_of_key(struct api_state *state, const char *key) {
        const char *slash = strchr(key, '/'), *end = slash ? strchr(slash + 1, '/') : NULL;
        char name[256];

        if (!end || (size_t)(end - key) >= sizeof(name))
                return NULL;
        memcpy(name, key, (size_t)(end - key));
        name[end - key] = '\0';
        return table_object(table_find(&state->resources, name), struct api_resource, in_state);
}

/* Whether the object is the one that @key, RESOURCE/NAMESPACE/NAME, is of. */
static bool is_of_key(const struct api_resource *resource, const struct object_parts *parts, const char *key) {
        const char *rest = key + strlen(resource->key) + 1;
        size_t n = strlen(parts->namespace);

        return strncmp(rest, parts->namespace, n) == 0 && rest[n] == '/' && strcmp(rest + n + 1, parts->name) == 0;
}

static int damaged(const struct loading *l, const char *key, const char *why) {
        return err_set(l->err, EBADMSG, "%s in the store is damaged: %s; restore a backup", key, why);
}

struct stored {
        const char *key;
        const void *value;
        size_t size;
};

/* Texts of @ret_parts are in the arena. -EBADMSG: it is no object of that key; -ENOMEM. */
static int read_stored(const struct loading *l, const struct api_resource *resource, const struct stored *stored,
                       struct object_parts *ret_parts) {
        _cleanup_err_ struct err *err = NULL;
        const struct value *tree;
        int r = json_parse(l->arena, stored->value, stored->size, NULL, &tree, &err);

        if (r < 0 && r != -ENOMEM)
                return damaged(l, stored->key, err_text(err));
        if (r < 0 || (r = api_resource_parts(resource, l->arena, tree, ret_parts)) < 0)
                return err_set(l->err, -r, "no memory for %s", stored->key);
        return is_of_key(resource, ret_parts, stored->key) ? 0 : damaged(l, stored->key, "it holds another object");
}

static int load_one(void *data, const char *key, const void *value, size_t size, int64_t revision) {
        struct loading *l = data;
        struct api_resource *resource = resource_of_key(l->state, key);
        _cleanup_bytes_ struct bytes *json = NULL;
        _cleanup_object_ struct object *object = NULL;
        struct object_parts parts;
        int r;

        if (!resource) {
                l->unknown++;
                return 0;
        }
        arena_reset(l->arena);
        if ((r = read_stored(l, resource, &(struct stored){ key, value, size }, &parts)) < 0)
                return r;
        json = bytes_copy(value, size);
        parts.json = json;
        parts.revision = revision;
        object = json ? object_new(&parts) : NULL;
        return object && collection_load(resource->collection, object) == 0 ?
                       0 :
                       err_set(l->err, ENOMEM, "no memory for %s", key);
}

/* Watches from before would miss what was deleted before the service was started: they are told to list anew. */
static void set_gone(struct api_state *state) {
        int64_t revision = store_revision(state->store);

        for (size_t i = 0; i < state->resources.n_buckets; i++)
                for (struct table_node *node = state->resources.buckets[i]; node; node = node->next)
                        collection_loaded(table_object(node, struct api_resource, in_state)->collection, revision);
        atomic_store(&state->told, revision);
        atomic_store(&state->compacted, revision);
        state->next_compacted = revision;
}

static int load(struct api_state *state, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct loading l = { .state = state, .arena = arena, .err = err };
        int r = arena ? store_scan(state->store, "", load_one, &l, err) :
                        err_set(err, ENOMEM, "no memory for the state");

        if (l.unknown > 0)
                log_warning("the store has %llu objects of kinds that are not served; they stay as they are",
                            (unsigned long long)l.unknown);
        set_gone(state);
        return r;
}

int api_state_open(const struct api_state_options *options, struct api_state **ret_state, struct err **err) {
        struct api_state *state = calloc(1, sizeof(*state));
        struct building b = { .state = state };
        struct store_options store = { .directory = options->directory };
        int r;

        if (!state)
                return err_set(err, ENOMEM, "no memory for the state");
        kube_registry_each(options->registry, add_kind, &b);
        state->turns = api_turns_new();
        if ((r = b.error < 0 || !state->turns ? err_set(err, ENOMEM, "no memory for the resources") : 0) < 0 ||
            (r = store_open(options->directory ? &store_sqlite : &store_memory, &store, &state->store, err)) < 0 ||
            (r = load(state, err)) < 0) {
                api_state_close(state);
                return r;
        }
        *ret_state = state;
        return 0;
}

static void free_resources(struct api_state *state) {
        for (size_t i = 0; i < state->resources.n_buckets; i++)
                for (struct table_node *node = state->resources.buckets[i], *next; node; node = next) {
                        next = node->next;
                        api_resource_free(table_object(node, struct api_resource, in_state));
                }
        table_clear(&state->resources);
}

void api_state_settle(struct api_state *state) {
        store_close(state->store);
        state->store = NULL;
}

void api_state_close(struct api_state *state) {
        if (!state)
                return;
        store_close(state->store);
        free_resources(state);
        api_turns_free(state->turns);
        free(state);
}

struct api_turns *api_state_turns(const struct api_state *state) {
        return state->turns;
}

int64_t api_state_compacted(const struct api_state *state) {
        return atomic_load(&state->compacted);
}

static void compact(void *data, const struct api_resource *resource) {
        collection_compact(resource->collection, *(const int64_t *)data, COLLECTION_EVENTS_YOUNG_MS);
}

void api_state_compact(struct api_state *state) {
        int64_t revision = state->next_compacted;

        state->next_compacted = api_state_revision(state);
        atomic_store(&state->compacted, revision);
        api_state_each(state, compact, &revision);
}

int api_state_check(const struct api_state *state, struct err **err) {
        _cleanup_bytes_ struct bytes *value = NULL;
        int64_t revision;
        int r = store_get(state->store, "health", &value, &revision, err); /* nothing has this key */

        return r == -ENOENT ? 0 : r;
}

int64_t api_state_revision(const struct api_state *state) {
        return atomic_load(&state->told);
}
