/* What a pod is about, in a word: found once for all its cells. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kube/print/age.h"
#include "kube/print/cells.h"
#include "kube/print/text.h"
#include "lib/arena.h"
#include "lib/json_writer.h"

struct print_pod {
        const char *reason;
        int64_t restarts, ready, total;
        struct kube_time last_restart; /* not set: none is known */
};

/* A container's status while it is looked at. */
struct container {
        const struct value *terminated, *waiting, *running;
        const char *reason; /* of whichever of the first two is there, "" */
        int64_t exit_code, signal;
        bool ready;
};

static struct container read_container(const struct value *status) {
        const struct value *state = value_get(status, "state");
        struct container c = { .ready = value_bool_or(value_get(status, "ready"), false) };

        c.terminated = print_find(state, "terminated");
        c.waiting = print_find(state, "waiting");
        c.running = print_find(state, "running");
        c.reason = print_find_text(c.terminated ? c.terminated : c.waiting, "reason", "");
        c.exit_code = print_find_int(c.terminated, "exitCode");
        c.signal = print_find_int(c.terminated, "signal");
        return c;
}

static bool is_later(const struct kube_time *a, const struct kube_time *b) {
        return a->set &&
               (!b->set || a->seconds > b->seconds || (a->seconds == b->seconds && a->nanoseconds > b->nanoseconds));
}

static void count_restarts(struct print_pod *pod, const struct value *status) {
        struct kube_time finished = print_find_time(status, "lastState.terminated.finishedAt");

        pod->restarts += print_find_int(status, "restartCount");
        if (is_later(&finished, &pod->last_restart))
                pod->last_restart = finished;
}

static bool is_restartable(const struct value *container) {
        return strcmp(print_find_text(container, "restartPolicy", ""), "Always") == 0;
}

/* The last init container called @name. */
static const struct value *find_init(const struct value *containers, const char *name) {
        for (uint32_t i = value_count(containers); i-- > 0;)
                if (strcmp(print_find_text(value_at(containers, i), "name", ""), name) == 0)
                        return value_at(containers, i);
        return NULL;
}

static bool has_condition(const struct value *conditions, const char *type) {
        for (uint32_t i = 0; i < value_count(conditions); i++) {
                const struct value *condition = value_at(conditions, i);

                if (strcmp(print_find_text(condition, "type", ""), type) == 0 &&
                    strcmp(print_find_text(condition, "status", ""), "True") == 0)
                        return true;
        }
        return false;
}

static const char *ended_reason(struct print_row *row, const char *prefix, const struct container *c) {
        if (*c->reason)
                return arena_printf(row->arena, "%s%s", prefix, c->reason);
        if (c->signal != 0)
                return arena_printf(row->arena, "%sSignal:%" PRId64, prefix, c->signal);
        return arena_printf(row->arena, "%sExitCode:%" PRId64, prefix, c->exit_code);
}

/* The reason why the init container at @index keeps the pod from going on; NULL when it does not. */
static const char *init_reason(struct print_row *row, struct print_pod *pod, const struct value *status, bool sidecar,
                               uint32_t index) {
        struct container c = read_container(status);

        if (c.terminated && c.exit_code == 0)
                return NULL;
        if (sidecar && value_bool_or(value_get(status, "started"), false)) {
                pod->ready += c.ready;
                return NULL;
        }
        if (c.terminated)
                return ended_reason(row, "Init:", &c);
        if (c.waiting && *c.reason && strcmp(c.reason, "PodInitializing") != 0)
                return arena_printf(row->arena, "Init:%s", c.reason);
        return arena_printf(row->arena, "Init:%u/%u", index,
                            value_count(print_find(row->object, "spec.initContainers")));
}

/* Looks at init containers; @sidecars gets what those of them that stay have been restarted. True when the pod is not
 * past them. */
static bool look_at_init(struct print_row *row, struct print_pod *pod, struct print_pod *sidecars) {
        const struct value *containers = print_find(row->object, "spec.initContainers");
        const struct value *statuses = print_find(row->object, "status.initContainerStatuses");

        for (uint32_t i = 0; i < value_count(containers); i++)
                pod->total += is_restartable(value_at(containers, i));
        for (uint32_t i = 0; i < value_count(statuses); i++) {
                const struct value *status = value_at(statuses, i);
                bool sidecar = is_restartable(find_init(containers, print_find_text(status, "name", "")));
                const char *reason;

                count_restarts(pod, status);
                if (sidecar)
                        count_restarts(sidecars, status);
                reason = init_reason(row, pod, status, sidecar, i);
                if (reason) {
                        pod->reason = reason;
                        return true;
                }
        }
        return false;
}

/* Containers from the last to the first: the first one has the last word. */
static void look_at_containers(struct print_row *row, struct print_pod *pod) {
        const struct value *statuses = print_find(row->object, "status.containerStatuses");
        const char *failed = NULL;
        bool running = false;

        for (uint32_t i = value_count(statuses); i-- > 0;) {
                struct container c = read_container(value_at(statuses, i));

                count_restarts(pod, value_at(statuses, i));
                if (c.waiting && *print_find_text(c.waiting, "reason", "")) {
                        pod->reason = print_find_text(c.waiting, "reason", "");
                } else if (c.terminated) {
                        pod->reason = ended_reason(row, "", &c);
                        if (c.exit_code != 0)
                                failed = pod->reason;
                } else if (c.ready && c.running) {
                        running = true;
                        pod->ready++;
                }
        }
        if (!pod->reason || strcmp(pod->reason, "Completed") != 0)
                return;
        if (running && has_condition(print_find(row->object, "status.conditions"), "Ready"))
                pod->reason = "Running";
        else if (failed)
                pod->reason = failed;
        else if (running)
                pod->reason = "NotReady";
}

