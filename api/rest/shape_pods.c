/* Pods, and what makes them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/rest/meta.h"
#include "api/rest/shape.h"
#include "api/server/request.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/pod/pod.h"
#include "kube/pod/resources.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_number.h"
#include "lib/value.h"
#include "lib/value_edit.h"

/* --- pods --- */

static int put_class(struct api_request *r, struct value_edit *edit) {
        struct pod *pod = arena_new_of(r->arena, struct pod);
        struct problems problems;
        int error;

        problems_init(&problems, r->arena, NULL, NULL);
        error = pod ? kube_value_read(r->arena, &kube_pod_spec_type, value_get(r->next, "spec"), "", &problems,
                                      &pod->spec) :
                      -ENOMEM;
        return error ?: shape_text(edit, "/status/qosClass", pod_qos_name(pod_qos(pod)));
}

/* One that is held back from the scheduler says so. */
static int put_gated(struct api_request *r, struct value_edit *edit) {
        const char *now = api_meta_now(r->arena, 0);
        struct value_member *members = arena_alloc_array(r->arena, 5, sizeof(*members));
        struct value *condition = arena_new_of(r->arena, struct value);

        if (!now || !members || !condition)
                return -ENOMEM;
        members[0] = (struct value_member){ .key = "type", .value = VALUE_TEXT("PodScheduled") };
        members[1] = (struct value_member){ .key = "status", .value = VALUE_TEXT("False") };
        members[2] = (struct value_member){ .key = "lastTransitionTime", .value = VALUE_TEXT(now) };
        members[3] = (struct value_member){ .key = "reason", .value = VALUE_TEXT("SchedulingGated") };
        members[4] =
                (struct value_member){ .key = "message",
                                       .value = VALUE_TEXT("Scheduling is blocked due to non-empty scheduling gates") };
        *condition = (struct value){ .kind = VALUE_MAP, .count = 5, .members = members };
        return value_edit_set(edit, "/status/conditions",
                              &(struct value){ .kind = VALUE_LIST, .count = 1, .items = condition }, NULL);
}

/* Label keys become terms of the selector that they stand beside: the pod's own values (KEP-3633, KEP-3243). */
static int add_keys(struct api_request *r, struct value_edit *edit, const char *at, const struct value *keys,
                    const char *operator) {
        const struct value *labels = value_find(r->next, "metadata.labels");
        int error = 0;

        for (uint32_t i = 0; error == 0 && i < value_count(keys); i++) {
                const char *key = value_string_or(value_at(keys, i), "");
                const struct value *value = value_get(labels, key);
                char *pointer = arena_printf(r->arena, "%s/matchExpressions", at),
                     *end = arena_printf(r->arena, "%s/matchExpressions/-", at);
                struct value_member *members = arena_alloc_array(r->arena, 3, sizeof(*members));
                struct value *term = arena_new_of(r->arena, struct value);

                if (!pointer || !end || !members || !term)
                        return -ENOMEM;
                if (!value)
                        continue;
                members[0] = (struct value_member){ .key = "key", .value = VALUE_TEXT(key) };
                members[1] = (struct value_member){ .key = "operator", .value = VALUE_TEXT(operator) };
                members[2] = (struct value_member){ .key = "values",
                                                    .value = { .kind = VALUE_LIST, .count = 1, .items = value } };
                *term = (struct value){ .kind = VALUE_MAP, .count = 3, .members = members };
                error = value_edit_add(edit, end, term, NULL);
                if (error == -ENOENT)
                        error = value_edit_set(edit, pointer,
                                               &(struct value){ .kind = VALUE_LIST, .count = 1, .items = term }, NULL);
        }
        return error;
}

static int shape_terms(struct api_request *r, struct value_edit *edit, const char *kind, const char *list) {
        char *path = arena_printf(r->arena, "spec.affinity.%s.%s", kind, list);
        const struct value *terms = path ? value_find(r->next, path) : NULL;
        const char *below = *list == 'p' ? "/podAffinityTerm" : "";
        int error = path ? 0 : -ENOMEM;

        for (uint32_t i = 0; error == 0 && i < value_count(terms); i++) {
                const struct value *term = value_at(terms, i);
                char *at = arena_printf(r->arena, "/spec/affinity/%s/%s/%u%s/labelSelector", kind, list, i, below);

                term = *below ? value_get(term, "podAffinityTerm") : term;
                if (!at)
                        return -ENOMEM;
                if (value_is_null(value_get(term, "labelSelector")))
                        continue;
                error = add_keys(r, edit, at, value_get(term, "matchLabelKeys"), "In") ?:
                                add_keys(r, edit, at, value_get(term, "mismatchLabelKeys"), "NotIn");
        }
        return error;
}

