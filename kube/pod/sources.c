#include "kube/pod/sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/value.h"

/* -- an object --------------------------------------------------------------------------------------------- */

struct reading {
        struct arena *arena;
        struct pod_object_key *keys;
        size_t n;
};

static int read_text(struct reading *r, const struct value *value, struct pod_object_key *key) {
        key->length = value->count;
        key->data = arena_strndup(r->arena, value->text, value->count);
        return key->data ? 0 : -ENOMEM;
}

static int read_base64(struct reading *r, const struct value *value, struct pod_object_key *key) {
        struct base64_decoder decoder = { 0 };
        char *data = arena_alloc_uncleared(r->arena, (size_t)value->count * 3 / 4 + 2);
        int64_t n = data ? base64_decode(&decoder, value->text, value->count, data) : -ENOMEM;

        if (n < 0)
                return (int)n;
        data[n] = '\0';
        key->data = data;
        key->length = (size_t)n;
        return 0;
}

static int read_keys(struct reading *r, const struct value *map, bool encoded, bool binary) {
        for (uint32_t i = 0; i < value_count(map); i++) {
                const struct value_member *member = &map->members[i];
                struct pod_object_key *key = &r->keys[r->n];
                int e;

                if (!value_is(&member->value, VALUE_STRING))
                        return -EINVAL;
                if (!(key->key = arena_strdup(r->arena, member->key)))
                        return -ENOMEM;
                key->binary = binary;
                e = encoded ? read_base64(r, &member->value, key) : read_text(r, &member->value, key);
                if (e < 0)
                        return e;
                r->n++;
        }
        return 0;
}

static int compare_keys(const void *a, const void *b) {
        const struct pod_object_key *one = a, *other = b;

        /* data before binaryData, which has no key of the same name */
        return strcmp(one->key, other->key) ?: one->binary - other->binary;
}

/* What a look-up compares is in few pages, apart from the data. */
static int read_all(struct pod_object *object, enum pod_object_kind kind, const struct value *tree) {
        const struct value *data = value_get(tree, "data"), *binary = value_get(tree, "binaryData");
        size_t n = (size_t)value_count(data) + value_count(binary);
        struct reading r = { .arena = object->arena };
        int e;

        if (!value_is_null(data) && !value_is(data, VALUE_MAP))
                return -EINVAL;
        if (!value_is_null(binary) && !value_is(binary, VALUE_MAP))
                return -EINVAL;
        if (!(r.keys = arena_alloc_array(object->arena, n + 1, sizeof(*r.keys))) ||
            !(object->type = arena_strdup(object->arena, value_string_or(value_get(tree, "type"), ""))))
                return -ENOMEM;
        if ((e = read_keys(&r, data, kind == POD_SECRET, false)) < 0 ||
            (kind == POD_CONFIG_MAP && (e = read_keys(&r, binary, true, true)) < 0))
                return e;
        qsort(r.keys, r.n, sizeof(*r.keys), compare_keys);
        object->keys = r.keys;
        object->n_keys = r.n;
        object->immutable = value_bool_or(value_get(tree, "immutable"), false);
        return 0;
}

int pod_object_read(enum pod_object_kind kind, const struct value *tree, struct pod_object **ret_object,
                    struct err **err) {
        struct arena *arena = arena_new();
        struct pod_object *object = arena ? arena_new_of(arena, struct pod_object) : NULL;
        int r = -ENOMEM;

        if (object) {
                object->arena = arena;
                atomic_init(&object->references, 1);
                r = read_all(object, kind, tree);
        }
        if (r < 0) {
                arena_free(arena);
                return err_set(err, -r, r == -ENOMEM ? "out of memory" : "its data is no map of texts");
        }
        *ret_object = object;
        return 0;
}

struct pod_object *pod_object_ref(struct pod_object *object) {
        atomic_fetch_add(&object->references, 1);
        return object;
}

struct pod_object *pod_object_unref(struct pod_object *object) {
        if (object && atomic_fetch_sub(&object->references, 1) == 1)
                arena_free(object->arena);
        return NULL;
}

static int compare_key(const void *key, const void *at) {
        return strcmp(key, ((const struct pod_object_key *)at)->key);
}

const struct pod_object_key *pod_object_find(const struct pod_object *object, const char *key) {
        return key && object->n_keys ? bsearch(key, object->keys, object->n_keys, sizeof(*object->keys), compare_key) :
                                       NULL;
}

/* -- what is known ----------------------------------------------------------------------------------------- */

struct pod_sources *pod_sources_new(size_t n_objects, size_t n_tokens) {
        struct arena *arena = arena_new();
        struct pod_sources *sources = arena ? arena_new_of(arena, struct pod_sources) : NULL;

        if (sources) {
                sources->objects = arena_alloc_array(arena, n_objects + 1, sizeof(*sources->objects));
                sources->tokens = arena_alloc_array(arena, n_tokens + 1, sizeof(*sources->tokens));
        }
        if (!sources || !sources->objects || !sources->tokens) {
                arena_free(arena);
                return NULL;
        }
        sources->n_objects = n_objects;
        sources->n_tokens = n_tokens;
        sources->arena = arena;
        atomic_init(&sources->references, 1);
        return sources;
}

struct pod_sources *pod_sources_ref(struct pod_sources *sources) {
        atomic_fetch_add(&sources->references, 1);
        return sources;
}

struct pod_sources *pod_sources_unref(struct pod_sources *sources) {
        if (!sources || atomic_fetch_sub(&sources->references, 1) > 1)
                return NULL;
        for (size_t i = 0; i < sources->n_objects; i++)
                pod_object_unref(sources->objects[i].object);
        arena_free(sources->arena);
        return NULL;
}

static const char *const words[] = { [POD_CONFIG_MAP] = "configmap", [POD_SECRET] = "secret" };

static const struct pod_source *find(const struct pod_sources *sources, enum pod_object_kind kind, const char *name) {
        for (size_t i = 0; i < sources->n_objects; i++)
                if (sources->objects[i].kind == kind && strcmp(sources->objects[i].name, name) == 0)
                        return &sources->objects[i];
        return NULL;
}

int pod_sources_object(const struct pod_sources *sources, enum pod_object_kind kind, const char *name,
                       const struct pod_object **ret_object, struct err **err) {
        const struct pod_source *source = sources ? find(sources, kind, name ?: "") : NULL;

        if (source && source->state == POD_SOURCE_UNKNOWN)
                return err_set(err, EAGAIN, "failed to sync %s cache: timed out waiting for the condition",
                               words[kind]);
        if (!source || source->state == POD_SOURCE_MISSING)
                return err_set(err, ENOENT, "%s \"%.253s\" not found", words[kind], name ?: "");
        *ret_object = source->object;
        return 0;
}

int pod_sources_token(const struct pod_sources *sources, const char *audience, int64_t seconds, const char **ret_text,
                      struct err **err) {
        const struct pod_source_token *token = NULL;

        for (size_t i = 0; sources && i < sources->n_tokens && !token; i++)
                if (sources->tokens[i].seconds == seconds && strcmp(sources->tokens[i].audience, audience) == 0)
                        token = &sources->tokens[i];
        if (!token || (!token->text && !token->left_out))
                return err_set(err, EAGAIN, "failed to fetch token: %.1024s",
                               token && *token->why ? token->why : "the API service has not answered");
        *ret_text = token->text;
        return 0;
}
