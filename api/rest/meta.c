#include "api/rest/meta.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "api/rest/strategy.h"
#include "api/server/request.h"
#include "kube/kinds.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/uuid.h"
#include "lib/value_edit.h"
#include "lib/value_keys.h"

#define GENERATED_LETTERS 5
#define GENERATED_PREFIX_MAX 58 /* of a name with 63 letters */

const char *api_meta_generate(struct api_request *r, const char *prefix) {
        static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
        uint8_t random[GENERATED_LETTERS];
        char suffix[GENERATED_LETTERS + 1] = "";

        if (getrandom(random, sizeof(random), 0) != sizeof(random))
                return NULL;
        for (unsigned i = 0; i < GENERATED_LETTERS; i++)
                suffix[i] = letters[random[i] % (sizeof(letters) - 1)];
        return arena_printf(r->arena, "%.*s%s", GENERATED_PREFIX_MAX, prefix, suffix);
}

static const char *new_uid(struct arena *arena) {
        char *text = arena_alloc(arena, UUID_SIZE);
        uint8_t random[UUID_BYTES];

        if (!text || getrandom(random, sizeof(random), 0) != sizeof(random))
                return NULL;
        uuid_text(random, text);
        return text;
}

const char *api_meta_uid(struct arena *arena) {
        return new_uid(arena);
}

const char *api_meta_text(const struct value *object, const char *key) {
        return value_string_or(value_get(value_get(object, "metadata"), key), "");
}

const char *api_meta_now(struct arena *arena, int64_t seconds_from_now) {
        struct kube_time now = { .set = true };
        char *text = arena_alloc(arena, KUBE_TIME_TEXT_MAX);

        if (__builtin_add_overflow((int64_t)time(NULL), seconds_from_now, &now.seconds))
                now.seconds = INT64_MAX;
        if (text)
                kube_time_format(&now, false, text);
        return text;
}

/* The object's metadata, which it gets where it has none; NULL with *ret_error: -EINVAL where it is no map. */
static struct value *metadata_of(struct value_edit *edit, int *ret_error) {
        static const struct value none = { .kind = VALUE_MAP };
        struct value *root = value_edit_root(edit), *meta = NULL;
        uint32_t at = root ? value_edit_find(root, "metadata") : VALUE_NONE;

        *ret_error = -ENOMEM;
        if (root && at == VALUE_NONE && value_edit_put(edit, root, "metadata", &none) == 0)
                at = value_edit_find(root, "metadata");
        if (at != VALUE_NONE && root->members[at].value.kind != VALUE_MAP)
                *ret_error = -EINVAL;
        else if (at != VALUE_NONE)
                meta = value_edit_child(edit, root, at);
        return meta;
}

static int put_text(struct value_edit *edit, struct value *meta, const char *key, const char *text) {
        struct value value = { .kind = VALUE_STRING, .text = text };

        if (!text)
                return -ENOMEM;
        value.count = (uint32_t)strlen(text);
        return value_edit_put(edit, meta, key, &value);
}

/* Gone, or not there: the same. */
static void drop(struct value *meta, const char *key) {
        uint32_t at = value_edit_find(meta, key);

        if (at != VALUE_NONE)
                value_edit_take(meta, at, NULL);
}

static int put_place(struct api_request *r, struct value_edit *edit, struct value *meta) {
        int error = put_text(edit, meta, "name", r->name);

        if (error == 0 && r->kind->namespaced)
                error = put_text(edit, meta, "namespace", r->path.namespace);
        else if (error == 0)
                drop(meta, "namespace");
        return error;
}

static int stamp(struct arena *arena, struct value_edit *edit, struct value *meta) {
        return put_text(edit, meta, "uid", new_uid(arena))                               ?:
                       put_text(edit, meta, "creationTimestamp", api_meta_now(arena, 0)) ?:
                       put_text(edit, meta, "resourceVersion", "0");
}

int api_meta_stamp(struct arena *arena, struct value_edit *edit) {
        int error;
        struct value *meta = metadata_of(edit, &error);

        return meta ? stamp(arena, edit, meta) : error;
}

int api_meta_create(struct api_request *r, struct value_edit *edit) {
        static const char *const gone[] = { "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink" };
        unsigned flags = api_strategy_of(r->kind)->flags;
        bool counts = flags & API_GENERATION && !(flags & API_COUNTS_LATE);
        static const struct value one = VALUE_INTEGER(1);
        int error;
        struct value *meta = metadata_of(edit, &error);

        if (!meta || (error = put_place(r, edit, meta)) < 0 || (error = stamp(r->arena, edit, meta)) < 0)
                return error;
        for (size_t i = 0; i < ELEMENTS(gone); i++)
                drop(meta, gone[i]);
        return counts ? value_edit_put(edit, meta, "generation", &one) : 0;
}

/* A patch that makes another uid of it, which validation refuses. */
static bool is_other(const struct api_request *r, const struct value *meta, const char *key) {
        return r->verb == KUBE_VERB_PATCH && strcmp(key, "uid") == 0 &&
               *value_string_or(value_get(meta, "uid"), "") != '\0';
}

int api_meta_update(struct api_request *r, struct value_edit *edit, const struct value *current) {
        static const char *const kept[] = {
                "uid",        "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
                "generation", "resourceVersion"
        };
        int error;
        struct value *meta = metadata_of(edit, &error);

        if (!meta || (error = put_place(r, edit, meta)) < 0)
                return error;
        drop(meta, "selfLink");
        for (size_t i = 0; error == 0 && i < ELEMENTS(kept); i++) {
                const struct value *was = value_get(value_get(current, "metadata"), kept[i]);

                if (is_other(r, meta, kept[i]))
                        continue;
                if (was)
                        error = value_edit_put(edit, meta, kept[i], was);
                else
                        drop(meta, kept[i]);
        }
        return error;
}
