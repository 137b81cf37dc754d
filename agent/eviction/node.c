/* What the node says of itself: conditions in kubelet's words (pkg/kubelet/nodestatus/setters.go), events, capacity. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "agent/eviction/internal.h"
#include "agent/node/events.h"
#include "agent/node/facts.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

static const struct words {
        const char *bad_reason, *bad, *bad_event, *good_reason, *good, *good_event;
} words[_EVICTION_CONDITIONS] = {
        [MEMORY_PRESSURE] = { "KubeletHasInsufficientMemory", "kubelet has insufficient memory available",
                              "NodeHasInsufficientMemory", "KubeletHasSufficientMemory",
                              "kubelet has sufficient memory available", "NodeHasSufficientMemory" },
        [DISK_PRESSURE] = { "KubeletHasDiskPressure", "kubelet has disk pressure", "NodeHasDiskPressure",
                            "KubeletHasNoDiskPressure", "kubelet has no disk pressure", "NodeHasNoDiskPressure" },
        [PID_PRESSURE] = { "KubeletHasInsufficientPID", "kubelet has insufficient PID available",
                           "NodeHasInsufficientPID", "KubeletHasSufficientPID", "kubelet has sufficient PID available",
                           "NodeHasSufficientPID" },
};

void eviction_say(struct eviction *e, bool warning, const char *reason, const char *format, ...) {
        const char *name = e->world.options->node_name;
        const struct event_object object = { .kind = "Node", .namespace_ = "", .name = name, .uid = name };
        va_list args;

        va_start(args, format);
        events_addv(e->world.events, &object, warning, reason, format, args);
        va_end(args);
}

void eviction_tell_conditions(struct eviction *e, uint32_t before) {
        for (int i = 0; i < _EVICTION_CONDITIONS; i++) {
                bool is = e->verdict.conditions & 1u << i;

                if (is == !!(before & 1u << i) && e->changed_at[i])
                        continue;
                if (e->changed_at[i] || is)
                        eviction_say(e, false, is ? words[i].bad_event : words[i].good_event,
                                     "Node %s status is now: %s", e->world.options->node_name,
                                     is ? words[i].bad_event : words[i].good_event);
                e->changed_at[i] = e->world.now(e->world.data);
        }
}

static struct kube_node_condition condition_of(const struct eviction *e, enum eviction_condition i) {
        bool is = e->verdict.conditions & 1u << i;

        return (struct kube_node_condition){
                .type = eviction_condition_name(i),
                .status = is ? "True" : "False",
                .reason = is ? words[i].bad_reason : words[i].good_reason,
                .message = is ? words[i].bad : words[i].good,
                .last_transition_time = { .seconds = e->changed_at[i] / 1000, .set = e->changed_at[i] != 0 },
        };
}

/* The node's huge pages. */
struct huge {
        struct node_huge_pages sizes[NODE_HUGE_SIZES_MAX];
        unsigned n;
        int64_t bytes;
};

static struct huge find_huge(void) {
        struct huge huge = { .n = 0 };

        huge.n = node_huge_pages_read(NODE_HUGE_PAGES, huge.sizes);
        for (unsigned i = 0; i < huge.n; i++)
                huge.bytes += huge.sizes[i].all_bytes;
        return huge;
}

static int64_t at_least_none(int64_t amount) {
        return amount > 0 ? amount : 0;
}

/* What there is, without @reserved of each; in the order of names. False without memory. */
static bool list_resources(const struct eviction *e, struct arena *arena, const struct node_facts *facts,
                           const struct huge *huge, const int64_t reserved[_RESERVED_RESOURCES],
                           resource_list *ret_list) {
        int64_t memory = at_least_none(facts->memory_bytes - reserved[RESERVED_MEMORY]);
        struct resource_amount *items = arena_alloc_array(arena, 4 + huge->n, sizeof(*items));
        uint32_t n = 0;

        if (!items)
                return false;
        items[n++] = (struct resource_amount){ "cpu", quantity_from_milli(facts->cpu_milli - reserved[RESERVED_CPU]) };
        items[n++] = (struct resource_amount){ "ephemeral-storage",
                                               quantity_from_units(facts->disk_bytes - reserved[RESERVED_STORAGE],
                                                                   QUANTITY_BINARY) };
        for (unsigned i = 0; i < huge->n; i++) {
                const char *name = arena_strdup(arena, huge->sizes[i].name);

                if (!name)
                        return false;
                items[n++] = (struct resource_amount){ name,
                                                       quantity_from_units(huge->sizes[i].all_bytes, QUANTITY_BINARY) };
        }
        items[n++] = (struct resource_amount){ "memory", quantity_from_units(memory, QUANTITY_BINARY) };
        items[n++] =
                (struct resource_amount){ "pods", quantity_from_units(e->world.options->max_pods, QUANTITY_DECIMAL) };
        *ret_list = (resource_list){ items, n };
        return true;
}

int eviction_node_status(const struct eviction *e, struct arena *arena, struct kube_node_status *ret_status) {
        int64_t none[_RESERVED_RESOURCES] = { 0 }, reserved[_RESERVED_RESOURCES];
        struct kube_node_condition *conditions =
                arena_alloc_array(arena, EVICTION_NODE_CONDITIONS, sizeof(struct kube_node_condition));
        const struct huge huge = find_huge();
        struct node_facts facts;

        *ret_status = (struct kube_node_status){ 0 };
        node_facts_read("", e->world.options->root_dir, &facts);
        for (int i = 0; i < _RESERVED_RESOURCES; i++)
                reserved[i] = eviction_reserved(e->settings, (enum reserved_resource)i);
        if (!conditions || !list_resources(e, arena, &facts, &huge, none, &ret_status->capacity))
                return -ENOMEM;
        reserved[RESERVED_MEMORY] += huge.bytes; /* pods get it as huge pages alone */
        if (!list_resources(e, arena, &facts, &huge, reserved, &ret_status->allocatable))
                return -ENOMEM;
        for (int i = 0; i < _EVICTION_CONDITIONS; i++)
                conditions[i] = condition_of(e, (enum eviction_condition)i);
        ret_status->conditions.items = conditions;
        ret_status->conditions.count = _EVICTION_CONDITIONS;
        return 0;
}

int eviction_write_node(const struct eviction *e, struct json_writer *w) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct kube_node node = { .kind = "Node", .api_version = "v1" };

        node.metadata.name = e->world.options->node_name;
        if (!arena || eviction_node_status(e, arena, &node.status) < 0)
                return -ENOMEM;
        kube_json_write(w, &kube_node_type, &node);
        return 0;
}
