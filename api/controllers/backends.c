#include "api/controllers/backends.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/table.h"

/* --- what made a Service due, and when that came to be --- */

struct trigger {
        struct table_node in_all;
        int64_t at;
        char key[];
};

struct backends {
        struct table triggers;
};

static void note(struct controller *c, const char *namespace, const char *name, int64_t at) {
        struct backends *all = controller_data(c);
        char key[CONTROLLER_KEY_MAX];
        struct trigger *t;
        int n = snprintf(key, sizeof(key), "%s/%s", namespace, name);

        if (at == 0 || n >= (int)sizeof(key))
                return;
        t = table_object(table_find(&all->triggers, key), struct trigger, in_all);
        if (t) {
                t->at = at < t->at ? at : t->at;
                return;
        }
        t = malloc(sizeof(*t) + (size_t)n + 1);
        if (!t)
                return;
        t->at = at;
        memcpy(t->key, key, (size_t)n + 1);
        if (table_add(&all->triggers, &t->in_all, t->key) < 0)
                free(t);
}

int64_t backends_trigger(struct controller *controller, const char *key) {
        struct backends *all = controller_data(controller);
        struct trigger *t = table_object(table_find(&all->triggers, key), struct trigger, in_all);
        int64_t at = t ? t->at : 0;

        if (t)
                table_remove(&all->triggers, &t->in_all);
        free(t);
        return at;
}

int backends_start(struct controller *controller) {
        struct backends *all = calloc(1, sizeof(*all));

        controller_set_data(controller, all);
        return all ? 0 : -ENOMEM;
}

void backends_stop(struct controller *controller) {
        struct backends *all = controller_data(controller);

        for (size_t i = 0; all && i < all->triggers.n_buckets; i++)
                for (struct table_node *n = all->triggers.buckets[i], *next; n; n = next) {
                        next = n->next;
                        free(table_object(n, struct trigger, in_all));
                }
        if (all)
                table_clear(&all->triggers);
        free(all);
        controller_set_data(controller, NULL);
}

/* --- what makes one due --- */

static bool same_ips(const struct known_pod *a, const struct known_pod *b) {
        bool same = a->n_ips == b->n_ips;

        for (unsigned i = 0; same && i < a->n_ips; i++)
                same = strcmp(a->ips[i], b->ips[i]) == 0;
        return same;
}

/* In what end points say of it; ports and host names of a pod never change. */
static bool differs(const struct known_object *a, const struct known_object *b) {
        return known_pod_differs(a->pod, b->pod) || a->deleting != b->deleting ||
               strcmp(a->pod->node, b->pod->node) != 0 || strcmp(a->uid, b->uid) != 0 || !same_ips(a->pod, b->pod);
}

static bool is_selected(const struct known_object *service, const struct known_object *pod) {
        return pod && known_selects(&service->selector, pod);
}

static int64_t time_of(const struct known_change *change) {
        const struct known_object *pod = change->now;

        if (!pod || (change->before && change->before->pod->ready_since == pod->pod->ready_since))
                return 0;
        return pod->pod->ready_since;
}

void backends_on_pod(struct controller *controller, uint64_t ns) {
        const struct known_change change = known_change(controller_known(controller, BACKENDS_PODS));
        const struct known_object *any = change.now ?: change.before;
        bool differ = !change.before || !change.now || differs(change.before, change.now);

        if (!any || (!differ && known_labels_equal(&change.before->labels, &change.now->labels)))
                return;
        for (struct known_walk w = known_first(controller_known(controller, BACKENDS_SERVICES), any->namespace);
             w.object; known_next(&w)) {
                bool before = is_selected(w.object, change.before), now = is_selected(w.object, change.now);

                if (before == now && !(now && differ))
                        continue;
                note(controller, w.object->namespace, w.object->name, time_of(&change));
                controller_add_named(controller, w.object->namespace, w.object->name, ns);
        }
}

/* One that is new has to do with all that its pods have become. */
static void note_all(struct controller *c, const struct known_object *service) {
        note(c, service->namespace, service->name, service->created);
        for (struct known_walk w = known_first(controller_known(c, BACKENDS_PODS), service->namespace); w.object;
             known_next(&w))
                if (is_selected(service, w.object))
                        note(c, service->namespace, service->name, w.object->pod->ready_since);
}

void backends_on_service(struct controller *controller, const struct client_object *object,
                         const struct client_object *old) {
        const struct known_change change = known_change(controller_known(controller, BACKENDS_SERVICES));

        if (change.now && !change.before)
                note_all(controller, change.now);
        controller_add_object(controller, object, old);
}

/* --- who is behind it, and where --- */

bool backends_has(const struct known_object *service, const struct kube_service *typed) {
        return !service->selector.nothing && !kube_is(typed->spec.type, "ExternalName");
}

bool backends_takes(const struct known_object *pod, bool going) {
        if (pod->pod->phase == KNOWN_SUCCEEDED || pod->pod->phase == KNOWN_FAILED || pod->pod->n_ips == 0)
                return false;
        return going || !pod->deleting;
}

int32_t backends_port(const struct known_object *pod, const struct kube_service_port *port) {
        const struct known_pod *p = pod->pod;

        if (!port->target_port.text)
                return port->target_port.number ?: port->port;
        for (unsigned i = 0; i < p->n_ports; i++)
                if (strcmp(p->ports[i].name, port->target_port.text) == 0 &&
                    strcmp(p->ports[i].protocol, port->protocol ?: "TCP") == 0)
                        return p->ports[i].number;
        return -1;
}

const char *backends_hostname(const struct known_object *pod, const struct known_object *service) {
        return *pod->pod->hostname && strcmp(pod->pod->subdomain, service->name) == 0 ? pod->pod->hostname : NULL;
}

bool backends_is_ipv6(const char *address) {
        return strchr(address, ':');
}

bool backends_is_headless(const struct kube_service *service) {
        return !service->spec.cluster_ip || !*service->spec.cluster_ip || kube_is(service->spec.cluster_ip, "None");
}

/* --- metadata --- */

static bool is_among(const struct string_pair *more, uint32_t n, const char *key) {
        for (uint32_t i = 0; i < n; i++)
                if (strcmp(more[i].key, key) == 0)
                        return true;
        return false;
}

/* One whose value is NULL is left out. */
int backends_labels(struct arena *arena, const string_map *labels, const struct string_pair *more, uint32_t n,
                    string_map *ret_labels) {
        struct string_pair *all = arena_alloc_array(arena, labels->count + n + 1, sizeof(*all));
        uint32_t count = 0;

        if (!all)
                return -ENOMEM;
        list_for_each (l, labels)
                if (!is_among(more, n, l->key))
                        all[count++] = *l;
        for (uint32_t i = 0; i < n; i++)
                if (more[i].value)
                        all[count++] = more[i];
        qsort(all, count, sizeof(*all), kube_pair_order);
        ret_labels->items = all;
        ret_labels->count = count;
        return 0;
}

int backends_annotations(struct arena *arena, const string_map *there, int64_t trigger, string_map *ret_annotations) {
        const struct kube_time time = { .seconds = trigger, .set = true };
        struct string_pair one = { BACKENDS_TRIGGER, NULL };
        char text[KUBE_TIME_TEXT_MAX];

        if (trigger != 0) {
                kube_time_format(&time, false, text);
                one.value = arena_strdup(arena, text);
                if (!one.value)
                        return -ENOMEM;
        }
        return backends_labels(arena, there, &one, 1, ret_annotations);
}
