/* What there is. */
#include <errno.h>
#include <string.h>

#include "api/controllers/slices.h"
#include "lib/arena.h"

#define ZONE "topology.kubernetes.io/zone"

/* --- end points --- */

void slices_make(const struct slices_plan *plan, const struct slices_member *member, struct slices_endpoint *ret) {
        const struct known_object *pod = member->pod;
        bool serving = pod->pod->ready, going = pod->deleting,
             ready = plan->typed->spec.publish_not_ready_addresses || (serving && !going);
        struct kube_discovery_v1_endpoint *e = &ret->endpoint;

        memset(e, 0, sizeof(*e));
        e->addresses.items = ret->addresses;
        for (unsigned i = 0; i < pod->pod->n_ips; i++)
                if (backends_is_ipv6(pod->pod->ips[i]) == plan->ipv6)
                        ret->addresses[e->addresses.count++] = pod->pod->ips[i];
        e->conditions.ready = ready ? TRI_TRUE : TRI_FALSE;
        e->conditions.serving = serving ? TRI_TRUE : TRI_FALSE;
        e->conditions.terminating = going ? TRI_TRUE : TRI_FALSE;
        e->hostname = backends_hostname(pod, plan->service);
        ret->target = (struct kube_object_reference){
                .kind = "Pod", .namespace = pod->namespace, .name = pod->name, .uid = pod->uid
        };
        e->target_ref = &ret->target;
        e->node_name = *pod->pod->node ? pod->pod->node : NULL;
        e->zone = member->zone;
}

static bool same_text(const char *a, const char *b) {
        return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_target(const struct kube_object_reference *a, const struct kube_object_reference *b) {
        if (!a || !b)
                return a == b;
        return same_text(a->kind, b->kind) && same_text(a->namespace, b->namespace) && same_text(a->name, b->name) &&
               same_text(a->uid, b->uid);
}

bool slices_same(const struct kube_discovery_v1_endpoint *a, const struct kube_discovery_v1_endpoint *b) {
        bool same = a->addresses.count == b->addresses.count && !a->hints == !b->hints;

        for (uint32_t i = 0; same && i < a->addresses.count; i++)
                same = strcmp(a->addresses.items[i], b->addresses.items[i]) == 0;
        return same && memcmp(&a->conditions, &b->conditions, sizeof(a->conditions)) == 0 &&
               same_text(a->hostname, b->hostname) && same_text(a->node_name, b->node_name) &&
               same_text(a->zone, b->zone) && same_target(a->target_ref, b->target_ref);
}

/* --- groups --- */

static int make_ports(const struct slices_plan *plan, const int32_t *numbers, uint32_t n,
                      kube_discovery_v1_endpoint_port_items *ret_ports) {
        struct kube_discovery_v1_endpoint_port *ports = arena_alloc_array(plan->arena, n + 1, sizeof(*ports));
        uint32_t count = 0;

        if (!ports)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++) {
                const struct kube_service_port *p = &plan->typed->spec.ports.items[i];

                if (numbers[i] >= 0)
                        ports[count++] = (struct kube_discovery_v1_endpoint_port){ .name = p->name ?: "",
                                                                                   .protocol = p->protocol ?: "TCP",
                                                                                   .port = { numbers[i], true },
                                                                                   .app_protocol = p->app_protocol };
        }
        ret_ports->items = ports;
        ret_ports->count = count;
        return 0;
}

static int group_of(struct slices_plan *plan, const struct known_object *pod, uint32_t *ret_group) {
        uint32_t n =
                plan->typed->spec.ports.count < SLICES_PORTS_MAX ? plan->typed->spec.ports.count : SLICES_PORTS_MAX;
        int32_t numbers[SLICES_PORTS_MAX + 1], *copy;
        struct slices_group *groups;

        for (uint32_t i = 0; i < n; i++)
                numbers[i] = backends_port(pod, &plan->typed->spec.ports.items[i]);
        for (uint32_t i = plan->n_groups; i-- > 0;)
                if (memcmp(plan->groups[i].numbers, numbers, n * sizeof(*numbers)) == 0) {
                        *ret_group = i;
                        return 0;
                }
        groups = arena_alloc_array(plan->arena, plan->n_groups + 1, sizeof(*groups));
        copy = arena_alloc_array(plan->arena, n + 1, sizeof(*copy));
        if (!groups || !copy)
                return -ENOMEM;
        memcpy(copy, numbers, n * sizeof(*copy));
        if (plan->n_groups > 0)
                memcpy(groups, plan->groups, plan->n_groups * sizeof(*groups));
        groups[plan->n_groups].numbers = copy;
        plan->groups = groups;
        *ret_group = plan->n_groups++;
        return make_ports(plan, copy, n, &groups[*ret_group].ports);
}

