/* Changes: an object's JSON with room for the revision that the store's writer will give it. */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/state/internal.h"
#include "api/state/kept.h"
#include "api/state/resource.h"
#include "api/state/turn.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define REVISION_DIGITS 19   /* of INT64_MAX */
#define NEVER_MADE INT64_MAX /* a revision that nothing has */
#define REVISION_KEY "\"resourceVersion\":\""

static void write_revision(struct api_change *c, int64_t revision) {
        struct bytes *json = c->json;
        char text[REVISION_DIGITS + 1];
        uint32_t digits = (uint32_t)snprintf(text, sizeof(text), "%lld", (long long)revision);
        uint8_t *at = json->data + c->at;

        if (digits != c->digits)
                memmove(at + digits, at + c->digits, c->length - c->at);
        memcpy(at, text, digits);
        c->digits = digits;
        json->size = c->length + digits;
        c->object->revision = revision;
}

static void on_stamp(struct store_change *store, int64_t revision) {
        struct api_change *c = (struct api_change *)((char *)store - offsetof(struct api_change, store));

        write_revision(c, revision);
        if (c->base)
                c->store.expected = c->base->revision ?: NEVER_MADE;
}

/* What is in the store and not in memory would stay unseen: memory is made anew from the store by a restart. */
static void apply(struct api_change *c) {
        if (collection_apply(c->resource->collection, c->object, c->deletes) < 0) {
                log_error("no memory for a change of %s that is on disk already: ending, to begin from what is there",
                          c->key);
                abort();
        }
        atomic_store(&c->state->told, c->object->revision);
        api_kept_drop(c->resource);
}

static void on_done(struct store_change *store, const struct store_result *result) {
        struct api_change *c = (struct api_change *)((char *)store - offsetof(struct api_change, store));

        if (result->code == 0) {
                assert(result->revision == c->object->revision);
                apply(c);
        }
        if (c->turn)
                api_turn_decided(c->turn, c->object);
        c->done(c, result->code, result->text);
}

/* The JSON in memory of its own, with room for any revision; -EINVAL where no revision has a place in it. */
static int take_json(struct api_change *c, const struct api_json *text, struct bytes **ret_bytes) {
        const char *json = text->text;
        size_t length = text->length;
        const char *key = memmem(json, length, REVISION_KEY, strlen(REVISION_KEY));
        const char *at = key ? key + strlen(REVISION_KEY) : NULL,
                   *end = at ? memchr(at, '"', length - (size_t)(at - json)) : NULL;
        struct bytes *bytes;

        if (!end || length > STORE_VALUE_MAX)
                return end ? -EFBIG : -EINVAL;
        bytes = bytes_new(length + REVISION_DIGITS + 1);
        if (!bytes)
                return -ENOMEM;
        c->at = (uint32_t)(at - json);
        c->digits = (uint32_t)(end - at);
        c->length = (uint32_t)(length + 1) - c->digits;
        memcpy(bytes->data, json, length);
        bytes->data[length] = '\n';
        bytes->size = length + 1;
        *ret_bytes = bytes;
        return 0;
}

int api_change_init(struct api_change *change, struct api_state *state, struct api_resource *resource,
                    struct arena *arena, const struct value *tree, const struct api_json *json) {
        _cleanup_bytes_ struct bytes *bytes = NULL;
        struct api_change c = { .resource = resource, .state = state };
        struct object_parts parts;
        int r = take_json(&c, json, &bytes);

        if (r < 0 || (r = api_resource_parts(resource, arena, tree, &parts)) < 0)
                return r;
        parts.json = bytes;
        parts.revision = 0;
        c.object = object_new(&parts);
        if (!c.object || asprintf(&c.key, "%s/%s/%s", resource->key, parts.namespace, parts.name) < 0) {
                object_unref(c.object);
                return -ENOMEM;
        }
        if (strlen(c.key) >= STORE_KEY_MAX) {
                api_change_deinit(&c);
                return -ENAMETOOLONG;
        }
        c.json = TAKE_PTR(bytes);
        *change = c;
        return 0;
}

void api_change_deinit(struct api_change *change) {
        change->object = object_unref(change->object);
        change->json = bytes_unref(change->json);
        change->base = object_unref(change->base);
        free(change->key);
        change->key = NULL;
}

int api_change_submit(struct api_change *change) {
        int r;

        change->store = (struct store_change){
                .key = change->key,
                .value = change->deletes ? NULL : change->json,
                .expected = change->expected,
                .lazy = change->lazy,
                .makes_room = change->makes_room,
                .stamp = on_stamp,
                .done = on_done,
        };
        r = store_submit(change->state->store, &change->store);
        if (r < 0 && change->turn)
                api_turn_decided(change->turn, change->object);
        return r;
}
