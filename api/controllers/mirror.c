/* Endpoints that somebody has made for a Service without a selector are mirrored to EndpointSlices, which is where they
 * are looked for. */
#include <errno.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "api/controllers/slices.h"
#include "client/recorder.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

enum { ENDPOINTS, SERVICES, SLICES };

#define MANAGER "endpointslicemirroring-controller.k8s.io"
#define SKIP "endpointslice.kubernetes.io/skip-mirror"
#define LEADER "control-plane.alpha.kubernetes.io/leader"
#define ADDRESSES_MAX 1000 /* of a subset, as kube-controller-manager has it */
#define SUBSETS_MAX 256    /* of one object; those beyond are not mirrored */

/* A subset's addresses of one family. */
struct wanted {
        bool ipv6;
        kube_discovery_v1_endpoint_port_items ports;
        kube_discovery_v1_endpoint_items endpoints;
        const struct known_object *there; /* what is written over; NULL: it is made */
        const slice *before;
};

struct mirror {
        struct task *task;
        const struct known_object *known;
        const struct kube_endpoints *from;
        struct wanted *wanted;
        uint32_t n_wanted, skipped;
        string_map labels, annotations;
};

static struct known *known_of(const struct task *task, unsigned watch) {
        return controller_known(task_controller(task), watch);
}

/* --- what is to be --- */

static int add_ports(struct arena *arena, const struct kube_endpoint_subset *subset,
                     kube_discovery_v1_endpoint_port_items *ret_ports) {
        struct kube_discovery_v1_endpoint_port *ports =
                arena_alloc_array(arena, subset->ports.count + 1, sizeof(*ports));
        uint32_t n = 0;

        if (!ports)
                return -ENOMEM;
        list_for_each (p, &subset->ports)
                ports[n++] = (struct kube_discovery_v1_endpoint_port){ .name = p->name ?: "",
                                                                       .protocol = p->protocol ?: "TCP",
                                                                       .port = { p->port, true },
                                                                       .app_protocol = p->app_protocol };
        ret_ports->items = ports;
        ret_ports->count = n;
        return 0;
}

static void add_addresses(struct mirror *m, const kube_endpoint_address_items *from, bool ready, struct wanted *w) {
        list_for_each (a, from) {
                struct kube_discovery_v1_endpoint *e = &w->endpoints.items[w->endpoints.count];

                if (backends_is_ipv6(a->ip ?: "") != w->ipv6)
                        continue;
                if (w->endpoints.count == ADDRESSES_MAX) {
                        m->skipped++;
                        continue;
                }
                e->addresses.items = (const char **)&a->ip;
                e->addresses.count = 1;
                e->conditions.ready = ready ? TRI_TRUE : TRI_FALSE;
                e->target_ref = a->target_ref;
                e->node_name = a->node_name;
                e->hostname = a->hostname && *a->hostname ? a->hostname : NULL;
                w->endpoints.count++;
        }
}

static int add_wanted(struct mirror *m, const struct kube_endpoint_subset *subset, bool ipv6) {
        struct wanted *w = &m->wanted[m->n_wanted];
        uint32_t n = subset->addresses.count + subset->not_ready_addresses.count;

        *w = (struct wanted){ .ipv6 = ipv6 };
        w->endpoints.items = arena_alloc_array(task_arena(m->task), (n < ADDRESSES_MAX ? n : ADDRESSES_MAX) + 1,
                                               sizeof(*w->endpoints.items));
        if (!w->endpoints.items)
                return -ENOMEM;
        add_addresses(m, &subset->addresses, true, w);
        add_addresses(m, &subset->not_ready_addresses, false, w);
        if (w->endpoints.count == 0)
                return 0;
        m->n_wanted++;
        return add_ports(task_arena(m->task), subset, &w->ports);
}

static int decide(struct mirror *m) {
        uint32_t n = m->from->subsets.count < SUBSETS_MAX ? m->from->subsets.count : SUBSETS_MAX;
        int r = 0;

        m->wanted = arena_alloc_array(task_arena(m->task), 2 * n + 1, sizeof(*m->wanted));
        if (!m->wanted)
                return -ENOMEM;
        for (uint32_t i = 0; r == 0 && i < n; i++)
                r = add_wanted(m, &m->from->subsets.items[i], false) ?: add_wanted(m, &m->from->subsets.items[i], true);
        return r;
}

/* --- what is there --- */

static bool is_taken(const struct mirror *m, const struct known_object *o) {
        for (uint32_t i = 0; i < m->n_wanted; i++)
                if (m->wanted[i].there == o)
                        return true;
        return false;
}

/* With the same ports first; then any that is left over. */
static void take(struct mirror *m, bool same_ports) {
        const struct known *slices = known_of(m->task, SLICES);

        for (struct known_walk w = known_first_owned(slices, m->known->uid, m->known->namespace); w.object;
             known_next(&w)) {
                const slice *typed = known_typed(slices, w.object);

                if (!typed || w.object->leaving || is_taken(m, w.object))
                        continue;
                for (uint32_t i = 0; i < m->n_wanted; i++) {
                        struct wanted *one = &m->wanted[i];

                        if (one->there || !kube_is(typed->address_type, one->ipv6 ? "IPv6" : "IPv4") ||
                            (same_ports && !slices_same_ports(&typed->ports, &one->ports)))
                                continue;
                        one->there = w.object;
                        one->before = typed;
                        break;
                }
        }
}

