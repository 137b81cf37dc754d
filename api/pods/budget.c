#include "api/pods/budget.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/pods/act.h"
#include "api/rest/meta.h"
#include "api/rest/own.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "kube/selector/label.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define DISRUPTED_MAX 2000 /* pods that its controller has not seen go yet, as kube-apiserver */
#define RETRY_S 10
#define REFUSED "Cannot evict pod as it would violate the pod's disruption budget."

static int64_t number(const struct value *budget, const char *path) {
        int64_t n = 0;

        value_integer(value_find(budget, path), &n);
        return n;
}

static const char *name_of(const struct value *budget) {
        return value_string_or(value_find(budget, "metadata.name"), "");
}

/* --- which --- */

static const char *label_of(const void *data, const char *key) {
        return object_label(data, key);
}

static bool selects(struct api_request *r, const struct object *budget, const struct object *pod) {
        _cleanup_err_ struct err *err = NULL;
        struct selector_labels selector;
        const struct value *tree;

        return api_tree_of(r->arena, budget, &tree) == 0 &&
               selector_label_from(r->arena, value_find(tree, "spec.selector"), &selector, &err) == 0 &&
               selector_label_matches(&selector, label_of, pod);
}

int budget_find(struct api_request *r, const struct object *pod, struct object **ret_budget) {
        struct api_resource *of = api_state_find(r->server->config.state, "policy", "poddisruptionbudgets");
        const struct collection_query query = { .filter = { .namespace = r->path.namespace } };
        struct collection_page page = { 0 };
        struct object *found = NULL;
        int error = of ? collection_list(of->collection, &query, &page) : 0;

        for (size_t i = 0; error == 0 && i < page.n; i++) {
                if (!selects(r, page.objects[i], pod))
                        continue;
                if (found)
                        error = -E2BIG;
                else
                        found = object_ref(page.objects[i]);
        }
        collection_page_clear(&page);
        if (error < 0)
                object_unref(found);
        else
                *ret_budget = found;
        return error;
}

/* --- what it says --- */

bool budget_spares_unready(const struct value *budget) {
        const char *policy = value_string_or(value_find(budget, "spec.unhealthyPodEvictionPolicy"), "");
        int64_t wanted = number(budget, "status.desiredHealthy");

        return strcmp(policy, "AlwaysAllow") == 0 || (wanted > 0 && number(budget, "status.currentHealthy") >= wanted);
}

static const char *why_not(struct api_request *r, const struct value *budget) {
        const struct value *condition =
                value_item(value_find(budget, "status.conditions"), "type", "DisruptionAllowed");
        const char *name = name_of(budget), *reason = value_string_or(value_get(condition, "reason"), ""),
                   *message = value_string_or(value_get(condition, "message"), "");
        bool says = *message && strcmp(value_string_or(value_get(condition, "status"), ""), "False") == 0;
        long long wanted = number(budget, "status.desiredHealthy"), has = number(budget, "status.currentHealthy");

        if (says && strcmp(reason, "SyncFailed") == 0)
                return arena_printf(r->arena,
                                    "The disruption budget %s does not allow evicting pods currently because it failed "
                                    "sync: %s",
                                    name, message);
        if (has <= wanted)
                return arena_printf(r->arena, "The disruption budget %s needs %lld healthy pods and has %lld currently",
                                    name, wanted, has);
        if (says)
                return arena_printf(r->arena,
                                    "The disruption budget %s does not allow evicting pods currently (%s): %s", name,
                                    reason, message);
        return arena_printf(r->arena, "The disruption budget %s does not allow evicting pods currently", name);
}

static enum api_step refuse(struct api_request *r, const char *why, int64_t retry_s) {
        const struct api_cause cause = { .reason = "DisruptionBudget", .message = why ?: "" };

        return api_refuse_cause(r, API_TOO_MANY, REFUSED, &cause, retry_s);
}

enum api_step budget_refuse_busy(struct api_request *r, const char *budget) {
        return refuse(
                r, arena_printf(r->arena, "The disruption budget %s is still being processed by the server.", budget),
                RETRY_S);
}

static enum api_step forbid(struct api_request *r, const char *name, const char *why) {
        const struct kube_kind as = { .group = "policy", .resource = "poddisruptionbudget" };

        r->kind = &as;
        api_refuse_object(r, API_FORBIDDEN, name, "poddisruptionbudget.policy \"%s\" is forbidden: %s", name, why);
        r->kind = NULL;
        return API_END;
}

/* --- taking --- */

static int count_down(struct api_request *r, const char *name, int64_t allowed) {
        const struct act_condition none = { .type = "DisruptionAllowed",
                                            .status = "False",
                                            .reason = "InsufficientPods",
                                            .message = "",
                                            .generation = number(r->current_tree, "status.observedGeneration") };
        const char *now = api_meta_now(r->arena, 0),
                   *pointer = arena_printf(r->arena, "/status/disruptedPods/%s", name);
        struct value_edit edit;
        int error = now && pointer ? 0 : -ENOMEM;

        value_edit_begin(&edit, r->arena, r->current_tree);
        error = error ?:
                        value_edit_set(&edit, "/status/disruptionsAllowed", &(struct value)VALUE_INTEGER(allowed),
                                       NULL);
        error = error ?: value_edit_set(&edit, pointer, &(struct value)VALUE_TEXT(now), NULL);
        if (error == 0 && allowed == 0)
                error = act_set_condition(r, &edit, r->current_tree, &none);
        error = error ?: act_settle(r, &edit);
        return error ?: api_own_server(r->arena, r->kind, "status", r->current_tree, &r->next);
}

enum api_step budget_take(struct api_request *r, struct object *budget, const char *name) {
        int64_t allowed;
        int error;

        object_unref(r->current);
        r->current = object_ref(budget);
        r->resource = api_state_find(r->server->config.state, "policy", "poddisruptionbudgets");
        r->kind = r->resource->kind;
        error = api_tree_of(r->arena, budget, &r->current_tree);
        if (error < 0)
                return api_fail(r, error, NULL);
        allowed = number(r->current_tree, "status.disruptionsAllowed");
        if (number(r->current_tree, "status.observedGeneration") < number(r->current_tree, "metadata.generation"))
                return budget_refuse_busy(r, budget->name);
        if (allowed < 0)
                return forbid(r, budget->name, "pdb disruptions allowed is negative");
        if (value_count(value_find(r->current_tree, "status.disruptedPods")) > DISRUPTED_MAX)
                return forbid(r, budget->name,
                              "DisruptedPods map too big - too many evictions not confirmed by PDB controller");
        if (allowed == 0)
                return refuse(r, why_not(r, r->current_tree), 0);
        error = count_down(r, name, allowed - 1);
        return error < 0 ? api_fail(r, error, NULL) : API_NEXT;
}
