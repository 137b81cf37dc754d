/* ClusterRoles with an aggregationRule have the rules of those that it selects. */
#include <errno.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "api/rbac/escalation.h"
#include "api/rbac/rbac.h"
#include "kube/codec/codec.h"
#include "kube/rbac_v1.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/log.h"

#define MANAGER "clusterrole-aggregation-controller"

typedef struct kube_rbac_v1_cluster_role cluster_role;

/* The roles as an authorizer has them, which are here for their labels and rules. */
static int take_role(struct controller *controller, const struct client_object *object) {
        _cleanup_arena_ struct arena *arena = arena_new();
        cluster_role role = { 0 };
        int r = arena ? client_object_read(arena, object, &kube_rbac_v1_cluster_role_type, &role) : -ENOMEM;

        return r ?: rbac_set_cluster_role(controller_data(controller), &role);
}

static bool aggregates(const struct client_object *object) {
        static const char mark[] = "\"aggregationRule\":{";

        return memmem(object->json->data, object->json->size, mark, sizeof(mark) - 1);
}

/* Whichever it is, it may be selected by any that aggregates. */
static void on_role(struct controller *controller, const struct client_object *object,
                    const struct client_object *old) {
        const struct informer *roles = controller_informer(controller, 0);
        int r = 0;

        if (informer_find(roles, "", object->name))
                r = take_role(controller, object);
        else
                rbac_forget(controller_data(controller), "clusterroles", "", object->name);
        if (r < 0)
                log_error("%s: it is not aggregated: %s", object->name, strerror(-r));
        for (struct informer_walk w = informer_first(roles, NULL); w.object; informer_next(&w))
                if (aggregates(w.object))
                        controller_add(controller, w.object->name);
}

static int start(struct controller *controller) {
        struct rbac *rbac = rbac_new();

        controller_set_data(controller, rbac);
        return rbac ? 0 : -ENOMEM;
}

static void stop(struct controller *controller) {
        rbac_free(controller_data(controller));
}

/* The rules alone, as JSON. */
static int write_rules(const char *name, const rbac_rules *rules, char **ret_text, size_t *ret_length) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        cluster_role role = { .kind = "ClusterRole",
                              .api_version = "rbac.authorization.k8s.io/v1",
                              .metadata = { .name = name } };

        role.rules.items = rules->items;
        role.rules.count = rules->count;
        kube_json_write(&w, &kube_rbac_v1_cluster_role_type, &role);
        return json_writer_finish(&w, ret_text, ret_length);
}

static int reconcile(struct task *task) {
        struct controller *c = task_controller(task);
        const struct client_object *object = informer_find(controller_informer(c, 0), "", task_name(task));
        struct client_request q = { .verb = KUBE_VERB_PATCH,
                                    .kind = informer_kind(controller_informer(c, 0)),
                                    .name = task_name(task),
                                    .patch = CLIENT_PATCH_APPLY,
                                    .manager = MANAGER,
                                    .force = true };
        _cleanup_free_ char *now = NULL, *wanted = NULL;
        cluster_role role = { 0 };
        rbac_rules rules, own;
        int r = object ? client_object_read(task_arena(task), object, &kube_rbac_v1_cluster_role_type, &role) : 0;

        if (r < 0 || !object || !role.aggregation_rule)
                return r;
        own = (rbac_rules){ role.rules.items, role.rules.count };
        if ((r = rbac_aggregate(controller_data(c), &role, task_arena(task), &rules)) < 0 ||
            (r = write_rules(task_name(task), &own, &now, NULL)) < 0 ||
            (r = write_rules(task_name(task), &rules, &wanted, &q.length)) < 0 || strcmp(now, wanted) == 0)
                return r;
        q.body = wanted;
        task_send(task, &q, TASK_GONE_IS_FINE, NULL, NULL);
        return 0;
}

const struct controller_kind controller_aggregation = {
        .name = "clusterrole-aggregation-controller",
        .alias = "clusterrole-aggregation",
        .account = "clusterrole-aggregation-controller",
        .watches = { { "rbac.authorization.k8s.io", "clusterroles", NULL, on_role, .passes = false } },
        .reconcile = reconcile,
        .start = start,
        .stop = stop,
};
