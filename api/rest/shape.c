#include "api/rest/shape.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/rest/meta.h"
#include "api/server/request.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"
#include "lib/value_keys.h"

int shape_text(struct value_edit *edit, const char *pointer, const char *text) {
        return text ? value_edit_set(edit, pointer, &(struct value)VALUE_TEXT(text), NULL) : -ENOMEM;
}

int shape_put(struct value_edit *edit, const char *pointer, const struct value *value) {
        int r = value ? value_edit_set(edit, pointer, value, NULL) : value_edit_remove(edit, pointer, NULL);

        return r == -ENOENT ? 0 : r;
}

/* What is sent may say null of a map that something is put into. */
static int open_map(struct value_edit *edit, const char *pointer, const struct value *map) {
        static const struct value empty = VALUE_EMPTY(VALUE_MAP);

        return map && value_is_null(map) ? value_edit_set(edit, pointer, &empty, NULL) : 0;
}

static bool is_status(const struct api_request *r) {
        return r->sub && strcmp(r->sub->name, "status") == 0;
}

/* --- namespaces: their name as a label, and a finalizer of their own that holds them while something is in them --- */

#define HOLDER "kubernetes"

int shape_label(struct api_request *r, struct value_edit *edit, const struct value *namespace) {
        return open_map(edit, "/metadata/labels", value_find(namespace, "metadata.labels")) ?:
                       shape_text(edit, "/metadata/labels/kubernetes.io~1metadata.name", r->name);
}

int shape_namespace(struct api_request *r, struct value_edit *edit) {
        static const struct value holder = VALUE_TEXT(HOLDER);
        const struct value *list = value_find(r->next, "spec.finalizers"),
                           one = { .kind = VALUE_LIST, .count = 1, .items = &holder };
        int error = 0;

        if (!value_has_text(list, HOLDER))
                error = value_count(list) > 0 ? value_edit_add(edit, "/spec/finalizers/-", &holder, NULL) :
                                                value_edit_set(edit, "/spec/finalizers", &one, NULL);
        return error ?: shape_text(edit, "/status/phase", "Active");
}

/* They go through a door of their own. */
int shape_namespace_update(struct api_request *r, struct value_edit *edit) {
        return r->sub ? 0 : shape_put(edit, "/spec/finalizers", value_find(r->current_tree, "spec.finalizers"));
}

/* --- secrets: stringData is how data may be written, never how it is read --- */

static struct value *data_of(struct value_edit *edit) {
        static const struct value empty = VALUE_EMPTY(VALUE_MAP);
        struct value *secret = value_edit_root(edit);
        uint32_t at = secret ? value_edit_find(secret, "data") : VALUE_NONE;

        if (secret && (at == VALUE_NONE || value_is_null(&secret->members[at].value))) {
                edit->error = value_edit_put(edit, secret, "data", &empty);
                at = edit->error < 0 ? VALUE_NONE : value_edit_find(secret, "data");
        }
        return at == VALUE_NONE ? NULL : value_edit_child(edit, secret, at);
}

static int put_data(struct api_request *r, struct value_edit *edit, struct value *to, const char *key,
                    const char *text) {
        size_t n = strlen(text);
        char *data = arena_alloc(r->arena, BASE64_LENGTH(n) + 1);

        if (!data)
                return -ENOMEM;
        base64_encode(text, n, data);
        return value_edit_put(edit, to, key, &(struct value)VALUE_TEXT(data));
}

int shape_secret(struct api_request *r, struct value_edit *edit, const struct value *secret) {
        const struct value *texts = value_get(secret, "stringData"), *data = value_get(secret, "data");
        bool fits = value_is(texts, VALUE_MAP) && (value_is_null(data) || value_is(data, VALUE_MAP));
        struct value *to = fits && texts->count > 0 ? data_of(edit) : NULL;
        int error = 0;

        if (fits && texts->count > 0 && !to)
                return edit->error;
        for (uint32_t i = 0; to && error == 0 && i < texts->count; i++)
                error = put_data(r, edit, to, texts->members[i].key, value_string_or(&texts->members[i].value, ""));
        return error ?: texts ? value_edit_remove(edit, "/stringData", NULL) : 0;
}

/* --- service accounts: of a secret its name is kept --- */

