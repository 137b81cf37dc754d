#include "api/controllers/pod_marks.h"

#include <string.h>

#include "kube/project.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/value.h"

#define READY "Ready"
#define DISRUPTION_TARGET "DisruptionTarget"

static const struct kube_pod_condition *find(const struct kube_pod *pod, const char *type) {
        list_for_each (c, &pod->status.conditions)
                if (kube_is(c->type, type))
                        return c;
        return NULL;
}

bool pod_marks_has_ended(const char *phase) {
        return phase && *phase && strcmp(phase, "Pending") != 0 && strcmp(phase, "Running") != 0 &&
               strcmp(phase, "Unknown") != 0;
}

const char *pod_marks_node(struct arena *arena, const struct client_object *object) {
        struct kube_wanted *wanted = kube_wanted_new(arena);
        struct value pod;

        if (!wanted || kube_wanted_add(arena, wanted, "spec.nodeName") < 0 ||
            kube_project(arena, wanted, (const char *)object->json->data, object->json->size, &pod) < 0)
                return NULL;
        return value_string_or(value_find(&pod, "spec.nodeName"), "");
}

/* --- a patch of the status --- */

static void begin_status(struct json_writer *w, const struct kube_pod *pod) {
        json_begin_map(w);
        json_key(w, "metadata");
        json_begin_map(w);
        json_add_string_if(w, "uid", pod->metadata.uid);
        json_end_map(w);
        json_key(w, "status");
        json_begin_map(w);
}

/* The one condition; the others of its list stay, as a strategic merge has it. */
static void add_condition(struct json_writer *w, const struct kube_pod_condition *c) {
        char time[KUBE_TIME_TEXT_MAX];

        json_key(w, "conditions");
        json_begin_list(w);
        json_begin_map(w);
        json_add_string(w, "type", c->type);
        json_add_string(w, "status", c->status);
        json_add_string_if(w, "reason", c->reason);
        json_add_string_if(w, "message", c->message);
        kube_time_format(&c->last_transition_time, false, time);
        json_add_string(w, "lastTransitionTime", time);
        if (c->observed_generation > 0)
                json_add_int(w, "observedGeneration", c->observed_generation);
        json_end_map(w);
        json_end_list(w);
}

static void send_status(struct task *task, const struct pod_end *end, struct json_writer *w, task_answered answered,
                        void *data) {
        _cleanup_free_ char *body = NULL;
        size_t length;

        json_end_map(w);
        json_end_map(w);
        if (json_writer_finish(w, &body, &length) < 0)
                return task_fail(task, ENOMEM, strerror(ENOMEM));
        task_send(task,
                  &(struct client_request){ .verb = KUBE_VERB_PATCH,
                                            .kind = end->kind,
                                            .namespace = end->pod->metadata.namespace,
                                            .name = end->pod->metadata.name,
                                            .sub = "status",
                                            .body = body,
                                            .length = length,
                                            .patch = CLIENT_PATCH_STRATEGIC },
                  TASK_GONE_IS_FINE, answered, data);
}

/* --- the end --- */

static void remove_pod(struct task *task, const struct pod_end *end) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *body = NULL;
        size_t length;

        json_begin_map(&w);
        json_add_string(&w, "kind", "DeleteOptions");
        json_add_string(&w, "apiVersion", "v1");
        if (end->fails)
                json_add_int(&w, "gracePeriodSeconds", 0);
        json_key(&w, "preconditions");
        json_begin_map(&w);
        json_add_string_if(&w, "uid", end->pod->metadata.uid);
        json_end_map(&w);
        json_end_map(&w);
        if (json_writer_finish(&w, &body, &length) < 0)
                return task_fail(task, ENOMEM, strerror(ENOMEM));
        task_send(task,
                  &(struct client_request){ .verb = KUBE_VERB_DELETE,
                                            .kind = end->kind,
                                            .namespace = end->pod->metadata.namespace,
                                            .name = end->pod->metadata.name,
                                            .body = body,
                                            .length = length },
                  TASK_GONE_IS_FINE, NULL, NULL);
}

static int on_marked(struct task *task, const struct client_answer *answer, void *data) {
        if (client_succeeded(answer))
                remove_pod(task, data);
        return 0;
}

static bool says(const struct kube_pod_condition *condition, const struct pod_reason *reason) {
        return condition && kube_is(condition->status, "True") && kube_is(condition->reason, reason->reason) &&
               kube_is(condition->message, reason->message);
}

/* Whether the status has to say more than it does. */
static bool needs_mark(const struct pod_end *end) {
        const char *phase = end->pod->status.phase;

        if (end->fails)
                return !kube_is(phase, "Succeeded") && !kube_is(phase, "Failed");
        return end->reason && !says(find(end->pod, DISRUPTION_TARGET), end->reason);
}

void pod_marks_end(struct task *task, const struct pod_end *end) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        const struct kube_pod_condition *before = find(end->pod, DISRUPTION_TARGET);
        struct kube_pod_condition condition = { .type = DISRUPTION_TARGET,
                                                .status = "True",
                                                .observed_generation = end->pod->metadata.generation };
        struct pod_end *kept = arena_new_of(task_arena(task), struct pod_end);

        if (!kept)
                return task_fail(task, ENOMEM, strerror(ENOMEM));
        *kept = *end;
        if (!needs_mark(end))
                return remove_pod(task, kept);
        begin_status(&w, end->pod);
        if (end->fails) {
                json_add_string(&w, "phase", "Failed");
                json_add_int(&w, "observedGeneration", end->pod->metadata.generation);
        }
        if (end->reason) {
                condition.reason = end->reason->reason;
                condition.message = end->reason->message;
                condition.last_transition_time =
                        before && kube_is(before->status, "True") ?
                                before->last_transition_time :
                                (struct kube_time){ controller_wall(task_controller(task)), 0, true };
                add_condition(&w, &condition);
        }
        send_status(task, kept, &w, on_marked, kept);
}

bool pod_marks_unready(struct task *task, const struct kube_kind *kind, const struct kube_pod *pod,
                       task_answered answered, void *data) {
        const struct kube_pod_condition *ready = find(pod, READY);
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        struct kube_pod_condition condition;

        if (!ready || kube_is(ready->status, "False"))
                return false;
        condition = *ready;
        condition.status = "False";
        condition.last_transition_time = (struct kube_time){ controller_wall(task_controller(task)), 0, true };
        begin_status(&w, pod);
        add_condition(&w, &condition);
        send_status(task, &(struct pod_end){ .kind = kind, .pod = pod }, &w, answered, data);
        return true;
}

int pod_marks_list(struct task *task, const struct kube_kind *pods, task_listed listed) {
        const struct client_scope scope = {
                .kind = pods,
                .fields = arena_printf(task_arena(task), "spec.nodeName=%s", task_name(task)),
        };

        if (!scope.fields)
                return -ENOMEM;
        task_list(task, &scope, listed);
        return 0;
}
