#include "agent/eviction/rank.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/pod/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define STORAGE "ephemeral-storage"

/* -- usage ------------------------------------------------------------------------------------------------- */

static void add(struct eviction_disk *sum, struct eviction_disk more) {
        sum->bytes += more.bytes;
        sum->inodes += more.inodes;
}

/* What counts when @signal's file system is short; with images apart, no pod's files are on theirs. */
static struct eviction_disk disk_of(const struct eviction_pod *p, enum eviction_signal signal,
                                    enum eviction_layout layout) {
        bool images = signal == EVICTION_IMAGEFS || signal == EVICTION_IMAGEFS_INODES;
        struct eviction_disk sum = { 0 };

        if (images && layout == LAYOUT_IMAGES_APART)
                return sum;
        for (size_t i = 0; i < p->n_containers; i++) {
                add(&sum, p->containers[i].layer);
                add(&sum, p->containers[i].logs);
        }
        for (size_t i = 0; i < p->n_volumes; i++)
                add(&sum, p->volumes[i].used);
        return sum;
}

static int64_t total_bytes(const struct eviction_pod *p) {
        return disk_of(p, EVICTION_NODEFS, LAYOUT_SINGLE).bytes + p->other.bytes;
}

/* -- order ------------------------------------------------------------------------------------------------- */

struct ranked {
        struct eviction_pod pod;
        size_t place; /* before: the sort is stable */
        bool exceeds;
        int64_t priority, excess;
};

static int compare(const void *a, const void *b) {
        const struct ranked *x = a, *y = b;

        if (x->pod.known != y->pod.known)
                return x->pod.known ? 1 : -1;
        if (x->exceeds != y->exceeds)
                return x->exceeds ? -1 : 1;
        if (x->priority != y->priority)
                return x->priority < y->priority ? -1 : 1;
        if (x->excess != y->excess)
                return x->excess > y->excess ? -1 : 1;
        return x->place < y->place ? -1 : 1;
}

static void weigh(struct ranked *r, enum eviction_signal signal, enum eviction_layout layout) {
        struct eviction_disk disk = disk_of(&r->pod, signal, layout);
        int64_t used = 0, asked = 0;

        switch (signal) {
        case EVICTION_MEMORY:
                used = r->pod.memory;
                asked = quantity_units(pod_request(r->pod.pod, "memory"));
                break;
        case EVICTION_NODEFS:
        case EVICTION_IMAGEFS:
                used = disk.bytes;
                asked = quantity_units(pod_request(r->pod.pod, STORAGE));
                break;
        case EVICTION_NODEFS_INODES:
        case EVICTION_IMAGEFS_INODES:
                used = disk.inodes;
                break;
        case EVICTION_PIDS:
        case _EVICTION_SIGNALS:
                used = r->pod.tasks;
                break;
        }
        r->exceeds = signal != EVICTION_PIDS && used > asked; /* nobody asks for tasks */
        r->excess = used - asked;
        r->priority = r->pod.pod->spec.priority.set ? r->pod.pod->spec.priority.value : 0;
}

void eviction_rank(struct eviction_pod *pods, size_t n, enum eviction_signal signal, enum eviction_layout layout) {
        _cleanup_free_ struct ranked *ranked = calloc(n + 1, sizeof(*ranked));

        if (!ranked)
                return; /* in the order they are */
        for (size_t i = 0; i < n; i++) {
                ranked[i] = (struct ranked){ .pod = pods[i], .place = i };
                weigh(&ranked[i], signal, layout);
        }
        qsort(ranked, n, sizeof(*ranked), compare);
        for (size_t i = 0; i < n; i++)
                pods[i] = ranked[i].pod;
}

bool eviction_is_critical(const struct pod *pod) {
        const char *class = pod->spec.priority_class_name;

        return (pod->spec.priority.set && pod->spec.priority.value >= POD_PRIORITY_CRITICAL) ||
               (class && (strcmp(class, "system-node-critical") == 0 || strcmp(class, "system-cluster-critical") == 0));
}

/* -- words ------------------------------------------------------------------------------------------------- */

