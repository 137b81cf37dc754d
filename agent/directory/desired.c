#include "agent/directory/desired.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/pod/pod.h"
#include "lib/cleanup.h"
#include "lib/log.h"

bool desired_same_name(const struct pod *a, const struct pod *b) {
        return strcmp(a->metadata.name, b->metadata.name) == 0 &&
               strcmp(a->metadata.namespace, b->metadata.namespace) == 0;
}

static bool is_rival(const struct pod *a, const struct pod *b) {
        return desired_same_name(a, b) || strcmp(a->metadata.uid, b->metadata.uid) == 0;
}

static struct desired *find(struct desired_pods *pods, const char *file) {
        for (size_t i = 0; i < pods->n; i++)
                if (strcmp(pods->items[i].file, file) == 0)
                        return &pods->items[i];
        return NULL;
}

struct desired *desired_find(struct desired_pods *pods, const char *file) {
        struct desired *d = find(pods, file);

        return d && !d->gone ? d : NULL;
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

static void drop(struct desired_pods *pods, struct desired *d) {
        free(d->file);
        free(d->key);
        pod_unref(d->pod);
        memmove(d, d + 1, (size_t)(pods->items + --pods->n - d) * sizeof(*d));
}

void desired_set(struct desired_pods *pods, const char *file, struct pod *pod, enum desired_claim claim) {
        struct desired *d = find(pods, file);
        char *key = NULL;

        if (asprintf(&key, "%s/%s", pod->metadata.namespace, pod->metadata.name) < 0)
                key = NULL;
        if (!key || (!d && !(d = append(pods, file)))) {
                log_error("%s: out of memory", file);
                free(key);
                pod_unref(pod);
                return;
        }
        if (!d->pod || !is_rival(d->pod, pod)) /* an edit keeps the pod, another name is another pod */
                d->claim = claim;
        free(d->key);
        pod_unref(d->pod);
        d->key = key;
        d->pod = pod;
        d->remote = strchr(file, '/') != NULL;
        d->gone = d->duplicate_said = d->refused_said = false;
}

bool desired_drop(struct desired_pods *pods, const char *file) {
        struct desired *d = find(pods, file);

        if (!d)
                return false;
        for (size_t i = 0; i < pods->n && !d->gone; i++)
                d->gone = &pods->items[i] != d && is_rival(pods->items[i].pod, d->pod);
        if (d->gone)
                return true;
        drop(pods, d);
        return false;
}

void desired_bury(struct desired_pods *pods) {
        for (size_t i = pods->n; i-- > 0;)
                if (pods->items[i].gone)
                        drop(pods, &pods->items[i]);
}

static int by_claim(const void *a, const void *b) {
        const struct desired *const *one = a, *const *other = b;

        if ((*one)->claim != (*other)->claim)
                return (*one)->claim > (*other)->claim ? -1 : 1;
        return *one < *other ? -1 : 1;
}

/* The file that has the pod that @d wants, of those looked at so far; NULL: none. */
static const struct desired *find_holder(const struct table *keys, const struct table *uids, const struct desired *d) {
        const struct desired *by_key = table_object(table_find(keys, d->key), struct desired, by_key);

        return by_key ?: table_object(table_find(uids, d->pod->metadata.uid), struct desired, by_uid);
}

void desired_resolve(struct desired_pods *pods) {
        _cleanup_free_ struct desired **order = calloc(pods->n + 1, sizeof(struct desired *));
        struct table keys = { 0 }, uids = { 0 };

        for (size_t i = 0; order && i < pods->n; i++)
                order[i] = &pods->items[i];
        if (!order) {
                log_error("cannot tell which files have which pods: out of memory");
                return;
        }
        qsort(order, pods->n, sizeof(struct desired *), by_claim);
        for (size_t i = 0; i < pods->n; i++) {
                struct desired *d = order[i];

                d->holder = find_holder(&keys, &uids, d);
                d->duplicate = d->holder != NULL;
                if (d->duplicate)
                        continue;
                d->claim = CLAIM_HELD;
                if (table_add(&keys, &d->by_key, d->key) < 0 || table_add(&uids, &d->by_uid, d->pod->metadata.uid) < 0)
                        log_error("%s: cannot tell whether other files have its pod: out of memory", d->file);
        }
        table_clear(&keys);
        table_clear(&uids);
}

void desired_clear(struct desired_pods *pods) {
        while (pods->n > 0)
                drop(pods, &pods->items[pods->n - 1]);
        free(pods->items);
        *pods = (struct desired_pods){ 0 };
}

bool desired_has(const struct desired_pods *pods, const char *uid) {
        for (size_t i = 0; i < pods->n; i++) {
                const struct desired *d = &pods->items[i];

                if (!d->duplicate && !d->gone && strcmp(d->pod->metadata.uid, uid) == 0)
                        return true;
        }
        return false;
}
