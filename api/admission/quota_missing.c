/* What a pod has to say for a quota to be able to count it. */
#include <errno.h>
#include <string.h>

#include "api/admission/pod_security_check.h"
#include "api/admission/quota_check.h"
#include "kube/pod/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define REQUESTS "requests."
#define LIMITS "limits."

static bool begins(const char *text, const char *prefix) {
        return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* What a quota of this wants each container to give. */
static bool is_given(const struct kube_container *c, const char *name) {
        bool limit = begins(name, LIMITS);
        const char *plain = limit ? name + strlen(LIMITS) : begins(name, REQUESTS) ? name + strlen(REQUESTS) : name;

        return resource_get(limit ? &c->resources.limits : &c->resources.requests, plain);
}

static void find_missing(struct pod_check *c, const kube_container_items *containers, const char *name,
                         struct pod_words *ret) {
        list_for_each (container, containers)
                if (!is_given(container, name))
                        pod_words_add(c, ret, container->name);
}

/* Whether the pod says something as a whole. */
static bool has_own_amounts(const struct kube_resource_requirements *own) {
        static const char *const names[] = { "cpu", "memory" };

        if (!own)
                return false;
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (resource_get(&own->requests, names[i]) || resource_get(&own->limits, names[i]))
                        return true;
        list_for_each (amount, &own->requests)
                if (begins(amount->name, "hugepages-"))
                        return true;
        list_for_each (amount, &own->limits)
                if (begins(amount->name, "hugepages-"))
                        return true;
        return false;
}

static int find_in_pod(struct arena *arena, const struct kube_resource_quota *quota, const struct kube_pod *pod,
                       const char **ret_text) {
        static const char *const wanted[] = { "cpu",    "limits.cpu",   "limits.memory",
                                              "memory", "requests.cpu", "requests.memory" };
        struct pod_check c = { .arena = arena };
        const char *text = NULL;

        for (size_t i = 0; !has_own_amounts(pod->spec.resources) && i < ELEMENTS(wanted); i++) {
                struct pod_words missing = { 0 };

                if (!resource_get(&quota->status.hard, wanted[i]))
                        continue;
                find_missing(&c, &pod->spec.containers, wanted[i], &missing);
                find_missing(&c, &pod->spec.init_containers, wanted[i], &missing);
                pod_words_settle(&missing);
                if (missing.n == 0)
                        continue;
                text = arena_printf(arena, "%s%s%s for: %s", text ?: "must specify ", text ? "; " : "", wanted[i],
                                    pod_words_join(&c, &missing, ","));
                if (!text || c.error < 0)
                        return -ENOMEM;
        }
        *ret_text = text;
        return c.error;
}

int charge_missing(struct arena *arena, const struct kube_resource_quota *quota, const struct quota_item *item,
                   const char **ret_text) {
        if (!*item->group && strcmp(item->resource, "pods") == 0)
                return find_in_pod(arena, quota, item->object, ret_text);
        *ret_text = NULL;
        return 0;
}
