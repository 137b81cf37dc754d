/* A pod as the service has it, as the node's own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/internal.h"
#include "kube/names.h"
#include "kube/pod/pod.h"
#include "kube/problem.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define SEEN "kubernetes.io/config.seen"
#define SOURCE "kubernetes.io/config.source"

/* kubelet's (pkg/kubelet/config/config.go); what the object has under their names is replaced. */
static bool annotate(struct pod *pod, int64_t first_seen) {
        const struct kube_time then = { .seconds = first_seen, .set = true };
        char text[KUBE_TIME_TEXT_MAX];
        string_map *map = &pod->metadata.annotations;
        struct string_pair *items = arena_alloc_array(pod->arena, (size_t)map->count + 2, sizeof(*items));
        const char *seen;
        uint32_t n = 0;

        kube_time_format(&then, false, text);
        if (!items || !(seen = arena_strdup(pod->arena, text)))
                return false;
        list_for_each (pair, map)
                if (strcmp(pair->key, SEEN) != 0 && strcmp(pair->key, SOURCE) != 0)
                        items[n++] = *pair;
        items[n++] = (struct string_pair){ SEEN, seen };
        items[n++] = (struct string_pair){ SOURCE, "api" };
        qsort(items, n, sizeof(*items), kube_pair_order);
        map->items = items;
        map->count = n;
        return true;
}

/* What a list's items leave out. */
static int name_kind(struct arena *arena, const struct value **object, struct err **err) {
        const struct value kind = VALUE_TEXT("Pod"), version = VALUE_TEXT("v1");
        struct value_edit edit;
        int r;

        value_edit_begin(&edit, arena, *object);
        if ((r = value_edit_add(&edit, "/kind", &kind, err)) < 0 ||
            (r = value_edit_add(&edit, "/apiVersion", &version, err)) < 0)
                return r;
        *object = value_edit_end(&edit);
        return *object ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* As one that is created, but for what is added to it later: of that, the names alone become names of files. */
static int validate(struct pod *pod, struct problems *problems) {
        kube_ephemeral_container_items added = pod->spec.ephemeral_containers;
        int r;

        list_for_each (c, &added)
                if (!c->container.name || name_problem(NAME_LABEL, c->container.name))
                        problem_error(problems, "spec.ephemeralContainers",
                                      "Invalid value: \"%s\": no container's name", c->container.name ?: "");
        pod->spec.ephemeral_containers = (kube_ephemeral_container_items){ 0 };
        r = pod_validate(pod, problems);
        pod->spec.ephemeral_containers = added;
        return r;
}

static int make(int64_t seen, const struct value *object, struct problems *problems, struct pod **pod) {
        int r = pod_decode(object, problems, pod);

        if (r < 0)
                return r;
        (*pod)->metadata.managed_fields = (kube_managed_fields_entry_items){ 0 }; /* nobody here asks who set what */
        if (!annotate(*pod, seen))
                return -ENOMEM;
        r = pod_default(*pod);
        return r < 0 ? r : validate(*pod, problems);
}

int cluster_pod_read(int64_t seen, const struct value *object, struct pod **ret_pod, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_pod_ struct pod *pod = NULL;
        struct problems problems;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = name_kind(arena, &object, err)) < 0)
                return r;
        problems_init(&problems, arena, "the API service", NULL); /* where in its answer is nobody's concern */
        r = make(seen, object, &problems, &pod);
        if (r == -EINVAL || (r >= 0 && problems.errors > 0))
                return problems_err(&problems, err);
        if (r < 0 || pod_settle(&pod) < 0)
                return err_set(err, ENOMEM, "out of memory");
        *ret_pod = TAKE_PTR(pod);
        return 0;
}
