/* What becomes of a pod that could not be placed: an event, a condition, its turn later. */
#include <string.h>

#include "api/scheduler/internal.h"
#include "client/client.h"
#include "kube/scalar.h"
#include "lib/json_writer.h"
#include "lib/log.h"

static const struct kube_pod_condition *find_condition(const struct sched_pod *pod) {
        list_for_each (condition, &pod->whole->status.conditions)
                if (kube_is(condition->type, "PodScheduled"))
                        return condition;
        return NULL;
}

static const char *nominated_name(const struct sched_pod *pod) {
        return pod->nominated ? pod->nominated->name : "";
}

static bool is_said(const struct sched_pod *pod, const char *reason, const char *message) {
        const struct kube_pod_condition *c = find_condition(pod);

        return c && kube_is(c->status, "False") && kube_is(c->reason, reason) && kube_is(c->message, message) &&
               strcmp(pod->whole->status.nominated_node_name ?: "", nominated_name(pod)) == 0;
}

static void write_condition(struct scheduler *s, struct json_writer *w, const struct sched_pod *pod,
                            const struct recorder_note *note) {
        const struct kube_pod_condition *before = find_condition(pod);
        const struct kube_time now = { .seconds = sched_wall(s), .set = true };
        char text[KUBE_TIME_TEXT_MAX];

        json_begin_map(w);
        json_add_string(w, "type", "PodScheduled");
        json_add_string(w, "status", "False");
        if (pod->whole->metadata.generation > 0)
                json_add_int(w, "observedGeneration", pod->whole->metadata.generation);
        if (!before || !kube_is(before->status, "False")) {
                kube_time_format(&now, false, text);
                json_add_string(w, "lastTransitionTime", text);
        }
        json_add_string(w, "reason", note->reason);
        json_add_string(w, "message", note->message);
        json_end_map(w);
}

static void on_patched(struct sched_send *send, const struct client_answer *answer) {
        if (!client_succeeded(answer) && answer->code != 404)
                log_debug("scheduler: %s: its status was not taken: %s", send->key, answer->message);
}

static void patch(struct scheduler *s, const struct sched_pod *pod, const struct recorder_note *note) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        const char *nominated = nominated_name(pod);
        int r;

        sched_begin_conditions(&w, pod);
        write_condition(s, &w, pod, note);
        json_end_list(&w);
        if (strcmp(pod->whole->status.nominated_node_name ?: "", nominated) != 0)
                json_add_string(&w, "nominatedNodeName", nominated);
        r = sched_patch_status(s, pod, &w, on_patched);
        if (r < 0)
                log_debug("scheduler: %s: its status was not told: %s", pod->key, strerror(-r));
}

void sched_fail(struct scheduler *s, struct sched_pod *pod, const char *words) {
        const char *reason = pod->has_erred ? "SchedulerError" : "Unschedulable";
        const struct recorder_note event = { "Warning", "FailedScheduling", words },
                                   condition = { NULL, reason, words };

        sched_metrics_failed(&s->metrics, pod, sched_now(s));
        sched_queue_fail(&s->queue, pod, sched_now(s));
        sched_tell(s, pod, &event);
        if (!is_said(pod, reason, words))
                patch(s, pod, &condition);
}
