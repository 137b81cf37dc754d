#include "api/bootstrap.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "api/rest/meta.h"
#include "api/server/codec.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define NAMESPACE(name)                                                                                                \
        {                                                                                                              \
                "", "namespaces",                                                                                      \
                        "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" name                 \
                        "\",\"labels\":{\"kubernetes.io/metadata.name\":\"" name                                       \
                        "\"}},\"spec\":{\"finalizers\":[\"kubernetes\"]},\"status\":{\"phase\":\"Active\"}}"           \
        }
#define PRIORITY(name, value, text)                                                                                    \
        {                                                                                                              \
                "scheduling.k8s.io", "priorityclasses",                                                                \
                        "{\"kind\":\"PriorityClass\",\"apiVersion\":\"scheduling.k8s.io/v1\",\"metadata\":{\"name\":\"" name \
                        "\",\"generation\":1},\"value\":" value ",\"description\":\"" text                             \
                        "\",\"preemptionPolicy\":\"PreemptLowerPriority\"}"                                            \
        }

static const struct {
        const char *group, *resource, *json;
} wanted[] = {
        NAMESPACE("default"),
        NAMESPACE("kube-system"),
        NAMESPACE("kube-public"),
        NAMESPACE("kube-node-lease"),
        PRIORITY("system-node-critical", "2000001000",
                 "Used for system critical pods that must not be moved from their current node."),
        PRIORITY("system-cluster-critical", "2000000000",
                 "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."),
};

struct pending {
        pthread_mutex_t lock;
        pthread_cond_t decided;
        bool done;
        int code;
};

static void on_decided(struct api_change *change, int code, const char *text) {
        struct pending *p = change->data;

        pthread_mutex_lock(&p->lock);
        p->done = true;
        p->code = code;
        pthread_cond_signal(&p->decided);
        pthread_mutex_unlock(&p->lock);
}

static int make(struct api_change *change) {
        struct pending p = { .lock = PTHREAD_MUTEX_INITIALIZER, .decided = PTHREAD_COND_INITIALIZER };
        int r;

        change->done = on_decided;
        change->data = &p;
        change->expected = STORE_ABSENT;
        r = api_change_submit(change);
        if (r < 0)
                return r;
        pthread_mutex_lock(&p.lock);
        while (!p.done)
                pthread_cond_wait(&p.decided, &p.lock);
        pthread_mutex_unlock(&p.lock);
        return p.code == -EEXIST ? 0 : p.code;
}

static int bootstrap_one(struct api_state *state, struct arena *arena, const char *group, const char *resource,
                         const char *json) {
        struct api_resource *of = api_state_find(state, group, resource);
        struct api_change change = { 0 };
        struct problems problems;
        const struct value *tree;
        struct value_edit edit;
        const char *text = NULL;
        size_t length = 0;
        int r = of ? json_parse(arena, json, strlen(json), NULL, &tree, NULL) : -ENOENT;

        if (r < 0)
                return r;
        problems_init(&problems, arena, NULL, NULL);
        value_edit_begin(&edit, arena, tree);
        r = api_meta_stamp(arena, &edit);
        tree = value_edit_end(&edit);
        r = r ?: tree ? 0 : -ENOMEM;
        r = r ?: api_settle(arena, of->kind->type, tree, true, &problems, &text, &length);
        r = r ?: text ? 0 : -EINVAL;
        r = r ?: json_parse(arena, text, length, NULL, &tree, NULL);
        r = r ?: api_change_init(&change, state, of, arena, tree, text, length);
        r = r ?: make(&change);
        api_change_deinit(&change);
        return r;
}

int api_bootstrap(struct api_state *state, struct err **err) {
        for (size_t i = 0; i < ELEMENTS(wanted); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                int r = arena ? bootstrap_one(state, arena, wanted[i].group, wanted[i].resource, wanted[i].json) : -ENOMEM;

                if (r < 0)
                        return err_errno(err, -r, "cannot make the first %s", wanted[i].resource);
        }
        return 0;
}