static bool is_right(const struct mirror *m, const struct wanted *w) {
        const slice *s = w->before;

        if (!w->there || s->endpoints.count != w->endpoints.count || !slices_same_ports(&s->ports, &w->ports) ||
            !known_labels_equal(&s->metadata.labels, &m->labels) ||
            !known_labels_equal(&s->metadata.annotations, &m->annotations))
                return false;
        for (uint32_t i = 0; i < w->endpoints.count; i++)
                if (!slices_same(&s->endpoints.items[i], &w->endpoints.items[i]))
                        return false;
        return true;
}

/* --- writing --- */

static int write_one(const struct mirror *m, const struct wanted *w) {
        const struct slices_owner owner = { .object = m->known,
                                            .kind = known_of(m->task, ENDPOINTS),
                                            .slices = known_of(m->task, SLICES),
                                            .fine = TASK_GONE_IS_FINE | TASK_LEAVING_IS_FINE };
        const slice s = { .address_type = w->ipv6 ? "IPv6" : "IPv4",
                          .endpoints = w->endpoints,
                          .ports = w->ports,
                          .metadata = { .labels = m->labels, .annotations = m->annotations } };

        return slices_write(m->task, &owner, w->there, w->before, &s);
}

static void remove_rest(const struct mirror *m) {
        struct known *slices = known_of(m->task, SLICES);

        for (struct known_walk w = known_first_owned(slices, m->known->uid, m->known->namespace); w.object;
             known_next(&w))
                if (w.object->leaving || is_taken(m, w.object))
                        continue;
                else if (task_has_room(m->task))
                        slices_remove(m->task, slices, w.object);
                else
                        task_again(m->task, 0);
}

static int carry_out(struct mirror *m) {
        const struct string_pair own[] = { { SLICES_MANAGED_BY, MANAGER }, { SLICES_SERVICE, m->known->name } },
                                 none[] = { { BACKENDS_TRIGGER, NULL },
                                            { "kubectl.kubernetes.io/last-applied-configuration", NULL } };
        struct arena *arena = task_arena(m->task);
        int r = backends_labels(arena, &m->from->metadata.labels, own, ELEMENTS(own), &m->labels);

        if (r < 0 ||
            (r = backends_labels(arena, &m->from->metadata.annotations, none, ELEMENTS(none), &m->annotations)) < 0)
                return r;
        take(m, true);
        take(m, false);
        for (uint32_t i = 0; i < m->n_wanted; i++)
                if (is_right(m, &m->wanted[i]))
                        continue;
                else if (!task_has_room(m->task))
                        task_again(m->task, 0);
                else if ((r = write_one(m, &m->wanted[i])) < 0)
                        return r;
        remove_rest(m);
        return 0;
}

static void tell_skipped(const struct mirror *m) {
        const struct recorder_object object = { "v1", "Endpoints", m->known->namespace, m->known->name, m->known->uid };
        const char *message = arena_printf(task_arena(m->task),
                                           "A max of %d addresses can be mirrored to EndpointSlices per Endpoints "
                                           "subset. %u addresses were skipped",
                                           ADDRESSES_MAX, m->skipped);

        if (message)
                controller_tell(task_controller(m->task), &object,
                                &(struct recorder_note){ "Warning", "TooManyAddressesToMirror", message });
}

/* One that is gone takes its slices with it, since it owns them. */
static int reconcile(struct task *task) {
        const struct known *all = known_of(task, ENDPOINTS);
        const struct known_object *known = known_find(all, task_namespace(task), task_name(task)),
                                  *service =
                                          known_find(known_of(task, SERVICES), task_namespace(task), task_name(task));
        struct mirror m = { .task = task, .known = known, .from = known ? known_typed(all, known) : NULL };
        bool mirrors;
        int r = 0;

        if (!m.from || known->deleting)
                return 0;
        mirrors = service && service->selector.nothing && !kube_is(known_label(known, SKIP), "true") &&
                  !string_map_get(&m.from->metadata.annotations, LEADER);
        if (!mirrors) {
                remove_rest(&m);
                return 0;
        }
        if ((r = decide(&m)) < 0)
                return r;
        if (m.skipped > 0)
                tell_skipped(&m);
        return carry_out(&m);
}

/* --- what makes one due --- */

static void on_slice(struct controller *controller, const struct client_object *object,
                     const struct client_object *old) {
        slices_on_slice(controller, SLICES, MANAGER);
}

/* Most belong to Services that have their slices from a selector: of these nothing is to be done, now or before. */
static void on_endpoints(struct controller *controller, const struct client_object *object,
                         const struct client_object *old) {
        const struct known_object *service =
                known_find(controller_known(controller, SERVICES), object->namespace, object->name);

        if (!service || service->selector.nothing)
                controller_add_object(controller, object, old);
}

const struct controller_kind controller_mirror = {
        .name = "endpointslice-mirroring-controller",
        .alias = "endpointslicemirroring",
        .component = "endpoint-slice-mirroring-controller",
        .account = "endpointslicemirroring-controller",
        .watches = { { "", "endpoints", NULL, on_endpoints, .known = true },
                     { "", "services", NULL, controller_add_object, .known = true },
                     { "discovery.k8s.io", "endpointslices", NULL, on_slice, .known = true } },
        .reconcile = reconcile,
};