int shape_account(struct api_request *r, struct value_edit *edit, const struct value *account) {
        const struct value *list = value_get(account, "secrets");
        uint32_t n = value_is(list, VALUE_LIST) ? value_count(list) : 0;
        struct value_member *names = arena_alloc_array(r->arena, (size_t)n + 1, sizeof(*names));
        struct value *items = arena_alloc_array(r->arena, (size_t)n + 1, sizeof(*items));

        if (n == 0)
                return 0;
        if (!names || !items)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++) {
                const struct value *name = value_get(value_at(list, i), "name");

                if (name)
                        names[i] = (struct value_member){ .key = "name", .value = *name };
                items[i] = (struct value){ .kind = VALUE_MAP, .count = name ? 1 : 0, .members = &names[i] };
        }
        return value_edit_set(edit, "/secrets", &(struct value){ .kind = VALUE_LIST, .count = n, .items = items },
                              NULL);
}

/* --- claims and volumes --- */

/* Whom volumes are made from by name since before dataSourceRef: others are named there alone. */
static bool is_source(const struct value *source) {
        const char *group = value_string_or(value_get(source, "apiGroup"), ""),
                   *kind = value_string_or(value_get(source, "kind"), "");

        return (strcmp(kind, "PersistentVolumeClaim") == 0 && !*group) ||
               (strcmp(kind, "VolumeSnapshot") == 0 && strcmp(group, "snapshot.storage.k8s.io") == 0);
}

static bool has_namespace(const struct value *source) {
        return *value_string_or(value_get(source, "namespace"), "");
}

/* Takes away @source, which was not there before. */
static int drop_source(struct api_request *r, struct value_edit *edit, const char *pointer, const char *path,
                       const struct value **source) {
        if (value_is_null(*source) || !value_is_null(value_find(r->current_tree, path)))
                return 0;
        *source = NULL;
        return shape_put(edit, pointer, NULL);
}

/* dataSource and dataSourceRef say the same, as long as no other namespace is meant; sources in other namespaces
 * (CrossNamespaceVolumeDataSource) are off. */
int shape_claim_update(struct api_request *r, struct value_edit *edit) {
        const struct value *source = value_find(r->next, "spec.dataSource"),
                           *ref = value_find(r->next, "spec.dataSourceRef");
        int error = has_namespace(ref) ? drop_source(r, edit, "/spec/dataSourceRef", "spec.dataSourceRef", &ref) : 0;

        if (error == 0 && value_is_null(ref) && !is_source(source))
                error = drop_source(r, edit, "/spec/dataSource", "spec.dataSource", &source);
        if (error < 0)
                return error;
        if (!value_is_null(source) && value_is_null(ref))
                return value_edit_set(edit, "/spec/dataSourceRef", source, NULL);
        if (!value_is_null(ref) && value_is_null(source) && !has_namespace(ref))
                return value_edit_set(edit, "/spec/dataSource", ref, NULL);
        return 0;
}

int shape_claim(struct api_request *r, struct value_edit *edit) {
        return shape_text(edit, "/status/phase", "Pending") ?: shape_claim_update(r, edit);
}

int shape_volume(struct api_request *r, struct value_edit *edit) {
        return shape_text(edit, "/status/phase", "Pending") ?:
                       shape_text(edit, "/status/lastPhaseTransitionTime", api_meta_now(r->arena, 0));
}

int shape_volume_update(struct api_request *r, struct value_edit *edit) {
        const struct value *was = value_find(r->current_tree, "status.lastPhaseTransitionTime"),
                           *is = value_find(r->next, "status.lastPhaseTransitionTime");
        const char *before = value_string_or(value_find(r->current_tree, "status.phase"), ""),
                   *now = value_string_or(value_find(r->next, "status.phase"), "");

        if (!is_status(r))
                return 0;
        if (strcmp(before, now) == 0)
                return value_is_null(is) ? shape_put(edit, "/status/lastPhaseTransitionTime", was) : 0;
        if (!value_is_null(is) && !(was && value_equal(was, is)))
                return 0;
        return shape_text(edit, "/status/lastPhaseTransitionTime", api_meta_now(r->arena, 0));
}

/* --- requests for certificates: who asks is not what he says --- */

/* The lists of texts that a map of them has. */
static int make_list(struct api_request *r, const string_list *texts, struct value *ret_list) {
        struct value *items = arena_alloc_array(r->arena, (size_t)texts->count + 1, sizeof(*items));

        if (!items)
                return -ENOMEM;
        for (uint32_t i = 0; i < texts->count; i++)
                items[i] = (struct value)VALUE_TEXT(texts->items[i]);
        *ret_list = (struct value){ .kind = VALUE_LIST, .count = texts->count, .items = items };
        return 0;
}

