#include "api/kinds.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "kube/kinds.h"
#include "lib/err.h"

static int is_served(const struct kube_kind *kind) {
        /* Kinds without a resource come along, for what is sent to subresources. Metrics have no stable version, and
         * everybody knows this one. */
        return !kind->resource || strcmp(kind->group, "metrics.k8s.io") == 0 ||
               (!strstr(kind->version, "alpha") && !strstr(kind->version, "beta"));
}

struct kube_registry *api_kinds_new(struct err **err) {
        struct kube_registry *registry = kube_registry_new(NULL, 0);

        for (size_t i = 0; registry && i < kube_kinds_count; i++)
                if (is_served(&kube_kinds[i]) && kube_registry_add(registry, &kube_kinds[i]) < 0)
                        registry = kube_registry_free(registry);
        if (!registry)
                err_set(err, ENOMEM, "no memory for the kinds");
        return registry;
}