static void append(char text[EVICTION_MESSAGE_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(char text[EVICTION_MESSAGE_MAX], const char *format, ...) {
        size_t at = strlen(text);
        va_list args;

        va_start(args, format);
        vsnprintf(text + at, EVICTION_MESSAGE_MAX - at, format, args);
        va_end(args);
}

/* What the container used when that is told, and more than it asked for. */
static void append_container(char text[EVICTION_MESSAGE_MAX], const struct eviction_pod *p,
                             const struct eviction_container *c, enum eviction_signal signal) {
        const struct kube_container *spec = pod_find_container(p->pod, c->name);
        const char *resource = eviction_signal_resource(signal);
        char used_text[QUANTITY_TEXT_MAX], asked_text[QUANTITY_TEXT_MAX];
        struct quantity asked = { 0 }, used;

        if (!spec || (strcmp(resource, "memory") != 0 && strcmp(resource, STORAGE) != 0))
                return;
        used = quantity_from_units(signal == EVICTION_MEMORY ? c->memory : c->layer.bytes + c->logs.bytes,
                                   QUANTITY_BINARY);
        pod_container_request(spec, resource, &asked);
        if (quantity_compare(used, asked) > 0)
                append(text, "Container %s was using %s, request is %s, has larger consumption of %s. ", c->name,
                       quantity_format(used, used_text), quantity_format(asked, asked_text), resource);
}

static void append_pod(char text[EVICTION_MESSAGE_MAX], const struct eviction_pod *p) {
        char used_text[QUANTITY_TEXT_MAX], asked_text[QUANTITY_TEXT_MAX];

        if (!p->pod->spec.resources)
                return;
        list_for_each (r, &p->pod->spec.resources->requests)
                if (strcmp(r->name, "memory") == 0)
                        append(text, "Pod %s was using %s, request is %s, has larger consumption of memory. ",
                               p->pod->metadata.name,
                               quantity_format(quantity_from_units(p->memory, QUANTITY_BINARY), used_text),
                               quantity_format(r->amount, asked_text));
}

void eviction_message(const struct eviction_pod *p, enum eviction_signal signal, struct quantity quantity,
                      struct quantity available, char ret_text[EVICTION_MESSAGE_MAX]) {
        char quantity_text[QUANTITY_TEXT_MAX], available_text[QUANTITY_TEXT_MAX];

        *ret_text = '\0';
        append(ret_text, "The node was low on resource: %s. Threshold quantity: %s, available: %s. ",
               eviction_signal_resource(signal), quantity_format(quantity, quantity_text),
               quantity_format(available, available_text));
        if (!p->known)
                return;
        if (signal == EVICTION_MEMORY)
                append_pod(ret_text, p);
        for (size_t i = 0; i < p->n_containers; i++)
                append_container(ret_text, p, &p->containers[i], signal);
}

/* -- limits of their own ----------------------------------------------------------------------------------- */

static bool is_on_disk(const struct kube_volume *volume) {
        return volume->empty_dir && (!volume->empty_dir->medium || !volume->empty_dir->medium[0]);
}

/* The containers' limits in all, as far as they have any: the pod's. */
static bool storage_limit(const struct pod *pod, struct quantity *ret_limit) {
        _cleanup_arena_ struct arena *arena = arena_new();
        resource_list limits = { 0 };

        if (!arena || !pod_limits(arena, pod, &limits) || !pod_add_overhead(arena, pod, true, &limits))
                return false;
        list_for_each (r, &limits)
                if (strcmp(r->name, STORAGE) == 0) {
                        *ret_limit = r->amount;
                        return true;
                }
        return false;
}

bool eviction_has_limits(const struct pod *pod) {
        struct quantity limit;

        list_for_each (volume, &pod->spec.volumes)
                if (is_on_disk(volume) && quantity_sign(volume->empty_dir->size_limit.amount) > 0)
                        return true;
        return storage_limit(pod, &limit);
}

static bool volume_over_limit(const struct eviction_pod *p, char ret_text[EVICTION_MESSAGE_MAX]) {
        char text[QUANTITY_TEXT_MAX];

        for (size_t i = 0; i < p->n_volumes; i++) {
                const struct kube_volume *volume = pod_find_volume(p->pod, p->volumes[i].name);
                struct quantity used = quantity_from_units(p->volumes[i].used.bytes, QUANTITY_BINARY);

                if (!volume || !volume->empty_dir || quantity_sign(volume->empty_dir->size_limit.amount) <= 0 ||
                    quantity_compare(used, volume->empty_dir->size_limit.amount) <= 0)
                        continue;
                *ret_text = '\0';
                append(ret_text, "Usage of EmptyDir volume \"%s\" exceeds the limit \"%s\". ", volume->name,
                       quantity_format(volume->empty_dir->size_limit.amount, text));
                return true;
        }
        return false;
}

static bool pod_over_limit(const struct eviction_pod *p, char ret_text[EVICTION_MESSAGE_MAX]) {
        char text[QUANTITY_TEXT_MAX];
        struct quantity limit;

        if (!storage_limit(p->pod, &limit) ||
            quantity_compare(quantity_from_units(total_bytes(p), QUANTITY_BINARY), limit) <= 0)
                return false;
        *ret_text = '\0';
        append(ret_text, "Pod ephemeral local storage usage exceeds the total limit of containers %s. ",
               quantity_format(limit, text));
        return true;
}

/* kubelet holds only these to limits of their own; init containers and sidecars count for the pod. */
static const struct kube_container *find_main(const struct pod *pod, const char *name) {
        list_for_each (c, &pod->spec.containers)
                if (strcmp(c->name, name) == 0)
                        return c;
        return NULL;
}

static bool container_over_limit(const struct eviction_pod *p, char ret_text[EVICTION_MESSAGE_MAX]) {
        char text[QUANTITY_TEXT_MAX];
        struct quantity limit;

        for (size_t i = 0; i < p->n_containers; i++) {
                const struct eviction_container *c = &p->containers[i];
                const struct kube_container *spec = find_main(p->pod, c->name);

                if (!spec || !pod_container_limit(spec, STORAGE, &limit) || quantity_sign(limit) <= 0 ||
                    quantity_compare(quantity_from_units(c->layer.bytes + c->logs.bytes, QUANTITY_BINARY), limit) <= 0)
                        continue;
                *ret_text = '\0';
                append(ret_text, "Container %s exceeded its local ephemeral storage limit \"%s\". ", c->name,
                       quantity_format(limit, text));
                return true;
        }
        return false;
}

enum eviction_limit eviction_over_limit(const struct eviction_pod *pod, char ret_text[EVICTION_MESSAGE_MAX]) {
        if (!pod->known)
                return LIMIT_NONE;
        if (volume_over_limit(pod, ret_text))
                return LIMIT_EMPTY_DIR;
        if (pod_over_limit(pod, ret_text))
                return LIMIT_POD;
        return container_over_limit(pod, ret_text) ? LIMIT_CONTAINER : LIMIT_NONE;
}

/* -- admission --------------------------------------------------------------------------------------------- */

static bool tolerates_memory_pressure(const struct pod *pod) {
        static const char key[] = "node.kubernetes.io/memory-pressure";

        list_for_each (t, &pod->spec.tolerations) {
                bool exists = kube_is(t->operator, "Exists");

                if (t->effect && *t->effect && strcmp(t->effect, "NoSchedule") != 0)
                        continue;
                if (!t->key || !*t->key ? exists : strcmp(t->key, key) == 0 && (exists || !t->value || !*t->value))
                        return true;
        }
        return false;
}

bool eviction_admits(const struct pod *pod, uint32_t conditions, char ret_text[EVICTION_MESSAGE_MAX]) {
        const char *blank = "";

        if (eviction_is_critical(pod))
                return true;
        if (conditions == 1u << MEMORY_PRESSURE && (pod_qos(pod) != QOS_BEST_EFFORT || tolerates_memory_pressure(pod)))
                return true;
        *ret_text = '\0';
        append(ret_text, "The node had condition: [");
        for (int i = 0; i < _EVICTION_CONDITIONS; i++)
                if (conditions & 1u << i) {
                        append(ret_text, "%s%s", blank, eviction_condition_name(i));
                        blank = " ";
                }
        append(ret_text, "]. ");
        return false;
}
