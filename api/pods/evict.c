/* Evictions (KEP-85): a pod is asked to go, as far as its disruption budget lets it.
 *
 *     look ──► (budget: counted down) ──► (condition DisruptionTarget) ──► deletion, as DELETE does it
 *
 * Each arrow is a commit; what has changed meanwhile leads back to where it was looked at.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/cache/object.h"
#include "api/pods/act.h"
#include "api/pods/budget.h"
#include "api/rest/meta.h"
#include "api/server/codec.h"
#include "api/server/options.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define TRIES_MAX 20
#define RETRY_S 10

struct eviction {
        bool dry;
        int64_t pinned;     /* the pod's revision, where it is to go as it was looked at; 0: however it is */
        const char *budget; /* which let it go as it was; NULL: none */
        unsigned tries;
};

/* --- the end --- */

static enum api_step look(struct api_request *r, struct eviction *e);
static enum api_step mark(struct api_request *r, struct eviction *e);

static enum api_step start_again(struct api_request *r, struct eviction *e) {
        if (e->budget)
                return budget_refuse_busy(r, e->budget);
        if (++e->tries >= TRIES_MAX)
                return api_conflict(r, r->name);
        return look(r, e);
}

static enum api_step on_removed(struct api_request *r) {
        return act_decided(r, "remove");
}

static enum api_step remove_pod(struct api_request *r) {
        struct eviction *e = r->acting;
        int error = act_take(r);

        if (error < 0)
                return error == -ENOENT ? api_not_found(r, r->name) : api_fail(r, error, NULL);
        if (e->pinned && r->current->revision != e->pinned)
                return start_again(r, e);
        r->verb = KUBE_VERB_DELETE;
        r->decided = on_removed;
        r->options.dry = e->dry;
        return api_again(r, "remove");
}

/* --- the condition --- */

static enum api_step on_marked(struct api_request *r) {
        struct eviction *e = r->acting;
        int error;

        switch (r->change_code) {
        case 0:
                break;
        case -ESTALE:
                error = act_take(r);
                if (error < 0)
                        return error == -ENOENT ? api_not_found(r, r->name) : api_fail(r, error, NULL);
                return e->pinned ? start_again(r, e) : mark(r, e);
        case -ENOENT:
                return api_not_found(r, r->name);
        default:
                return api_fail(r, r->change_code, r->told);
        }
        if (r->change.object && e->pinned)
                e->pinned = r->change.object->revision;
        if (r->change.object && r->options.version && *r->options.version)
                r->options.version = arena_printf(r->arena, "%lld", (long long)r->change.object->revision) ?: "0";
        return remove_pod(r);
}

static enum api_step refuse_as_pod(struct api_request *r, const char *what, const char *wanted, const char *is,
                                   const char *hint) {
        const struct kube_kind as = { .group = "", .kind = "Pod", .resource = "Pod" };
        enum api_step step;

        r->kind = &as;
        step = api_unmet(r, what, wanted, is, hint);
        r->kind = NULL;
        return step;
}

static enum api_step check_preconditions(struct api_request *r) {
        const struct api_options *o = &r->options;
        const char *uid = api_meta_text(r->current_tree, "uid"),
                   *version = api_meta_text(r->current_tree, "resourceVersion");

        if (o->uid && *o->uid && strcmp(o->uid, uid) != 0)
                return refuse_as_pod(r, "UID", o->uid, uid, "deleted and then recreated");
        if (o->version && *o->version && strcmp(o->version, version) != 0)
                return refuse_as_pod(r, "ResourceVersion", o->version, version, "modified");
        return API_NEXT;
}

/* r->current is the pod. */
static enum api_step mark(struct api_request *r, struct eviction *e) {
        static const struct act_condition target = { .type = "DisruptionTarget",
                                                     .status = "True",
                                                     .reason = "EvictionByEvictionAPI",
                                                     .message = "Eviction API: evicting" };
        enum api_step step;
        struct value_edit edit;
        int error;

        if (e->dry)
                return remove_pod(r);
        step = check_preconditions(r);
        if (step != API_NEXT)
                return step;
        value_edit_begin(&edit, r->arena, r->current_tree);
        error = act_set_condition(r, &edit, r->current_tree, &target) ?: act_settle(r, &edit);
        if (error < 0)
                return api_fail(r, error, NULL);
        r->decided = on_marked;
        return api_again(r, "commit");
}

/* --- the budget --- */

static enum api_step on_counted(struct api_request *r) {
        struct eviction *e = r->acting;
        const char *budget = r->current->name;
        int error = act_take(r);

