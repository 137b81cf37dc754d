/* What containers have for themselves. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cpus/internal.h"

static int order(const struct assignment *a, const char *uid, const char *container) {
        int r = strcmp(a->uid, uid);

        return r ? r : strcmp(a->container, container);
}

struct assignment *assignment_find(const struct cpus *cpus, const char *uid, const char *container) {
        LIST_EACH (assignments, a, &cpus->assignments)
                if (order(a, uid, container) == 0)
                        return a;
        return NULL;
}

static void destroy(struct assignment *a) {
        free(a->uid);
        free(a->container);
        free(a);
}

int assignment_add(struct cpus *cpus, const char *uid, const char *container, const struct cpus_set *set) {
        struct assignment *new = calloc(1, sizeof(*new));
        struct assignment *behind = NULL;

        if (!new)
                return -ENOMEM;
        new->set = *set;
        new->uid = strdup(uid);
        new->container = strdup(container);
        if (!new->uid || !new->container) {
                destroy(new);
                return -ENOMEM;
        }
        LIST_EACH (assignments, a, &cpus->assignments)
                if (!behind && order(a, uid, container) > 0)
                        behind = a;
        assignments_insert(&cpus->assignments, behind, new);
        return 0;
}

void assignment_free(struct assignment *a) {
        assignments_remove(a);
        destroy(a);
}

bool assignment_drop_pod(struct cpus *cpus, const char *uid) {
        bool had = false;

        LIST_EACH (assignments, a, &cpus->assignments) {
                if (strcmp(a->uid, uid) != 0)
                        continue;
                cpus->shared = cpus_set_union(&cpus->shared, &a->set);
                assignment_free(a);
                had = true;
        }
        return had;
}