static int shape_affinity(struct api_request *r, struct value_edit *edit) {
        static const char *const kinds[] = { "podAffinity", "podAntiAffinity" };
        static const char *const lists[] = { "preferredDuringSchedulingIgnoredDuringExecution",
                                             "requiredDuringSchedulingIgnoredDuringExecution" };
        int error = 0;

        for (size_t k = 0; k < ELEMENTS(kinds); k++)
                for (size_t l = 0; l < ELEMENTS(lists); l++)
                        error = error ?: shape_terms(r, edit, kinds[k], lists[l]);
        return error;
}

static int shape_spread(struct api_request *r, struct value_edit *edit) {
        const struct value *list = value_find(r->next, "spec.topologySpreadConstraints");
        int error = 0;

        for (uint32_t i = 0; error == 0 && i < value_count(list); i++) {
                const struct value *constraint = value_at(list, i);
                char at[80];

                snprintf(at, sizeof(at), "/spec/topologySpreadConstraints/%u/labelSelector", i);
                if (!value_is_null(value_get(constraint, "labelSelector")))
                        error = add_keys(r, edit, at, value_get(constraint, "matchLabelKeys"), "In");
        }
        return error;
}

int shape_pod(struct api_request *r, struct value_edit *edit) {
        int error = shape_text(edit, "/status/phase", "Pending") ?: put_class(r, edit);

        if (error == 0 && value_count(value_find(r->next, "spec.schedulingGates")) > 0)
                error = put_gated(r, edit);
        error = error ?: value_find(r->next, "spec.affinity") ? shape_affinity(r, edit) : 0;
        return error ?: shape_spread(r, edit) ?: shape_pod_features(r, edit);
}

int shape_pod_update(struct api_request *r, struct value_edit *edit) {
        bool status = r->sub && strcmp(r->sub->name, "status") == 0;
        int error = shape_pod_features(r, edit);

        if (error < 0 || !status || *value_string_or(value_find(r->next, "status.qosClass"), ""))
                return error;
        return shape_put(edit, "/status/qosClass", value_find(r->current_tree, "status.qosClass"));
}

/* --- jobs: unless somebody says what selects their pods, their uid does --- */

#define BATCH "batch.kubernetes.io/"

/* @map with what it does not have yet of @pairs. */
static const struct value *add_pairs(struct api_request *r, const struct value *map, const struct string_pair *pairs,
                                     size_t n) {
        struct value_edit edit;
        struct value *root;

        value_edit_begin(&edit, r->arena, map);
        root = value_edit_root(&edit);
        for (size_t i = 0; root && i < n; i++)
                if (!value_get(map, pairs[i].key) &&
                    value_edit_put(&edit, root, pairs[i].key, &(struct value)VALUE_TEXT(pairs[i].value)) < 0)
                        return NULL;
        return value_edit_end(&edit);
}

int shape_job(struct api_request *r, struct value_edit *edit) {
        const char *uid = value_string_or(value_find(r->next, "metadata.uid"), "");
        const struct string_pair pairs[] = { { BATCH "controller-uid", uid },
                                             { BATCH "job-name", r->name },
                                             { "controller-uid", uid },
                                             { "job-name", r->name } };
        const struct value *labels = value_find(r->next, "spec.template.metadata.labels"),
                           *own = value_find(r->next, "metadata.labels"), *all, *selected;
        int error = shape_template(r, edit);

        if (error < 0 || value_bool_or(value_find(r->next, "spec.manualSelector"), false))
                return error;
        all = add_pairs(r, labels, pairs, ELEMENTS(pairs));
        selected = add_pairs(r, value_find(r->next, "spec.selector.matchLabels"), pairs, 1);
        if (!all || !selected)
                return -ENOMEM;
        error = value_edit_set(edit, "/spec/template/metadata/labels", all, NULL) ?:
                        value_edit_set(edit, "/spec/selector/matchLabels", selected, NULL);
        /* A job without labels has its template's. */
        if (error == 0 && (value_count(own) == 0 || (labels && value_equal(own, labels))))
                error = value_edit_set(edit, "/metadata/labels", all, NULL);
        return error;
}

/* --- daemon sets: which template this is, counted, as an annotation --- */

#define TEMPLATES "deprecated.daemonset.template.generation"

static int64_t template_of(const struct value *daemons) {
        const struct value *annotations = value_find(daemons, "metadata.annotations");

        return strtoll(value_string_or(value_get(annotations, TEMPLATES), "0"), NULL, 10);
}

int shape_daemons(struct api_request *r, struct value_edit *edit, const struct value *daemons) {
        int64_t number = template_of(r->creates ? daemons : r->current_tree);
        const struct value *was = value_find(r->current_tree, "spec.template"),
                           *is = value_find(daemons, "spec.template");
        char *text;

        if (r->creates && number < 1)
                number = 1;
        if (!r->creates && was && is && !value_equal(was, is))
                number = go_number_next(number);
        text = arena_printf(r->arena, "%lld", (long long)number);
        return shape_text(edit, "/metadata/annotations/" TEMPLATES, text);
}
