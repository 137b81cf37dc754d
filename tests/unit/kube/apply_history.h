/* A history of tests/conformance/kube_apply, run by kube/apply. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "kube/apply/apply.h"
#include "kube/apply/scale.h"
#include "kube/codec/codec.h"
#include "kube/defaults/defaults.h"
#include "kube/kinds.h"
#include "kube/patch/patch.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/value_edit.h"
#include "tests/unit/kube/case_kind.h"

struct apply_history {
        struct arena *arena;
        const struct kube_kind *kind;
        const struct value *live; /* NULL: not there yet */
        bool strategies;          /* as kube-apiserver has them; else those that the oracle makes up */
};

static inline const struct apply_filter *apply_history_filter(const struct apply_history *h, const char *subresource) {
        static const char *const status_path[] = { "status", NULL }, *const spec_path[] = { "spec", NULL };
        static const struct apply_filter status = { .paths = status_path }, spec = { .paths = spec_path };

        if (h->strategies)
                return apply_filter_of(h->kind->group, h->kind->kind, subresource);
        if (*subresource)
                return &spec;
        return strcmp(h->kind->kind, "ConfigMap") == 0 || strcmp(h->kind->kind, "ClusterRole") == 0 ? NULL : &status;
}

/* The object as its type has it, with its defaults where @defaults is true; NULL where it cannot be read. */
static inline int apply_history_fill(struct apply_history *h, const struct value *object, bool defaults,
                                     const struct value **ret) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        void *typed = arena_alloc(h->arena, h->kind->type->size);
        struct problems problems;
        char *text = NULL;
        int r;

        *ret = NULL;
        problems_init(&problems, h->arena, NULL, object);
        if (!typed || kube_value_read(h->arena, h->kind->type, object, "", &problems, typed) < 0)
                return -ENOMEM;
        if (problems.errors > 0)
                return 0;
        if (defaults && defaults_fill(h->arena, h->kind->type, typed, 0) < 0)
                return -ENOMEM;
        kube_json_write(&w, h->kind->type, typed);
        if (json_writer_finish(&w, &text, NULL) < 0)
                return -ENOMEM;
        r = json_parse(h->arena, text, strlen(text), NULL, ret, NULL);
        free(text);
        return r;
}

/* As the API server reads what came of a write. */
static inline const struct value *apply_history_settle(struct apply_history *h, const struct value *object,
                                                       struct err **err) {
        const struct value *settled;

        if (apply_history_fill(h, object, h->strategies, &settled) < 0 || !settled)
                err_set(err, EINVAL, "unreadable");
        return settled;
}

/* The uid that an object has once it is there. */
static inline const struct value *apply_history_born(struct apply_history *h, const struct value *object) {
        const struct value uid = VALUE_TEXT("u");
        struct value_edit edit;

        value_edit_begin(&edit, h->arena, object);
        if (value_edit_set(&edit, "/metadata/uid", &uid, NULL) < 0)
                return NULL;
        return value_edit_end(&edit);
}

static inline int apply_history_step(struct apply_history *h, const struct value *step, struct apply_result *ret,
                                     struct err **err) {
        const char *subresource = value_string_or(value_get(step, "subresource"), "");
        const struct apply_target target = {
                .type = h->kind->type,
                .group = h->kind->group,
                .version = h->kind->version,
                .kind = h->kind->kind,
                .subresource = subresource,
                .filter = apply_history_filter(h, subresource),
        };
        struct apply_writer writer = {
                .manager = value_string_or(value_get(step, "manager"), ""),
                .force = value_bool_or(value_get(step, "force"), false),
        };
        static const struct value none = { .kind = VALUE_MAP };
        const struct value *changed, *body = value_get(step, "body");
        int r;

        value_integer(value_get(step, "time"), &writer.now);
        if (strcmp(value_string_or(value_get(step, "op"), ""), "apply") == 0) {
                r = apply_configuration(h->arena, &(struct apply_write){ &target, &writer, h->live, body }, ret, err);
        } else {
                r = patch_merge(h->arena, h->live ?: &none, body, &changed, err);
                if (r == 0)
                        writer.forget = apply_forgets(changed);
                if (r == 0)
                        r = (changed = apply_history_settle(h, changed, err)) ? 0 : -EINVAL;
                if (r == 0)
                        r = apply_update(h->arena, &(struct apply_write){ &target, &writer, h->live, changed },
                                         &ret->object);
        }
        if (r == 0)
                ret->object = apply_history_settle(h, ret->object, err);
        if (r == 0 && ret->object)
                ret->object = apply_history_born(h, ret->object);
        return r;
}

static inline void apply_history_write(struct json_writer *w, const struct apply_result *result,
                                       const struct err *err) {
        json_begin_map(w);
        if (err) {
                json_add_string(w, "error", result->message ?: err_text(err));
                json_key(w, "causes");
                json_begin_list(w);
                for (uint32_t i = 0; i < result->n_causes; i++) {
                        json_begin_map(w);
                        json_add_string(w, "field", result->causes[i].field);
                        json_add_string(w, "message", result->causes[i].message);
                        json_end_map(w);
                }
                json_end_list(w);
        } else {
                json_key(w, "object");
                json_value(w, result->object);
        }
        json_end_map(w);
}

/* Owners of a scale, and of the object after a write to it. */
static inline char *apply_history_scale(struct arena *arena, const struct value *scale) {
        static const struct apply_replicas replicas[] = { { "apps/v1", "spec.replicas" },
                                                          { "apps/v0", NULL },
                                                          { NULL, NULL } };
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        const struct apply_scaled parent = { replicas, "apps/v1", value_get(scale, "parent") };
        struct value seen, merged;
        struct err *err = NULL;
        char *text;

        json_begin_map(&w);
        if (apply_scale_entries(arena, &parent, &seen, &err) < 0 ||
            apply_scale_merge(arena, &parent, value_get(scale, "scale"), &merged, &err) < 0) {
                json_add_string(&w, "error", err_text(err));
        } else {
                json_key(&w, "seen");
                json_value(&w, &seen);
                json_key(&w, "merged");
                json_value(&w, &merged);
        }
        json_end_map(&w);
        err_free(err);
        return json_writer_finish(&w, &text, NULL) < 0 ? NULL : text;
}

/* The caller frees it. */
static inline char *apply_history_run(struct arena *arena, const struct value *history) {
        struct apply_history h = {
                .arena = arena,
                .kind = case_kind(history),
                .live = value_is(value_get(history, "live"), VALUE_MAP) ? value_get(history, "live") : NULL,
                .strategies = value_bool_or(value_get(history, "strategies"), false),
        };
        const struct value *steps = value_get(history, "steps");
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        char *text;

        if (value_get(history, "scale"))
                return apply_history_scale(arena, value_get(history, "scale"));
        json_begin_list(&w);
        for (uint32_t i = 0; i < value_count(steps); i++) {
                struct apply_result result = { 0 };
                struct err *err = NULL;

                if (apply_history_step(&h, value_at(steps, i), &result, &err) == 0 && !err)
                        h.live = result.object;
                apply_history_write(&w, &result, err);
                err_free(err);
        }
        json_end_list(&w);
        return json_writer_finish(&w, &text, NULL) < 0 ? NULL : text;
}