        switch (r->change_code) {
        case 0:
                if (error < 0)
                        return error == -ENOENT ? api_not_found(r, r->name) : api_fail(r, error, NULL);
                return mark(r, e);
        case -ESTALE:
        case -ENOENT:
                if (++e->tries < TRIES_MAX)
                        return look(r, e);
                return api_refuse_cause(r, API_TIMEOUT,
                                        arena_printf(r->arena,
                                                     "Timeout: couldn't update PodDisruptionBudget \"%s\" due to "
                                                     "conflicts",
                                                     budget) ?:
                                                "",
                                        NULL, RETRY_S);
        default:
                return api_fail(r, r->change_code, r->told);
        }
}

static bool is_ready(const struct value *pod) {
        const struct value *ready = value_item(value_find(pod, "status.conditions"), "type", "Ready");

        return strcmp(value_string_or(value_get(ready, "status"), ""), "True") == 0;
}

static enum api_step count(struct api_request *r, struct eviction *e, struct object *budget) {
        const struct value *tree;
        enum api_step step;

        if (api_tree_of(r->arena, budget, &tree) < 0)
                return api_fail(r, -ENOMEM, NULL);
        if (!is_ready(r->current_tree) && budget_spares_unready(tree)) {
                e->pinned = r->current->revision;
                e->budget = arena_strdup(r->arena, budget->name) ?: "";
                return mark(r, e);
        }
        step = budget_take(r, budget, r->name);
        if (step != API_NEXT)
                return step;
        if (e->dry)
                return remove_pod(r);
        r->decided = on_counted;
        return api_again(r, "commit");
}

/* --- the beginning --- */

static bool asks_nobody(const struct value *pod) {
        static const char *const phases[] = { "Succeeded", "Failed", "Pending" };
        const char *phase = value_string_or(value_find(pod, "status.phase"), "");

        for (size_t i = 0; i < ELEMENTS(phases); i++)
                if (strcmp(phases[i], phase) == 0)
                        return true;
        return value_find(pod, "metadata.deletionTimestamp");
}

static enum api_step look(struct api_request *r, struct eviction *e) {
        _cleanup_object_ struct object *budget = NULL;
        const char *phase;
        int error = act_take(r);

        e->pinned = 0;
        if (error < 0)
                return error == -ENOENT ? api_not_found(r, r->name) : api_fail(r, error, NULL);
        if (asks_nobody(r->current_tree)) {
                phase = value_string_or(value_find(r->current_tree, "status.phase"), "");
                if (strcmp(phase, "Pending") == 0 && !value_find(r->current_tree, "metadata.deletionTimestamp") &&
                    !r->options.version)
                        e->pinned = r->current->revision;
                return mark(r, e);
        }
        error = budget_find(r, r->current, &budget);
        if (error == -E2BIG)
                return api_refuse(r, API_BROKEN,
                                  "This pod has more than one PodDisruptionBudget, which the eviction subresource "
                                  "does not support.");
        if (error < 0)
                return api_fail(r, error, NULL);
        return budget ? count(r, e, budget) : mark(r, e);
}

static enum api_step refuse_potential(struct api_request *r) {
        const struct kube_kind as = { .group = "policy", .kind = "Eviction" };
        struct problems problems;

        problems_init(&problems, r->arena, NULL, NULL);
        problem_error(&problems, "deleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential",
                      "Invalid value: true: can not be set for pod eviction, try after removing the option");
        r->kind = &as;
        api_invalid(r, r->name, &problems);
        r->kind = NULL;
        return API_END;
}

enum api_step act_evict(struct api_request *r) {
        struct eviction *e = arena_new_of(r->arena, struct eviction);
        const struct value *options = value_get(r->sent, "deleteOptions");
        const char *namespace = api_meta_text(r->sent, "namespace");
        enum api_step step;

        if (!e)
                return api_fail(r, -ENOMEM, NULL);
        if (*namespace && strcmp(namespace, r->path.namespace) != 0)
                return api_refuse(
                        r, API_BAD_REQUEST,
                        "the namespace of the provided object does not match the namespace sent on the request");
        if (strcmp(r->path.name, api_meta_text(r->sent, "name")) != 0)
                return api_refuse(r, API_BAD_REQUEST, "name in URL does not match name in Eviction object");
        if (value_bool_or(value_get(options, "ignoreStoreReadErrorWithClusterBreakingPotential"), false))
                return refuse_potential(r);
        step = api_options_of_deletion(r, options);
        if (step != API_NEXT)
                return step;
        e->dry = r->options.dry;
        r->acting = e;
        r->name = r->path.name;
        return look(r, e);
}
