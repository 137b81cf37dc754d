/* DefaultTolerationSeconds: a pod stays for a while on a node that is not ready or cannot be reached.
 * ExtendedResourceToleration: nodes with rare devices are tainted by them, and who asks for one tolerates that. */
#include <errno.h>
#include <string.h>

#include "api/admission/builtin.h"
#include "api/admission/internal.h"
#include "api/server/status.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static bool is_empty(const char *text) {
        return !text || !*text;
}

static bool tolerates(const struct kube_pod *pod, const char *key) {
        list_for_each (t, &pod->spec.tolerations)
                if ((is_empty(t->key) || strcmp(t->key, key) == 0) &&
                    (is_empty(t->effect) || strcmp(t->effect, "NoExecute") == 0))
                        return true;
        return false;
}

enum api_step admission_tolerate(struct admission *a) {
        const struct {
                const char *key;
                unsigned seconds;
        } taints[] = { { "node.kubernetes.io/not-ready", a->config->not_ready_s },
                       { "node.kubernetes.io/unreachable", a->config->unreachable_s } };
        struct kube_pod *pod = admission_object(a);
        bool missing[ELEMENTS(taints)];

        if (!pod)
                return API_END;
        for (size_t i = 0; i < ELEMENTS(taints); i++)
                missing[i] = !tolerates(pod, taints[i].key);
        for (size_t i = 0; i < ELEMENTS(taints); i++) {
                struct kube_toleration *last =
                        missing[i] ? admission_grow(a->arena, &pod->spec.tolerations, sizeof(*last)) : NULL;

                if (missing[i] && !last)
                        return api_fail(a->r, -ENOMEM, NULL);
                if (!missing[i])
                        continue;
                *last = (struct kube_toleration){ .key = taints[i].key,
                                                  .operator= "Exists",
                                                  .effect = "NoExecute",
                                                  .toleration_seconds = { taints[i].seconds, true } };
                a->changed = true;
        }
        return API_NEXT;
}

/* --- extended resources --- */

static bool is_extended(const char *name) {
        return strchr(name, '/') && !strstr(name, "kubernetes.io/") &&
               strncmp(name, "requests.", strlen("requests.")) != 0;
}

/* 1: it was put there; 0: it was; -ENOMEM. */
static int put(struct admission *a, struct kube_pod *pod, const char *key) {
        struct kube_toleration *last;

        list_for_each (t, &pod->spec.tolerations)
                if (kube_is(t->key, key) && kube_is(t->operator, "Exists") && kube_is(t->effect, "NoSchedule"))
                        return 0;
        last = admission_grow(a->arena, &pod->spec.tolerations, sizeof(*last));
        if (!last)
                return -ENOMEM;
        *last = (struct kube_toleration){ .key = key, .operator= "Exists", .effect = "NoSchedule" };
        return 1;
}

static int gather(struct admission *a, const kube_container_items *containers, string_map *names) {
        list_for_each (c, containers)
                list_for_each (amount, &c->resources.requests)
                        if (is_extended(amount->name) && admission_put(a->arena, names, amount->name, "") < 0)
                                return -ENOMEM;
        return 0;
}

enum api_step admission_tolerate_extended(struct admission *a) {
        struct kube_pod *pod = admission_object(a);
        string_map names = { 0 };
        int error;

        if (!pod)
                return API_END;
        error = gather(a, &pod->spec.containers, &names) ?: gather(a, &pod->spec.init_containers, &names);
        list_for_each (name, &names) {
                if (error >= 0)
                        error = put(a, pod, name->key);
                a->changed |= error > 0;
        }
        return error < 0 ? api_fail(a->r, error, NULL) : API_NEXT;
}