/* Of several conditions the first one counts. */
static bool is_past_init(const struct value *conditions) {
        const struct value *initialized = print_find_item(conditions, "type", "Initialized");

        return strcmp(print_find_text(initialized, "status", ""), "True") == 0;
}

static bool is_gated(const struct value *conditions) {
        for (uint32_t i = 0; i < value_count(conditions); i++)
                if (strcmp(print_find_text(value_at(conditions, i), "type", ""), "PodScheduled") == 0 &&
                    strcmp(print_find_text(value_at(conditions, i), "reason", ""), "SchedulingGated") == 0)
                        return true;
        return false;
}

static void look_at(struct print_row *row, struct print_pod *pod) {
        const struct value *object = row->object, *conditions = print_find(object, "status.conditions");
        const char *phase = print_find_text(object, "status.phase", "");
        const char *reason = print_find_text(object, "status.reason", "");
        struct print_pod sidecars = { 0 };

        pod->total = value_count(print_find(object, "spec.containers"));
        pod->reason = is_gated(conditions) ? "SchedulingGated" : *reason ? reason : phase;
        if (!look_at_init(row, pod, &sidecars) || is_past_init(conditions)) {
                pod->restarts = sidecars.restarts;
                pod->last_restart = sidecars.last_restart;
                look_at_containers(row, pod);
        }
        if (!print_find(object, "metadata.deletionTimestamp"))
                return;
        if (strcmp(reason, "NodeLost") == 0)
                pod->reason = "Unknown";
        else if (strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0)
                pod->reason = "Terminating";
}

static const struct print_pod *pod_of(struct print_row *row) {
        struct print_pod *pod;

        if (row->pod)
                return row->pod;
        pod = arena_new_of(row->arena, struct print_pod);
        if (pod)
                look_at(row, pod);
        if (!pod || !pod->reason)
                json_writer_fail(row->out, -ENOMEM);
        row->pod = pod;
        return pod;
}

void print_pod_ready(struct print_row *row, const struct print_column *column) {
        const struct print_pod *pod = pod_of(row);
        struct print_text text = { .arena = row->arena };

        if (pod)
                print_text_add(&text, "%" PRId64 "/%" PRId64, pod->ready, pod->total);
        print_text_cell(row, &text, NULL);
}

void print_pod_status(struct print_row *row, const struct print_column *column) {
        const struct print_pod *pod = pod_of(row);

        json_string(row->out, pod ? pod->reason : NULL);
}

void print_pod_restarts(struct print_row *row, const struct print_column *column) {
        const struct print_pod *pod = pod_of(row);
        struct print_text text = { .arena = row->arena };
        char age[PRINT_AGE_MAX];

        if (pod)
                print_text_add(&text, "%" PRId64, pod->restarts);
        if (pod && pod->restarts != 0 && pod->last_restart.set)
                print_text_add(&text, " (%s ago)", print_age(&pod->last_restart, row->now, age));
        print_text_cell(row, &text, NULL);
}

void print_pod_ip(struct print_row *row, const struct print_column *column) {
        const char *first = print_find_text(value_at(print_find(row->object, "status.podIPs"), 0), "ip", "");
        const char *alone = print_find_text(row->object, "status.podIP", "");
        const char *text = *alone ? alone : first; /* an old kubelet knows but the one */

        json_string(row->out, *text ? text : "<none>");
}

void print_pod_gates(struct print_row *row, const struct print_column *column) {
        const struct value *gates = print_find(row->object, "spec.readinessGates");
        const struct value *conditions = print_find(row->object, "status.conditions");
        struct print_text text = { .arena = row->arena };
        uint32_t n = 0;

        for (uint32_t i = 0; i < value_count(gates); i++) {
                const char *type = print_find_text(value_at(gates, i), "conditionType", "");
                const struct value *condition = print_find_item(conditions, "type", type);

                n += strcmp(print_find_text(condition, "status", ""), "True") == 0;
        }
        if (value_count(gates) > 0)
                print_text_add(&text, "%u/%u", n, value_count(gates));
        print_text_cell(row, &text, "<none>");
}

void print_pod_conditions(struct print_row *row) {
        static const char *const messages[][2] = {
                { "Succeeded", "The pod has completed successfully." },
                { "Failed", "The pod failed." },
        };
        const char *phase = print_find_text(row->object, "status.phase", "");

        for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
                if (strcmp(messages[i][0], phase) != 0)
                        continue;
                json_key(row->out, "conditions");
                json_begin_list(row->out);
                json_begin_map(row->out);
                json_add_string(row->out, "type", "Completed");
                json_add_string(row->out, "status", "True");
                json_add_string(row->out, "reason", phase);
                json_add_string(row->out, "message", messages[i][1]);
                json_end_map(row->out);
                json_end_list(row->out);
        }
}
