#include "api/bootstrap/bootstrap.h"

#include <errno.h>
#include <string.h>

#include "api/rest/put.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define NAMESPACE(name)                                                                                                \
        {                                                                                                              \
                "", "namespaces", name,                                                                                \
                        "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" name                 \
                        "\",\"labels\":{\"kubernetes.io/metadata.name\":\"" name                                       \
                        "\"}},\"spec\":{\"finalizers\":[\"kubernetes\"]},\"status\":{\"phase\":\"Active\"}}"           \
        }
#define PRIORITY(name, value, text)                                                                                    \
        {                                                                                                              \
                "scheduling.k8s.io", "priorityclasses", name,                                                          \
                        "{\"kind\":\"PriorityClass\",\"apiVersion\":\"scheduling.k8s.io/"                              \
                        "v1\",\"metadata\":{\"name\":\"" name "\",\"generation\":1},\"value\":" value                  \
                        ",\"description\":\"" text "\",\"preemptionPolicy\":\"PreemptLowerPriority\"}"                 \
        }

static const struct {
        const char *group, *resource, *name, *json;
} first[] = {
        NAMESPACE("default"),
        NAMESPACE("kube-system"),
        NAMESPACE("kube-public"),
        NAMESPACE("kube-node-lease"),
        PRIORITY("system-node-critical", "2000001000",
                 "Used for system critical pods that must not be moved from their current node."),
        PRIORITY("system-cluster-critical", "2000000000",
                 "Used for system critical pods that must run in the cluster, but can be moved to another node if "
                 "necessary."),
};

static int bootstrap_one(struct api_state *state, struct arena *arena, const char *group, const char *resource,
                         const char *json) {
        struct api_resource *of = api_state_find(state, group, resource);

        return of ? api_put_new(state, arena, of, json, strlen(json)) : -ENOENT;
}

const char *api_bootstrap_namespace(const char *name) {
        for (size_t i = 0; i < ELEMENTS(first); i++)
                if (strcmp(first[i].resource, "namespaces") == 0 && strcmp(first[i].name, name) == 0)
                        return first[i].json;
        return NULL;
}

int api_bootstrap(struct api_state *state, struct err **err) {
        _cleanup_arena_ struct arena *arena = NULL;
        int r;

        for (size_t i = 0; i < ELEMENTS(first); i++) {
                _cleanup_arena_ struct arena *one = arena_new();

                r = one ? bootstrap_one(state, one, first[i].group, first[i].resource, first[i].json) : -ENOMEM;
                if (r < 0)
                        return err_errno(err, -r, "cannot make the first %s", first[i].resource);
        }
        arena = arena_new();
        r = arena ? api_bootstrap_roles(state, arena) : -ENOMEM;
        return r < 0 ? err_errno(err, -r, "cannot make the default roles") : 0;
}
