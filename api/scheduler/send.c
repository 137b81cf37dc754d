/* Requests about pods, and events. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/scheduler/internal.h"
#include "client/client.h"
#include "kube/kinds.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

LIST_FUNCTIONS(sched_sends, struct sched_send, in_scheduler)

static void on_answered(void *data, const struct client_answer *answer) {
        struct sched_send *send = data;

        sched_sends_remove(send);
        if (send->scheduler->stopped == false)
                send->done(send, answer);
        free(send);
}

static char *put(char **at, const char *text) {
        char *start = *at;

        *at = stpcpy(start, text) + 1;
        return start;
}

int sched_send(struct scheduler *s, const struct client_request *request, const struct sched_send *like) {
        const char *node = like->node ?: "";
        struct sched_send *send = calloc(1, sizeof(*send) + strlen(like->key) + strlen(like->uid) + strlen(node) + 3);
        char *at;
        int r;

        if (!send)
                return -ENOMEM;
        at = send->text;
        *send = (struct sched_send){ .scheduler = s, .done = like->done, .began = like->began };
        send->key = put(&at, like->key);
        send->uid = put(&at, like->uid);
        send->node = put(&at, node);
        r = client_ask(s->config.client, request, on_answered, send, &send->call);
        if (r < 0)
                free(send);
        else
                sched_sends_append(&s->sends, send);
        return r;
}

void sched_sends_end(struct scheduler *s) {
        struct sched_send *send;

        while ((send = sched_sends_pop(&s->sends))) {
                client_cancel(send->call);
                free(send);
        }
}

void sched_tell(struct scheduler *s, const struct sched_pod *pod, const struct recorder_note *note) {
        const struct recorder_object about = { "v1", "Pod", pod->namespace, pod->name, pod->uid };

        recorder_tell(s->recorder, &about, note, sched_wall(s));
}

void sched_begin_conditions(struct json_writer *w, const struct sched_pod *pod) {
        json_begin_map(w);
        json_key(w, "metadata");
        json_begin_map(w);
        json_add_string(w, "uid", pod->uid);
        json_end_map(w);
        json_key(w, "status");
        json_begin_map(w);
        json_key(w, "conditions");
        json_begin_list(w);
}

int sched_patch_status(struct scheduler *s, const struct sched_pod *pod, struct json_writer *w,
                       void (*done)(struct sched_send *send, const struct client_answer *answer)) {
        struct client_request q = { .verb = KUBE_VERB_PATCH,
                                    .kind = s->pod_kind,
                                    .namespace = pod->namespace,
                                    .name = pod->name,
                                    .sub = "status",
                                    .patch = CLIENT_PATCH_STRATEGIC };
        const struct sched_send like = { .done = done, .key = (char *)pod->key, .uid = (char *)pod->uid };
        _cleanup_free_ char *text = NULL;
        int r;

        json_end_map(w);
        json_end_map(w);
        if ((r = json_writer_finish(w, &text, &q.length)) < 0)
                return r;
        q.body = text;
        return sched_send(s, &q, &like);
}