/* --- members --- */

static bool has_address(const struct known_object *pod, bool ipv6) {
        for (unsigned i = 0; i < pod->pod->n_ips; i++)
                if (backends_is_ipv6(pod->pod->ips[i]) == ipv6)
                        return true;
        return false;
}

/* Whose node is not known is not reached: unless all are wanted it is left out until the node is there. */
static bool find_zone(const struct slices_plan *plan, const struct known_object *pod, const char **ret_zone) {
        const struct known_object *node = known_find(plan->nodes, "", pod->pod->node);
        const char *zone = node ? known_label(node, ZONE) : NULL;

        *ret_zone = zone && *zone ? zone : NULL;
        return node || plan->typed->spec.publish_not_ready_addresses;
}

static int add_member(struct slices_plan *plan, struct known_object *pod) {
        struct slices_member *m = &plan->members[plan->n_members];
        int r;

        *m = (struct slices_member){ .pod = pod };
        r = group_of(plan, pod, &m->group);
        if (r < 0 || !find_zone(plan, pod, &m->zone) || !has_address(pod, plan->ipv6))
                return r;
        pod->mark = plan->n_members++;
        plan->groups[m->group].n++;
        return 0;
}

static bool is_member(const struct slices_plan *plan, const struct known_object *pod) {
        return known_selects(&plan->service->selector, pod) && backends_takes(pod, true);
}

static int gather_members(struct slices_plan *plan) {
        uint32_t n = 0;
        int r = 0;

        for (struct known_walk w = known_first(plan->pods, plan->service->namespace); w.object; known_next(&w))
                n += is_member(plan, w.object);
        plan->members = arena_alloc_array(plan->arena, n + 1, sizeof(*plan->members));
        if (!plan->members)
                return -ENOMEM;
        for (struct known_walk w = known_first(plan->pods, plan->service->namespace); r == 0 && w.object;
             known_next(&w))
                if (is_member(plan, w.object))
                        r = add_member(plan, w.object);
        return r;
}

/* --- slices --- */

static bool has_port(const kube_discovery_v1_endpoint_port_items *ports,
                     const struct kube_discovery_v1_endpoint_port *p) {
        list_for_each (q, ports)
                if (same_text(p->name ?: "", q->name ?: "") && same_text(p->protocol, q->protocol) &&
                    p->port.value == q->port.value && same_text(p->app_protocol, q->app_protocol))
                        return true;
        return false;
}

bool slices_same_ports(const kube_discovery_v1_endpoint_port_items *a, const kube_discovery_v1_endpoint_port_items *b) {
        if (a->count != b->count)
                return false;
        list_for_each (p, a)
                if (!has_port(b, p))
                        return false;
        return true;
}

static bool is_ours(const struct slices_plan *plan, const struct known_object *o) {
        return kube_is(known_label(o, SLICES_MANAGED_BY), SLICES_MANAGER) &&
               kube_is(known_label(o, SLICES_SERVICE), plan->service->name) && !o->leaving;
}

/* Of those that nobody's ports are like, group is n_groups. */
static void add_slice(struct slices_plan *plan, const struct known_object *o) {
        const slice *typed = known_typed(plan->slices, o);
        struct slices_wanted *w = &plan->wanted[plan->n_wanted];

        if (!typed || !kube_is(typed->address_type, plan->ipv6 ? "IPv6" : "IPv4"))
                return;
        *w = (struct slices_wanted){ .there = o, .before = typed, .ports = typed->ports, .n = typed->endpoints.count };
        while (w->group < plan->n_groups && !slices_same_ports(&typed->ports, &plan->groups[w->group].ports))
                w->group++;
        plan->n_wanted++;
}

/* There is room for as many again as the members may need. */
static int gather_slices(struct slices_plan *plan) {
        const struct known_object *service = plan->service;
        uint32_t n = plan->n_members / SLICES_ENDPOINTS_MAX + plan->n_groups + 2;

        for (struct known_walk w = known_first_owned(plan->slices, service->uid, service->namespace); w.object;
             known_next(&w))
                n++;
        plan->wanted = arena_alloc_array(plan->arena, n, sizeof(*plan->wanted));
        if (!plan->wanted)
                return -ENOMEM;
        for (struct known_walk w = known_first_owned(plan->slices, service->uid, service->namespace); w.object;
             known_next(&w))
                if (is_ours(plan, w.object))
                        add_slice(plan, w.object);
        return 0;
}

int slices_gather(struct slices_plan *plan) {
        return gather_members(plan) ?: gather_slices(plan);
}
