/* What the node says of itself: conditions in kubelet's words (pkg/kubelet/nodestatus/setters.go), events, capacity. */
#include <stdarg.h>
#include <stdio.h>

#include "agent/eviction/internal.h"
#include "agent/node/events.h"
#include "agent/node/facts.h"
#include "kube/scalar.h"
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
        char text[EVENT_TEXT_MAX];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        events_add(e->world.events, &object, warning, reason, "%s", text);
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

static void write_condition(struct json_writer *w, const char *type, bool is, const char *reason, const char *message,
                            int64_t changed_at) {
        const struct kube_time changed = { .seconds = changed_at / 1000, .set = true };
        char time[KUBE_TIME_TEXT_MAX];

        kube_time_format(&changed, false, time);
        json_begin_map(w);
        json_add_string(w, "type", type);
        json_add_string(w, "status", is ? "True" : "False");
        json_add_string(w, "reason", reason);
        json_add_string(w, "message", message);
        json_add_string(w, "lastTransitionTime", time);
        json_end_map(w);
}

static void write_amount(struct json_writer *w, const char *name, struct quantity amount) {
        char text[QUANTITY_TEXT_MAX];

        json_add_string(w, name, quantity_format(amount, text));
}

/* What there is, without @reserved of each. */
static void write_resources(struct json_writer *w, const char *key, const struct eviction *e,
                            const int64_t reserved[_RESERVED_RESOURCES]) {
        struct node_facts facts;

        node_facts_read("", e->world.options->root_dir, &facts);
        json_key(w, key);
        json_begin_map(w);
        write_amount(w, "cpu", quantity_from_milli(facts.cpu_milli - reserved[RESERVED_CPU]));
        write_amount(w, "ephemeral-storage",
                     quantity_from_units(facts.disk_bytes - reserved[RESERVED_STORAGE], QUANTITY_BINARY));
        write_amount(w, "memory", quantity_from_units(facts.memory_bytes - reserved[RESERVED_MEMORY], QUANTITY_BINARY));
        write_amount(w, "pods", quantity_from_units(e->world.options->max_pods, QUANTITY_DECIMAL));
        json_end_map(w);
}

int eviction_write_node(const struct eviction *e, struct json_writer *w) {
        int64_t none[_RESERVED_RESOURCES] = { 0 }, reserved[_RESERVED_RESOURCES];

        for (int i = 0; i < _RESERVED_RESOURCES; i++)
                reserved[i] = eviction_reserved(e->settings, (enum reserved_resource)i);
        json_begin_map(w);
        json_add_string(w, "kind", "Node");
        json_add_string(w, "apiVersion", "v1");
        json_key(w, "metadata");
        json_begin_map(w);
        json_add_string(w, "name", e->world.options->node_name);
        json_end_map(w);
        json_key(w, "status");
        json_begin_map(w);
        write_resources(w, "capacity", e, none);
        write_resources(w, "allocatable", e, reserved);
        json_key(w, "conditions");
        json_begin_list(w);
        for (int i = 0; i < _EVICTION_CONDITIONS; i++) {
                bool is = e->verdict.conditions & 1u << i;

                write_condition(w, eviction_condition_name((enum eviction_condition)i), is,
                                is ? words[i].bad_reason : words[i].good_reason, is ? words[i].bad : words[i].good,
                                e->changed_at[i]);
        }
        json_end_list(w);
        json_end_map(w);
        json_end_map(w);
        return 0;
}
