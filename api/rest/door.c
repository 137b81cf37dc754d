#include "api/rest/door.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/rest/scale.h"
#include "api/rest/strategy.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "kube/kinds.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define PARTS_MAX 3

/* What goes through subresources that are of the object's own kind, beside metadata. */
static const struct {
        const char *sub;
        const char *parts[PARTS_MAX];
} doors[] = {
        { "status", { "/status" } },
        { "finalize", { "/spec/finalizers" } },
        { "approval", { "/status/conditions" } },
        { "ephemeralcontainers", { "/spec/ephemeralContainers" } },
        { "resize", { "/spec/resources" } },
};

/* A resize changes of containers what they get, as long as they are the same ones. */
static const char *const resized_lists[] = { "/spec/containers", "/spec/initContainers" };
static const char *const resized[] = { "resources", "resizePolicy" };

static bool is_scale(const struct api_request *r) {
        return r->sub && strcmp(r->sub->kind, "Scale") == 0;
}

int api_door_show(struct api_request *r, const struct value *object, const struct value **ret_shown) {
        if (is_scale(r))
                return api_scale_show(r, object, ret_shown);
        *ret_shown = object;
        return 0;
}

enum api_step api_door_check(struct api_request *r, const struct value *sent) {
        return is_scale(r) ? api_scale_check(r, sent) : API_NEXT;
}

int api_door_open(struct api_request *r, const struct value *sent, const struct value **ret_object) {
        if (is_scale(r))
                return api_scale_open(r, sent, ret_object);
        *ret_object = sent;
        return 0;
}

/* @pointer without its first slash, with dots: as value_find() has it. */
static const struct value *part_of(const struct value *object, const char *pointer) {
        char path[64];

        strncpy(path, pointer + 1, sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        for (char *c = path; *c; c++)
                if (*c == '/')
                        *c = '.';
        return value_find(object, path);
}

static int put_part(struct value_edit *edit, const char *pointer, const struct value *from) {
        const struct value *part = part_of(from, pointer);
        int r = part ? value_edit_set(edit, pointer, part, NULL) : value_edit_remove(edit, pointer, NULL);

        return r == -ENOENT ? 0 : r;
}

static bool same_names(const struct value *a, const struct value *b) {
        for (uint32_t i = 0; i < value_count(a); i++)
                if (strcmp(value_string_or(value_get(value_at(a, i), "name"), ""),
                           value_string_or(value_get(value_at(b, i), "name"), "")) != 0)
                        return false;
        return value_count(a) == value_count(b);
}

/* Lists of others stay as they were sent, for validation to refuse. */
static int put_resized(struct value_edit *edit, const char *list, const struct value *current,
                       const struct value *next) {
        const struct value *containers = part_of(next, list);
        int error = 0;

        if (!same_names(containers, part_of(current, list)))
                return put_part(edit, list, next);
        for (uint32_t i = 0; i < value_count(containers); i++)
                for (size_t k = 0; error == 0 && k < ELEMENTS(resized); k++) {
                        const struct value *part = value_get(value_at(containers, i), resized[k]);
                        char pointer[64];

                        snprintf(pointer, sizeof(pointer), "%s/%u/%s", list, i, resized[k]);
                        error = part ? value_edit_set(edit, pointer, part, NULL) :
                                       value_edit_remove(edit, pointer, NULL);
                        error = error == -ENOENT ? 0 : error;
                }
        return error;
}

/* Through these an object's metadata stays as it is (ResetObjectMetaForStatus). */
static bool keeps_meta(const char *sub) {
        return strcmp(sub, "ephemeralcontainers") == 0 || strcmp(sub, "resize") == 0;
}

/* What a status does not take with it. */
static int keep_meta(struct value_edit *edit, unsigned flags, const struct value *current) {
        static const struct {
                unsigned flags;
                const char *pointer;
        } kept[] = {
                { API_STATUS_LABELS | API_STATUS_PLAIN, "/metadata/labels" },
                { API_STATUS_OWNERS | API_STATUS_PLAIN, "/metadata/ownerReferences" },
                { API_STATUS_PLAIN, "/metadata/annotations" },
                { API_STATUS_PLAIN, "/metadata/finalizers" },
        };
        int error = 0;

        for (size_t i = 0; error == 0 && i < ELEMENTS(kept); i++)
                if (kept[i].flags & flags)
                        error = put_part(edit, kept[i].pointer, current);
        return error;
}

int api_door_keep(struct api_request *r) {
        const struct value *kept = NULL;
        struct value_edit edit;
        int error = 0;

        if (!api_has_status(r->kind) || (r->sub && strcmp(r->sub->name, "status") != 0))
                return 0;
        if (r->current && !r->creates)
                error = api_tree_of(r->arena, r->current, &kept);
        if (error < 0)
                return error;
        value_edit_begin(&edit, r->arena, r->next);
        error = put_part(&edit, r->sub ? "/spec" : "/status", kept);
        r->next = value_edit_end(&edit);
        return error ?: r->next ? 0 : -ENOMEM;
}

int api_door_begin(struct api_request *r, struct value_edit *edit, const struct value *current,
                   const struct value *next) {
        int error = 0;

        if (!r->sub || is_scale(r)) {
                value_edit_begin(edit, r->arena, next);
                return api_has_status(r->kind) ? put_part(edit, "/status", current) : 0;
        }
        value_edit_begin(edit, r->arena, current);
        error = put_part(edit, "/metadata", next);
        if (error == 0 && strcmp(r->sub->name, "status") == 0)
                error = keep_meta(edit, api_strategy_of(r->kind)->flags, current);
        if (error == 0 && keeps_meta(r->sub->name))
                error = keep_meta(edit, API_STATUS_PLAIN, current);
        for (size_t i = 0; strcmp(r->sub->name, "resize") == 0 && i < ELEMENTS(resized_lists); i++)
                error = error ?: put_resized(edit, resized_lists[i], current, next);
        for (size_t i = 0; i < ELEMENTS(doors); i++)
                for (size_t j = 0; strcmp(doors[i].sub, r->sub->name) == 0 && j < PARTS_MAX && doors[i].parts[j]; j++)
                        error = error ?: put_part(edit, doors[i].parts[j], next);
        return error;
}