static int put_extra(struct api_request *r, struct value_edit *edit) {
        uint32_t n = r->user.extra.count;
        struct value_member *members = arena_alloc_array(r->arena, (size_t)n + 1, sizeof(*members));
        int error = members ? 0 : -ENOMEM;

        for (uint32_t i = 0; error == 0 && i < n; i++) {
                members[i].key = r->user.extra.items[i].key;
                error = make_list(r, &r->user.extra.items[i].value, &members[i].value);
        }
        if (error < 0)
                return error;
        if (n == 0)
                return shape_put(edit, "/spec/extra", NULL);
        return value_edit_set(edit, "/spec/extra", &(struct value){ .kind = VALUE_MAP, .count = n, .members = members },
                              NULL);
}

int shape_request(struct api_request *r, struct value_edit *edit) {
        struct value groups;
        int error = make_list(r, &r->user.groups, &groups);

        error = error ?: shape_text(edit, "/spec/username", r->user.name ?: "");
        error = error ?: r->user.uid ? shape_text(edit, "/spec/uid", r->user.uid) : shape_put(edit, "/spec/uid", NULL);
        error = error ?: shape_put(edit, "/spec/groups", groups.count > 0 ? &groups : NULL);
        return error ?: put_extra(r, edit);
}

/* When a condition has come to be as it is. */
static const struct value *since(const struct api_request *r, const struct value *condition) {
        const struct value *list = value_find(r->current_tree, "status.conditions");

        for (uint32_t i = 0; i < value_count(list); i++) {
                const struct value *old = value_at(list, i), *time = value_get(old, "lastTransitionTime");

                if (!value_is_null(time) && value_equal(value_get(old, "type"), value_get(condition, "type")) &&
                    value_equal(value_get(old, "status"), value_get(condition, "status")))
                        return time;
        }
        return NULL;
}

/* The member @member of the condition, where it is missing. */
static int put_time(struct value_edit *edit, uint32_t place, const struct value *condition, const char *member,
                    const struct value *time) {
        char pointer[64];

        if (!value_is_null(value_get(condition, member)))
                return 0;
        snprintf(pointer, sizeof(pointer), "/status/conditions/%u/%s", place, member);
        return value_edit_set(edit, pointer, time, NULL);
}

static int put_times(struct api_request *r, struct value_edit *edit) {
        const struct value *list = value_find(r->next, "status.conditions");
        const char *text = api_meta_now(r->arena, 0);
        const struct value now = { .kind = VALUE_STRING, .count = text ? (uint32_t)strlen(text) : 0, .text = text };
        int error = text ? 0 : -ENOMEM;

        for (uint32_t i = 0; error == 0 && i < value_count(list); i++) {
                const struct value *condition = value_at(list, i);

                error = put_time(edit, i, condition, "lastUpdateTime", &now) ?:
                                put_time(edit, i, condition, "lastTransitionTime", since(r, condition) ?: &now);
        }
        return error;
}

/* How many conditions there are of @type; the place of the one at @nth in *@ret_place, which may be NULL. */
static uint32_t count_type(const struct value *list, const char *type, uint32_t nth, uint32_t *ret_place) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < value_count(list); i++) {
                if (strcmp(value_string_or(value_get(value_at(list, i), "type"), ""), type) != 0)
                        continue;
                if (n++ == nth && ret_place)
                        *ret_place = i;
        }
        return n;
}

/* What was decided is decided: its door is another. What is added or taken away is refused elsewhere. */
static int keep_decisions(struct api_request *r, struct value_edit *edit, const char *type) {
        const struct value *now = value_find(r->next, "status.conditions"),
                           *was = value_find(r->current_tree, "status.conditions");
        uint32_t n = count_type(now, type, 0, NULL), there = 0, here = 0;
        int error = 0;

        if (n != count_type(was, type, 0, NULL))
                return 0;
        for (uint32_t i = 0; error == 0 && i < n; i++) {
                char pointer[40];

                count_type(now, type, i, &here);
                count_type(was, type, i, &there);
                snprintf(pointer, sizeof(pointer), "/status/conditions/%u", here);
                error = value_edit_set(edit, pointer, value_at(was, there), NULL);
        }
        return error;
}

int shape_request_update(struct api_request *r, struct value_edit *edit) {
        int error;

        if (!r->sub)
                return shape_put(edit, "/spec", value_get(r->current_tree, "spec"));
        error = put_times(r, edit);
        if (error == 0 && is_status(r))
                error = keep_decisions(r, edit, "Approved") ?: keep_decisions(r, edit, "Denied");
        return error;
}
