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
#include "lib/value_edit.h"

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

/* RFC 9562, version 4. */
static const char *new_uid(struct arena *arena) {
        uint8_t b[16];

        if (getrandom(b, sizeof(b), 0) != sizeof(b))
                return NULL;
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        return arena_printf(arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
                            b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

const char *api_meta_uid(struct arena *arena) {
        return new_uid(arena);
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

static int put_text(struct value_edit *edit, const char *pointer, const char *text) {
        struct value value = { .kind = VALUE_STRING, .text = text };

        if (!text)
                return -ENOMEM;
        value.count = (uint32_t)strlen(text);
        return value_edit_set(edit, pointer, &value, NULL);
}

/* Gone, or not there: the same. */
static int drop(struct value_edit *edit, const char *pointer) {
        int r = value_edit_remove(edit, pointer, NULL);

        return r == -ENOENT ? 0 : r;
}

static int put_place(struct api_request *r, struct value_edit *edit) {
        int error = put_text(edit, "/metadata/name", r->name);

        if (error < 0)
                return error;
        return r->kind->namespaced ? put_text(edit, "/metadata/namespace", r->path.namespace) :
                                     drop(edit, "/metadata/namespace");
}

int api_meta_stamp(struct arena *arena, struct value_edit *edit) {
        return put_text(edit, "/metadata/uid", new_uid(arena))                               ?:
                       put_text(edit, "/metadata/creationTimestamp", api_meta_now(arena, 0)) ?:
                       put_text(edit, "/metadata/resourceVersion", "0");
}

int api_meta_create(struct api_request *r, struct value_edit *edit) {
        unsigned flags = api_strategy_of(r->kind)->flags;
        bool counts = flags & API_GENERATION && !(flags & API_COUNTS_LATE);
        static const struct value one = VALUE_INTEGER(1);

        return put_place(r, edit)                                         ?:
                       api_meta_stamp(r->arena, edit)                     ?:
                       drop(edit, "/metadata/deletionTimestamp")          ?:
                       drop(edit, "/metadata/deletionGracePeriodSeconds") ?:
                       drop(edit, "/metadata/selfLink")                   ?:
                       counts ? value_edit_set(edit, "/metadata/generation", &one, NULL) :
                                0;
}

int api_meta_update(struct api_request *r, struct value_edit *edit, const struct value *current) {
        static const char *const kept[] = {
                "uid",        "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
                "generation", "resourceVersion"
        };
        const struct value *meta = value_get(current, "metadata");
        int error = put_place(r, edit);

        for (size_t i = 0; error == 0 && i < ELEMENTS(kept); i++) {
                const struct value *was = value_get(meta, kept[i]);
                char pointer[64];

                snprintf(pointer, sizeof(pointer), "/metadata/%s", kept[i]);
                error = was ? value_edit_set(edit, pointer, was, NULL) : drop(edit, pointer);
        }
        return error;
}
