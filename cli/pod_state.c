#include "cli/pod_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/node_view.h"
#include "lib/cleanup.h"

static bool text_is(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

static bool is_beginning(const char *reason) {
        return text_is(reason, "ContainerCreating") || text_is(reason, "PodInitializing");
}

static int64_t exit_code_of(const struct value *terminated) {
        int64_t code = 0;

        value_integer(value_get(terminated, "exitCode"), &code);
        return code;
}

static void set(struct pod_state *state, const char *prefix, const char *reason, const char *message) {
        snprintf(state->reason, sizeof(state->reason), "%s%s", prefix, reason);
        snprintf(state->message, sizeof(state->message), "%s", message);
}

static void add_last_exit(struct pod_state *state, const struct value *status) {
        const struct value *last = value_find(status, "lastState.terminated");
        const char *message = node_view_text(last, "message");
        size_t used = strlen(state->message);

        if (last)
                snprintf(state->message + used, sizeof(state->message) - used,
                         "%slast time it ended with exit code %" PRId64 " (%s)%s%s", used ? "; " : "",
                         exit_code_of(last), node_view_text(last, "reason"), *message ? ": " : "", message);
}

/* Whether the container keeps the pod from where it should be; then that is the reason. */
static bool is_in_the_way(struct pod_state *state, const struct value *status, const char *prefix) {
        const struct value *waiting = value_find(status, "state.waiting");
        const struct value *terminated = value_find(status, "state.terminated");
        char message[256];

        if (waiting && !is_beginning(node_view_text(waiting, "reason"))) {
                set(state, prefix, node_view_text(waiting, "reason"), node_view_text(waiting, "message"));
                add_last_exit(state, status);
                return true;
        }
        if (terminated && exit_code_of(terminated) != 0) {
                snprintf(message, sizeof(message), "container %s ended with exit code %" PRId64,
                         node_view_text(status, "name"), exit_code_of(terminated));
                set(state, prefix, node_view_text(terminated, "reason"),
                    *node_view_text(terminated, "message") ? node_view_text(terminated, "message") : message);
                return true;
        }
        return false;
}

static bool any_in_the_way(struct pod_state *state, const struct value *statuses, const char *prefix) {
        for (uint32_t i = 0; i < value_count(statuses); i++)
                if (is_in_the_way(state, value_at(statuses, i), prefix))
                        return true;
        return false;
}

static const struct value *condition(const struct value *pod, const char *type) {
        const struct value *conditions = value_find(pod, "status.conditions");

        for (uint32_t i = 0; i < value_count(conditions); i++)
                if (text_is(node_view_text(value_at(conditions, i), "type"), type))
                        return value_at(conditions, i);
        return NULL;
}

/* The newest warning about the pod. */
static const struct value *last_warning(const struct node_view *view, const char *uid) {
        const struct value *items = value_get(view->events, "items"), *found = NULL;

        for (uint32_t i = 0; i < value_count(items); i++) {
                const struct value *event = value_at(items, i);

                if (!text_is(node_view_text(event, "type"), "Warning") ||
                    !text_is(node_view_text(event, "involvedObject.uid"), uid))
                        continue;
                if (!found ||
                    strcmp(node_view_text(event, "lastTimestamp"), node_view_text(found, "lastTimestamp")) >= 0)
                        found = event;
        }
        return found;
}

/* Nothing is in the way by its status: the beginning takes long, or a probe fails. */
static void explain_unready(const struct node_view *view, const struct value *pod, struct pod_state *state) {
        const struct value *warning = last_warning(view, node_view_text(pod, "metadata.uid")), *ready;
        const struct value *statuses = value_find(pod, "status.containerStatuses");

        if (warning) {
                set(state, "", node_view_text(warning, "reason"), node_view_text(warning, "message"));
                return;
        }
        for (uint32_t i = 0; i < value_count(statuses); i++) {
                const char *reason = node_view_text(value_at(statuses, i), "state.waiting.reason");

                if (*reason) {
                        set(state, "", reason, "");
                        return;
                }
        }
        ready = condition(pod, "Ready");
        set(state, "", node_view_text(ready, "reason"), node_view_text(ready, "message"));
}

static void count(const struct value *pod, struct pod_state *state) {
        const struct value *statuses = value_find(pod, "status.containerStatuses");

        state->containers = value_count(value_find(pod, "spec.containers"));
        for (uint32_t i = 0; i < value_count(statuses); i++)
                state->ready += value_bool_or(value_get(value_at(statuses, i), "ready"), false);
}

static void explain(const struct node_view *view, const struct value *pod, struct pod_state *ret_state) {
        const struct value *status = value_get(pod, "status");
        bool ready = text_is(node_view_text(condition(pod, "Ready"), "status"), "True");

        *ret_state = (struct pod_state){ .phase = value_string_or(value_get(status, "phase"), "Pending") };
        count(pod, ret_state);
        ret_state->well = text_is(ret_state->phase, "Succeeded") || (text_is(ret_state->phase, "Running") && ready);
        if (*node_view_text(status, "reason"))
                set(ret_state, "", node_view_text(status, "reason"), node_view_text(status, "message"));
        else if (ret_state->well)
                return;
        else if (!any_in_the_way(ret_state, value_get(status, "initContainerStatuses"), "Init:") &&
                 !any_in_the_way(ret_state, value_get(status, "containerStatuses"), ""))
                explain_unready(view, pod, ret_state);
}

void pod_state_read(const struct node_view *view, const struct value *pod, struct pod_state *ret_state) {
        size_t n;

        explain(view, pod, ret_state);
        n = strlen(ret_state->message);
        while (n > 0 && ret_state->message[n - 1] == '\n')
                ret_state->message[--n] = '\0';
        for (char *c = ret_state->message; (c = strchr(c, '\n'));)
                *c = ' ';
}
