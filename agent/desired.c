#include "agent/desired.h"

#include <stdlib.h>
#include <string.h>

#include "kube/pod.h"
#include "lib/log.h"

bool pod_same_name(const struct pod *a, const struct pod *b) {
        return strcmp(a->metadata.name, b->metadata.name) == 0 &&
               strcmp(a->metadata.namespace, b->metadata.namespace) == 0;
}

/* The first that wants a pod of @pod's name has it, whichever that is now. */
static void mark_duplicates(struct desired_pods *pods, const struct pod *pod) {
        bool first = true;

        for (size_t i = 0; i < pods->n; i++) {
                if (!pod_same_name(pods->items[i].pod, pod))
                        continue;
                pods->items[i].duplicate = !first;
                first = false;
        }
}

struct desired *desired_find(struct desired_pods *pods, const char *file) {
        for (size_t i = 0; i < pods->n; i++)
                if (strcmp(pods->items[i].file, file) == 0)
                        return &pods->items[i];
        return NULL;
}

static struct desired *append(struct desired_pods *pods, const char *file) {
        struct desired *more = reallocarray(pods->items, pods->n + 1, sizeof(*more));
        char *copy = strdup(file);

        if (more)
                pods->items = more;
        if (!more || !copy) {
                free(copy);
                return NULL;
        }
        pods->items[pods->n] = (struct desired){ .file = copy };
        return &pods->items[pods->n++];
}

void desired_set(struct desired_pods *pods, const char *file, struct pod *pod) {
        struct desired *d = desired_find(pods, file);
        struct pod *before = d ? d->pod : NULL;

        if (!d && !(d = append(pods, file))) {
                log_error("%s: out of memory", file);
                pod_unref(pod);
                return;
        }
        d->pod = pod;
        d->duplicate_said = d->refused_said = false;
        mark_duplicates(pods, pod);
        if (before && !pod_same_name(before, pod))
                mark_duplicates(pods, before);
        pod_unref(before);
}

void desired_drop(struct desired_pods *pods, const char *file) {
        struct desired *d = desired_find(pods, file);
        struct pod *pod;

        if (!d)
                return;
        pod = d->pod;
        free(d->file);
        memmove(d, d + 1, (size_t)(pods->items + --pods->n - d) * sizeof(*d));
        mark_duplicates(pods, pod);
        pod_unref(pod);
}

void desired_clear(struct desired_pods *pods) {
        for (size_t i = 0; i < pods->n; i++) {
                free(pods->items[i].file);
                pod_unref(pods->items[i].pod);
        }
        free(pods->items);
        *pods = (struct desired_pods){ 0 };
}

const struct desired *desired_first(const struct desired_pods *pods, const struct pod *same_name) {
        for (size_t i = 0; i < pods->n; i++)
                if (pod_same_name(pods->items[i].pod, same_name))
                        return &pods->items[i];
        return NULL;
}

bool desired_has(const struct desired_pods *pods, const char *uid) {
        for (size_t i = 0; i < pods->n; i++)
                if (!pods->items[i].duplicate && strcmp(pods->items[i].pod->metadata.uid, uid) == 0)
                        return true;
        return false;
}
