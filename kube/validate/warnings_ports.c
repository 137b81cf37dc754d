/* Ports of a pod's containers that are the same, or nearly (k8s.io/kubernetes/pkg/api/pod/warnings.go). */
#include <string.h>

#include "kube/validate/pod_rules.h"
#include "kube/validate/warnings.h"

struct block {
        struct container_visit visit;
        const struct kube_container_port *port;
        uint32_t index;
        uint32_t next; /* one more than the number of the next of the same port and protocol; 0: none */
};

/* Blocks by number and protocol, each chain in the order in which they came. */
struct blocks {
        struct block *items;
        uint32_t count;
        uint32_t *first, *last; /* of each number and protocol, in the order of @keys */
        struct validate_set keys;
        uint32_t comparisons;
};

static const char *place_of(struct validation *v, const struct place *spec, const struct block *block) {
        return validate_place_text(v, ITEM(FIELD(VISIT_PLACE(spec, &block->visit), "ports"), block->index));
}

static bool is_given(const char *text) {
        return text && *text;
}

/* How one of them makes the other doubtful; NULL: they go together. */
static const char *relation(const struct kube_container_port *a, const struct kube_container_port *b) {
        bool same_ip = strcmp(a->host_ip ?: "", b->host_ip ?: "") == 0;

        if (same_ip && a->host_port == b->host_port)
                return "duplicate";
        if (a->host_port == 0 || b->host_port == 0)
                return "overlapping";
        if (a->host_port == b->host_port && is_given(a->host_ip) != is_given(b->host_ip))
                return "dangerously ambiguous";
        return NULL;
}

static void compare(struct validation *v, const struct place *spec, struct blocks *b, const struct block *block,
                    uint32_t first) {
        for (uint32_t i = first; i > 0 && b->comparisons < WARN_COMPARISONS_MAX; i = b->items[i - 1].next) {
                const struct block *other = &b->items[i - 1];
                const char *how = relation(block->port, other->port);

                b->comparisons++;
                if (how && !validate_has_warned(v))
                        validate_warn(v, NULL, "%s: %s port definition with %s", place_of(v, spec, block), how,
                                      place_of(v, spec, other));
        }
}

static void take(struct validation *v, const struct place *spec, struct blocks *b, const struct block *block) {
        const struct kube_container_port *port = block->port;
        const char *key = validate_key(v, "%d/%s", port->container_port, port->protocol ?: "");
        bool is_new = validate_set_add(v, &b->keys, key);
        int64_t at = validate_set_find(&b->keys, key);

        if (is_given(port->host_ip) && port->host_port == 0)
                validate_warn(
                        v, NULL,
                        "%s: hostIP set without hostPort: {Name:%s HostPort:0 ContainerPort:%d Protocol:%s HostIP:%s}",
                        place_of(v, spec, block), port->name ?: "", port->container_port, port->protocol ?: "",
                        port->host_ip);
        if (at < 0)
                return;
        b->items[b->count] = *block;
        if (is_new)
                b->first[at] = b->count + 1;
        else {
                compare(v, spec, b, block, b->first[at]);
                b->items[b->last[at] - 1].next = b->count + 1;
        }
        b->last[at] = ++b->count;
}

static void warn_names(struct validation *v, const struct place *spec, const struct blocks *b) {
        _cleanup_validate_set_ struct validate_set names = { 0 };
        const struct block **named = validate_alloc(v, b->count, sizeof(struct block *));

        for (uint32_t i = 0; named && i < b->count && !validate_has_warned(v); i++) {
                const char *name = b->items[i].port->name;
                int64_t at;

                if (!is_given(name))
                        continue;
                if (validate_set_add(v, &names, name)) {
                        named[names.n - 1] = &b->items[i];
                        continue;
                }
                at = validate_set_find(&names, name);
                if (at >= 0) {
                        const char *other = place_of(v, spec, named[at]);

                        validate_warn(v, NULL,
                                      "%s: duplicate port name %s with %s, services and probes that select ports by "
                                      "name will use %s",
                                      place_of(v, spec, &b->items[i]), validate_quoted(v, name), other, other);
                }
        }
}

void validate_warn_ports(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        struct blocks b = { 0 };
        size_t n = 0;

        for (struct container_visit visit = { 0 }; validate_next_container(spec, &visit);)
                n += visit.container->ports.count;
        if (n == 0)
                return;
        b.items = validate_alloc(v, n, sizeof(*b.items));
        b.first = validate_alloc(v, n, sizeof(*b.first));
        b.last = validate_alloc(v, n, sizeof(*b.last));
        if (!b.items || !b.first || !b.last)
                return;
        for (struct container_visit visit = { 0 }; validate_next_container(spec, &visit);)
                for (uint32_t i = 0; i < visit.container->ports.count; i++)
                        take(v, at, &b, &(struct block){ visit, &visit.container->ports.items[i], i, 0 });
        validate_set_clear(&b.keys);
        warn_names(v, at, &b);
}
