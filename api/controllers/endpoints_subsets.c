/* Addresses and ports in subsets: all addresses of one have all its ports. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/endpoints.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* A pod with its address. */
struct member {
        const struct known_object *pod;
        const char *ip;
        bool ready;
};

/* A port, and which members have it: their places, in order. */
struct offer {
        struct kube_endpoint_port port;
        bool none;   /* of a headless Service without ports */
        bool packed; /* it is in a subset already */
        uint32_t *members, n;
};

struct packing {
        struct endpoints_plan *plan;
        struct member *members;
        struct offer *offers;
        uint32_t n_members, n_offers;
};

/* --- members --- */

static int by_address(const void *a, const void *b) {
        const struct member *x = a, *y = b;

        return strcmp(x->ip, y->ip) ?: strcmp(x->pod->uid, y->pod->uid);
}

/* Of the family that the Service says first; else of its address's; else of the pod's first. */
static bool wants_ipv6(const struct kube_service *typed, const struct known_object *pod) {
        if (typed->spec.ip_families.count > 0)
                return kube_is(typed->spec.ip_families.items[0], "IPv6");
        return backends_is_ipv6(backends_is_headless(typed) ? pod->pod->ips[0] : typed->spec.cluster_ip);
}

static const char *address_of(const struct kube_service *typed, const struct known_object *pod) {
        bool ipv6 = wants_ipv6(typed, pod);

        for (unsigned i = 0; i < pod->pod->n_ips; i++)
                if (backends_is_ipv6(pod->pod->ips[i]) == ipv6)
                        return pod->pod->ips[i];
        return NULL;
}

static bool is_member(const struct endpoints_plan *plan, const struct known_object *pod) {
        return known_selects(&plan->service->selector, pod) &&
               backends_takes(pod, plan->typed->spec.publish_not_ready_addresses) && address_of(plan->typed, pod);
}

static int gather(struct packing *p) {
        const struct endpoints_plan *plan = p->plan;
        uint32_t n = 0;

        for (struct known_walk w = known_first(plan->pods, plan->service->namespace); w.object; known_next(&w))
                n += is_member(plan, w.object);
        p->members = arena_alloc_array(plan->arena, n + 1, sizeof(*p->members));
        if (!p->members)
                return -ENOMEM;
        for (struct known_walk w = known_first(plan->pods, plan->service->namespace); w.object; known_next(&w))
                if (is_member(plan, w.object))
                        p->members[p->n_members++] = (struct member){ w.object, address_of(plan->typed, w.object),
                                                                      plan->typed->spec.publish_not_ready_addresses ||
                                                                              w.object->pod->ready };
        qsort(p->members, p->n_members, sizeof(*p->members), by_address);
        return 0;
}

/* --- offers --- */

static bool same_text(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0;
}

static bool same_port(const struct kube_endpoint_port *a, const struct kube_endpoint_port *b) {
        return a->port == b->port && same_text(a->name, b->name) && same_text(a->protocol, b->protocol) &&
               same_text(a->app_protocol, b->app_protocol);
}

static struct offer *offer_of(struct packing *p, const struct kube_endpoint_port *port, bool none) {
        struct offer *o;

        for (uint32_t i = 0; i < p->n_offers; i++)
                if (p->offers[i].none == none && same_port(&p->offers[i].port, port))
                        return &p->offers[i];
        if (p->n_offers == ENDPOINTS_PORTS_MAX)
                return NULL;
        o = &p->offers[p->n_offers];
        o->port = *port;
        o->none = none;
        o->members = arena_alloc_array(p->plan->arena, p->n_members, sizeof(*o->members));
        p->n_offers += o->members != NULL;
        return o->members ? o : NULL;
}

static int offer(struct packing *p, uint32_t member, const struct kube_endpoint_port *port, bool none) {
        struct offer *o = offer_of(p, port, none);

        if (!o)
                return p->n_offers == ENDPOINTS_PORTS_MAX ? 0 : -ENOMEM;
        if (o->n == 0 || o->members[o->n - 1] != member)
                o->members[o->n++] = member;
        return 0;
}

static int offer_all(struct packing *p, uint32_t member) {
        const struct kube_service_spec *spec = &p->plan->typed->spec;
        int r = 0;

        if (spec->ports.count == 0)
                return kube_is(spec->cluster_ip, "None") ? offer(p, member, &(struct kube_endpoint_port){ 0 }, true) :
                                                           0;
        list_for_each (port, &spec->ports) {
                int32_t number = backends_port(p->members[member].pod, port);
                const struct kube_endpoint_port as = { port->name, number, port->protocol, port->app_protocol };

                if (r == 0 && number >= 0)
                        r = offer(p, member, &as, false);
        }
        return r;
}

/* --- subsets --- */

static void add_address(const struct packing *p, const struct member *m, struct kube_object_reference *target,
                        kube_endpoint_address_items *to) {
        *target = (struct kube_object_reference){
                .kind = "Pod", .namespace = m->pod->namespace, .name = m->pod->name, .uid = m->pod->uid
        };
        to->items[to->count++] =
                (struct kube_endpoint_address){ .ip = m->ip,
                                                .hostname = backends_hostname(m->pod, p->plan->service),
                                                .node_name = m->pod->pod->node,
                                                .target_ref = target };
}

