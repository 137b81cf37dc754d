#include "api/pods/act.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/pods/pods.h"
#include "api/rest/meta.h"
#include "api/rest/show.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/value.h"
#include "lib/value_edit.h"

static const struct {
        const char *resource, *sub; /* of the core group */
        enum api_step (*act)(struct api_request *r);
} rows[] = {
        { "bindings", NULL, act_bind },
        { "pods", "binding", act_bind },
        { "pods", "eviction", act_evict },
};

enum api_step api_pods_act(struct api_request *r) {
        const char *sub = r->sub ? r->sub->name : "";

        for (size_t i = 0; !r->act && !*r->kind->group && i < ELEMENTS(rows); i++)
                if (strcmp(rows[i].resource, r->kind->resource) == 0 && strcmp(rows[i].sub ?: "", sub) == 0)
                        r->act = rows[i].act;
        return r->act ? r->act(r) : API_NEXT;
}

int act_take(struct api_request *r) {
        r->resource = api_state_find(r->server->config.state, "", "pods");
        r->kind = r->resource->kind;
        r->type = r->kind->type;
        r->sub = NULL;
        r->removes = r->creates = r->unchanged = false;
        return api_take_current(r);
}

int act_settle(struct api_request *r, struct value_edit *edit) {
        const struct value *tree = value_edit_end(edit);
        struct problems problems;
        struct api_json json = { 0 };
        int error = tree ? 0 : -ENOMEM;

        problems_init(&problems, r->arena, NULL, NULL);
        error = error ?: api_settle(r->arena, r->resource->kind->type, tree, false, &problems, &json);
        error = error ?: json.text ? 0 : -EINVAL;
        r->change.expected = r->current->revision;
        return error ?: json_parse(r->arena, json.text, json.length, NULL, &r->next, NULL);
}

static uint32_t place_of(const struct value *list, const char *type) {
        uint32_t n = value_count(list);

        for (uint32_t i = 0; i < n; i++)
                if (strcmp(value_string_or(value_get(value_at(list, i), "type"), ""), type) == 0)
                        return i;
        return n;
}

static int put(struct value_edit *edit, const char *at, const char *key, struct value value) {
        char pointer[96];

        snprintf(pointer, sizeof(pointer), "%s/%s", at, key);
        return value_edit_set(edit, pointer, &value, NULL);
}

int act_set_condition(struct api_request *r, struct value_edit *edit, const struct value *object,
                      const struct act_condition *c) {
        const struct value *list = value_find(object, "status.conditions");
        uint32_t at = place_of(list, c->type);
        const struct value *was = value_at(list, at);
        bool same = strcmp(value_string_or(value_get(was, "status"), ""), c->status) == 0;
        const char *now = api_meta_now(r->arena, 0);
        char pointer[48];
        int error;

        if (!now)
                return -ENOMEM;
        snprintf(pointer, sizeof(pointer), "/status/conditions/%u", at);
        if ((value_is_null(list) &&
             (error = value_edit_set(edit, "/status/conditions", &(struct value)VALUE_EMPTY(VALUE_LIST), NULL)) < 0) ||
            (!was && (error = value_edit_add(edit, pointer, &(struct value)VALUE_EMPTY(VALUE_MAP), NULL)) < 0) ||
            (error = put(edit, pointer, "type", (struct value)VALUE_TEXT(c->type))) < 0 ||
            (error = put(edit, pointer, "status", (struct value)VALUE_TEXT(c->status))) < 0)
                return error;
        if (c->generation &&
            (error = put(edit, pointer, "observedGeneration", (struct value)VALUE_INTEGER(c->generation))) < 0)
                return error;
        if (!same && (error = put(edit, pointer, "lastTransitionTime", (struct value)VALUE_TEXT(now))) < 0)
                return error;
        if (!c->reason)
                return 0;
        return put(edit, pointer, "reason", (struct value)VALUE_TEXT(c->reason)) ?:
                       put(edit, pointer, "message", (struct value)VALUE_TEXT(c->message));
}

enum api_step act_decided(struct api_request *r, const char *stage) {
        switch (r->change_code) {
        case 0:
                return api_done(r);
        case -ESTALE:
                return api_again(r, stage);
        case -ENOENT:
                return api_not_found(r, r->name);
        default:
                return api_fail(r, r->change_code, r->told);
        }
}
