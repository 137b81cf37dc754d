/* Cells of pods, of what makes them, and of nodes. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/print/cells.h"
#include "api/print/columns.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/json_writer.h"
#include "lib/value.h"

static long long number_at(const struct value *object, const char *path) {
        int64_t number = 0;

        value_integer(value_find(object, path), &number);
        return number;
}

static const char *text_at(const struct value *object, const char *path) {
        return value_string_or(value_find(object, path), "");
}

static bool time_at(const struct value *object, const char *path, struct kube_time *ret_time) {
        const char *text = text_at(object, path);

        return kube_time_parse(text, strlen(text), false, ret_time);
}

/* The condition called @type in status; NULL: none. */
static const struct value *condition(const struct value *object, const char *type) {
        const struct value *all = value_find(object, "status.conditions");

        for (uint32_t i = 0; i < value_count(all); i++)
                if (strcmp(text_at(value_at(all, i), "type"), type) == 0)
                        return value_at(all, i);
        return NULL;
}

static bool holds(const struct value *object, const char *type) {
        return strcmp(text_at(condition(object, type), "status"), "True") == 0;
}

PRINT_CELL(ready_replicas) {
        json_string(w, arena_printf(arena, "%lld/%lld", number_at(object, "status.readyReplicas"),
                                    number_at(object, "spec.replicas")));
}

/* --- nodes --- */

PRINT_CELL(node_status) {
        const struct value *ready = condition(object, "Ready");
        const char *status = text_at(ready, "status"), *text = !ready                      ? "Unknown" :
                                                               strcmp(status, "True") == 0 ? "Ready" :
                                                                                             "NotReady";

        if (value_bool_or(value_find(object, "spec.unschedulable"), false))
                text = arena_printf(arena, "%s,SchedulingDisabled", text);
        json_string(w, text);
}

PRINT_CELL(node_roles) {
        static const char prefix[] = "node-role.kubernetes.io/";
        const struct value *labels = value_find(object, "metadata.labels");
        const char *text = "";

        for (uint32_t i = 0; text && value_is(labels, VALUE_MAP) && i < labels->count; i++)
                if (strncmp(labels->members[i].key, prefix, strlen(prefix)) == 0)
                        text = arena_printf(arena, "%s%s%s", text, *text ? "," : "",
                                            labels->members[i].key + strlen(prefix));
        json_string(w, text && *text ? text : "<none>");
}

PRINT_CELL(node_address) {
        const struct value *all = value_find(object, "status.addresses");

        for (uint32_t i = 0; i < value_count(all); i++)
                if (strcmp(text_at(value_at(all, i), "type"), path) == 0)
                        return json_string(w, text_at(value_at(all, i), "address"));
        json_string(w, "<none>");
}

/* --- pods, as kubectl's users know them: the reason that says most --- */

static bool is_sidecar(const struct value *container) {
        return strcmp(text_at(container, "restartPolicy"), "Always") == 0;
}

static const struct value *container_status(const struct value *object, const char *list, const char *name) {
        const struct value *all = value_get(value_get(object, "status"), list);

        for (uint32_t i = 0; i < value_count(all); i++)
                if (strcmp(text_at(value_at(all, i), "name"), name) == 0)
                        return value_at(all, i);
        return NULL;
}

struct pod_view {
        const char *reason;
        unsigned ready, total;
        long long restarts;
        struct kube_time last; /* restart */
};

static const char *ended_reason(struct arena *arena, const struct value *ended, const char *prefix) {
        const char *reason = text_at(ended, "reason");

        if (*reason)
                return arena_printf(arena, "%s%s", prefix, reason);
        if (number_at(ended, "signal") != 0)
                return arena_printf(arena, "%sSignal:%lld", prefix, number_at(ended, "signal"));
        return arena_printf(arena, "%sExitCode:%lld", prefix, number_at(ended, "exitCode"));
}

static void count_restarts(struct pod_view *v, const struct value *status) {
        struct kube_time at;

        v->restarts += number_at(status, "restartCount");
        if (time_at(status, "lastState.terminated.finishedAt", &at) && (!v->last.set || at.seconds > v->last.seconds))
                v->last = at;
}

