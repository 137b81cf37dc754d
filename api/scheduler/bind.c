/* Bindings: POST pods/NAME/binding, while the pod counts as being there already. */
#include <stdio.h>
#include <string.h>

#include "api/scheduler/internal.h"
#include "client/client.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

static void tell_scheduled(struct scheduler *s, const struct sched_pod *pod, const char *node) {
        char message[RECORDER_MESSAGE_MAX];
        const struct recorder_note note = { "Normal", "Scheduled", message };

        snprintf(message, sizeof(message), "Successfully assigned %s/%s to %s", pod->namespace, pod->name, node);
        sched_tell(s, pod, &note);
}

static void fail(struct scheduler *s, struct sched_pod *pod, const char *why) {
        const char *words = arena_printf(s->arena, "running Bind plugin \"DefaultBinder\": %s", why);

        sched_unassume(s, pod);
        pod->has_erred = true;
        sched_fail(s, pod, words ?: why);
}

/* That the pod is on its node the informer tells; until then it is assumed. */
static void on_bound(struct sched_send *send, const struct client_answer *answer) {
        struct scheduler *s = send->scheduler;
        struct sched_pod *pod = sched_cluster_pod(&s->cluster, send->key);

        s->n_bindings--;
        sched_wake(s);
        if (!pod || strcmp(pod->uid, send->uid) != 0)
                return;
        if (client_succeeded(answer)) {
                sched_metrics_scheduled(&s->metrics, pod, send->began, sched_now(s));
                tell_scheduled(s, pod, send->node);
        } else if (pod->place == SCHED_ASSUMED)
                fail(s, pod, answer->message);
}

void sched_bind(struct scheduler *s, struct sched_pod *pod, uint64_t began) {
        const struct kube_binding binding = {
                .kind = "Binding",
                .api_version = "v1",
                .metadata = { .name = pod->name, .namespace = pod->namespace, .uid = pod->uid },
                .target = { .kind = "Node", .name = pod->node->name },
        };
        struct client_request q = { .verb = KUBE_VERB_CREATE,
                                    .kind = s->pod_kind,
                                    .namespace = pod->namespace,
                                    .name = pod->name,
                                    .sub = "binding" };
        const struct sched_send like = { .done = on_bound,
                                         .began = began,
                                         .key = (char *)pod->key,
                                         .uid = (char *)pod->uid,
                                         .node = pod->node->name };
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;
        int r;

        kube_json_write(&w, &kube_binding_type, &binding);
        r = json_writer_finish(&w, &text, &q.length);
        q.body = text;
        r = r < 0 ? r : sched_send(s, &q, &like);
        if (r < 0)
                fail(s, pod, strerror(-r));
        else
                s->n_bindings++;
}