static int add_addresses(const struct packing *p, const struct offer *o, struct kube_endpoint_subset *subset) {
        struct arena *arena = p->plan->arena;
        struct kube_object_reference *targets = arena_alloc_array(arena, o->n, sizeof(*targets));

        subset->addresses.items = arena_alloc_array(arena, o->n, sizeof(*subset->addresses.items));
        subset->not_ready_addresses.items = arena_alloc_array(arena, o->n, sizeof(*subset->addresses.items));
        if (!targets || !subset->addresses.items || !subset->not_ready_addresses.items)
                return -ENOMEM;
        for (uint32_t i = 0; i < o->n; i++) {
                const struct member *m = &p->members[o->members[i]];

                add_address(p, m, &targets[i], m->ready ? &subset->addresses : &subset->not_ready_addresses);
        }
        p->plan->total += o->n;
        return 0;
}

static int pack(struct packing *p, struct offer *first, struct kube_endpoint_subset *subset) {
        subset->ports.items = arena_alloc_array(p->plan->arena, p->n_offers, sizeof(*subset->ports.items));
        if (!subset->ports.items)
                return -ENOMEM;
        for (struct offer *o = first; o < p->offers + p->n_offers; o++) {
                if (o->packed || o->n != first->n ||
                    memcmp(o->members, first->members, o->n * sizeof(*o->members)) != 0)
                        continue;
                o->packed = true;
                if (!o->none)
                        subset->ports.items[subset->ports.count++] = o->port;
        }
        return add_addresses(p, first, subset);
}

/* Each subset loses as its part of all is: of those that are not ready, or, where there are too many of the others, of
 * these, and then all that are not ready. */
static void cut(struct endpoints_plan *plan) {
        uint32_t ready = 0, max, left, total;
        bool cuts_ready;

        list_for_each (s, &plan->subsets)
                ready += s->addresses.count;
        cuts_ready = ready > ENDPOINTS_ADDRESSES_MAX;
        left = max = cuts_ready ? ENDPOINTS_ADDRESSES_MAX : ENDPOINTS_ADDRESSES_MAX - ready;
        total = cuts_ready ? ready : plan->total - ready;
        list_for_each (s, &plan->subsets) {
                kube_endpoint_address_items *from = cuts_ready ? &s->addresses : &s->not_ready_addresses;
                uint64_t part = ((uint64_t)from->count * max + total - 1) / total;

                part = part < left ? part : left;
                from->count = part < from->count ? (uint32_t)part : from->count;
                left -= from->count;
                if (cuts_ready)
                        s->not_ready_addresses.count = 0;
        }
}

int endpoints_decide(struct endpoints_plan *plan) {
        struct packing p = { .plan = plan };
        int r = gather(&p);

        if (r < 0)
                return r;
        p.offers = arena_alloc_array(plan->arena, ENDPOINTS_PORTS_MAX, sizeof(*p.offers));
        if (!p.offers)
                return -ENOMEM;
        for (uint32_t i = 0; i < p.n_members; i++)
                if ((r = offer_all(&p, i)) < 0)
                        return r;
        plan->subsets.items = arena_alloc_array(plan->arena, p.n_offers + 1, sizeof(*plan->subsets.items));
        if (!plan->subsets.items)
                return -ENOMEM;
        for (uint32_t i = 0; i < p.n_offers; i++)
                if (!p.offers[i].packed &&
                    (r = pack(&p, &p.offers[i], &plan->subsets.items[plan->subsets.count++])) < 0)
                        return r;
        if (plan->total > ENDPOINTS_ADDRESSES_MAX)
                cut(plan);
        return 0;
}

/* --- comparing --- */

static bool same_addresses(const kube_endpoint_address_items *a, const kube_endpoint_address_items *b) {
        bool same = a->count == b->count;

        for (uint32_t i = 0; same && i < a->count; i++) {
                const struct kube_endpoint_address *x = &a->items[i], *y = &b->items[i];

                same = same_text(x->ip, y->ip) && same_text(x->hostname, y->hostname) &&
                       same_text(x->node_name, y->node_name) && x->target_ref && y->target_ref &&
                       same_text(x->target_ref->uid, y->target_ref->uid);
        }
        return same;
}

static bool same_ports(const kube_endpoint_port_items *a, const kube_endpoint_port_items *b) {
        if (a->count != b->count)
                return false;
        list_for_each (x, a) {
                bool found = false;

                list_for_each (y, b)
                        found |= same_port(x, y);
                if (!found)
                        return false;
        }
        return true;
}

bool endpoints_same(const kube_endpoint_subset_items *a, const kube_endpoint_subset_items *b) {
        if (a->count != b->count)
                return false;
        list_for_each (x, a) {
                bool found = false;

                list_for_each (y, b)
                        found = found ||
                                (same_ports(&x->ports, &y->ports) && same_addresses(&x->addresses, &y->addresses) &&
                                 same_addresses(&x->not_ready_addresses, &y->not_ready_addresses));
                if (!found)
                        return false;
        }
        return true;
}