/* Whether an init container is what the pod is at. */
static bool view_init(struct arena *arena, const struct value *object, struct pod_view *v) {
        const struct value *inits = value_find(object, "spec.initContainers");

        for (uint32_t i = 0; i < value_count(inits); i++) {
                const struct value *container = value_at(inits, i),
                                   *status = container_status(object, "initContainerStatuses",
                                                              text_at(container, "name")),
                                   *ended = value_find(status, "state.terminated");
                const char *waits = text_at(status, "state.waiting.reason");

                count_restarts(v, status);
                if (ended && number_at(ended, "exitCode") == 0)
                        continue;
                if (is_sidecar(container) && value_bool_or(value_get(status, "started"), false)) {
                        v->ready += value_bool_or(value_get(status, "ready"), false);
                        continue;
                }
                if (ended)
                        v->reason = ended_reason(arena, ended, "Init:");
                else if (*waits && strcmp(waits, "PodInitializing") != 0)
                        v->reason = arena_printf(arena, "Init:%s", waits);
                else
                        v->reason = arena_printf(arena, "Init:%u/%u", i, value_count(inits));
                return true;
        }
        return false;
}

static void view_containers(struct arena *arena, const struct value *object, struct pod_view *v) {
        const struct value *all = value_find(object, "status.containerStatuses");
        bool running = false;

        for (uint32_t i = value_count(all); i-- > 0;) {
                const struct value *status = value_at(all, i), *ended = value_find(status, "state.terminated");
                const char *waits = text_at(status, "state.waiting.reason");

                count_restarts(v, status);
                if (*waits)
                        v->reason = waits;
                else if (ended)
                        v->reason = ended_reason(arena, ended, "");
                else if (value_bool_or(value_get(status, "ready"), false) && value_find(status, "state.running")) {
                        running = true;
                        v->ready++;
                }
        }
        if (running && strcmp(v->reason, "Completed") == 0)
                v->reason = holds(object, "Ready") ? "Running" : "NotReady";
}

static struct pod_view view_pod(struct arena *arena, const struct value *object) {
        const struct value *inits = value_find(object, "spec.initContainers");
        struct pod_view v = { .total = value_count(value_find(object, "spec.containers")) };

        v.reason = text_at(object, "status.reason");
        if (!*v.reason)
                v.reason = text_at(object, "status.phase");
        if (strcmp(text_at(condition(object, "PodScheduled"), "reason"), "SchedulingGated") == 0)
                v.reason = "SchedulingGated";
        for (uint32_t i = 0; i < value_count(inits); i++)
                v.total += is_sidecar(value_at(inits, i));
        if (!view_init(arena, object, &v) || holds(object, "Initialized"))
                view_containers(arena, object, &v);
        if (value_find(object, "metadata.deletionTimestamp"))
                v.reason = strcmp(text_at(object, "status.reason"), "NodeLost") == 0 ? "Unknown" : "Terminating";
        return v;
}

PRINT_CELL(pod_ready) {
        struct pod_view v = view_pod(arena, object);

        json_string(w, arena_printf(arena, "%u/%u", v.ready, v.total));
}

PRINT_CELL(pod_status) {
        json_string(w, view_pod(arena, object).reason);
}

PRINT_CELL(pod_restarts) {
        struct pod_view v = view_pod(arena, object);

        if (v.restarts > 0 && v.last.set)
                json_string(w, arena_printf(arena, "%lld (%s ago)", v.restarts,
                                            api_print_age(arena, time(NULL) - v.last.seconds)));
        else
                json_string(w, arena_printf(arena, "%lld", v.restarts));
}

/* --- jobs --- */

PRINT_CELL(job_status) {
        static const char *const types[] = { "Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet" };

        for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
                if (holds(object, types[i]))
                        return json_string(w, types[i]);
        json_string(w, value_find(object, "metadata.deletionTimestamp") ? "Terminating" : "Running");
}

PRINT_CELL(job_completions) {
        long long done = number_at(object, "status.succeeded"), parallel = number_at(object, "spec.parallelism");

        if (value_find(object, "spec.completions"))
                json_string(w, arena_printf(arena, "%lld/%lld", done, number_at(object, "spec.completions")));
        else
                json_string(w, parallel > 1 ? arena_printf(arena, "%lld/1 of %lld", done, parallel) :
                                              arena_printf(arena, "%lld/1", done));
}

PRINT_CELL(job_duration) {
        struct kube_time from, to = { .seconds = time(NULL) };

        if (!time_at(object, "status.startTime", &from))
                return json_string(w, "");
        time_at(object, "status.completionTime", &to);
        json_string(w, api_print_age(arena, to.seconds - from.seconds));
}
