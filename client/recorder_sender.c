#include "client/recorder_sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/backend.h"
#include "lib/handle.h"
#include "lib/log.h"

struct recorder_telling *recorder_telling_new(const char *namespace) {
        struct recorder_telling *t = calloc(1, sizeof(*t));

        if (t && !(t->namespace = strdup(namespace))) {
                free(t);
                return NULL;
        }
        return t;
}

void recorder_telling_free(struct recorder_telling *t) {
        if (!t)
                return;
        free(t->namespace);
        free(t->name);
        free(t->event);
        free(t->patch);
        free(t);
}

static void ask(struct recorder_sender *s, struct recorder_telling *t);

/* --- what waits for a service --- */

static void stop_waiting(struct recorder_telling *t) {
        recorder_tellings_remove(t);
        t->sender->n_waiting--;
}

static void on_due(uv_timer_t *timer);

static void set_timer(struct recorder_sender *s) {
        struct recorder_telling *first = recorder_tellings_first(&s->waiting);
        uint64_t now = uv_now(s->client->loop);

        if (!first)
                uv_timer_stop(s->timer);
        else
                uv_timer_start(s->timer, on_due, first->due > now ? first->due - now : 0, 0);
}

/* All wait equally long, so that they are due in the order in which they came. */
static void on_due(uv_timer_t *timer) {
        struct recorder_sender *s = timer->data;
        struct recorder_telling *t;

        while ((t = recorder_tellings_first(&s->waiting)) && t->due <= uv_now(s->client->loop)) {
                stop_waiting(t);
                ask(s, t);
        }
        set_timer(s);
}

static void drop(struct recorder_telling *t, const char *why) {
        log_debug("%s: an event was not taken: %s", t->sender->component, why);
        recorder_telling_free(t);
}

static struct recorder_telling *find_same(struct recorder_tellings *list, const struct recorder_telling *t) {
        LIST_EACH (recorder_tellings, other, list)
                if (strcmp(other->name, t->name) == 0 && strcmp(other->namespace, t->namespace) == 0)
                        return other;
        return NULL;
}

/* Of each event one waits at most. */
static void forget_waiting(struct recorder_sender *s, const struct recorder_telling *t) {
        struct recorder_telling *other = find_same(&s->waiting, t);

        if (other) {
                stop_waiting(other);
                recorder_telling_free(other);
        }
}

/* Answers come in any order: the newer may have been refused before @t. */
static bool newer_waits(struct recorder_sender *s, const struct recorder_telling *t) {
        const struct recorder_telling *other = find_same(&s->waiting, t);

        return other && other->number > t->number;
}

static void wait_for_service(struct recorder_sender *s, struct recorder_telling *t, const char *why) {
        struct recorder_telling *oldest;

        if (!s->timer)
                s->timer = handle_timer(s->client->loop, s);
        if (!s->timer || ++t->tries >= RECORDER_TRIES)
                return drop(t, why);
        if (newer_waits(s, t))
                return drop(t, "there is a newer one");
        forget_waiting(s, t);
        if (s->n_waiting == RECORDER_WAITING_MAX) {
                oldest = recorder_tellings_first(&s->waiting);
                stop_waiting(oldest);
                drop(oldest, "too many wait");
        }
        uv_update_time(s->client->loop);
        t->due = uv_now(s->client->loop) + (s->retry_ms ?: RECORDER_RETRY_MS);
        recorder_tellings_append(&s->waiting, t);
        s->n_waiting++;
        set_timer(s);
}

/* --- requests --- */

static bool may_be_taken_later(int code) {
        return code < 0 || code == 429 || code >= 500;
}

static void on_told(void *data, const struct client_answer *answer) {
        struct recorder_telling *t = data;
        struct recorder_sender *s = t->sender;

        t->call = NULL;
        recorder_tellings_remove(t);
        if (client_succeeded(answer)) {
                recorder_telling_free(t);
        } else if (answer->code == 404 && t->patch) {
                /* Its time was over, or it never came there. */
                free(t->patch);
                t->patch = NULL;
                ask(s, t);
        } else if (may_be_taken_later(answer->code)) {
                wait_for_service(s, t, answer->message);
        } else {
                drop(t, answer->message);
        }
}

static void ask(struct recorder_sender *s, struct recorder_telling *t) {
        struct client_request q = { .verb = t->patch ? KUBE_VERB_PATCH : KUBE_VERB_CREATE,
                                    .kind = s->kind,
                                    .namespace = t->namespace,
                                    .name = t->patch ? t->name : NULL,
                                    .body = t->patch ?: t->event,
                                    .length = t->patch ? t->patch_length : t->event_length,
                                    .patch = CLIENT_PATCH_MERGE };
        int error = client_ask(s->client, &q, on_told, t, &t->call);

        if (error == 0)
                recorder_tellings_append(&s->under_way, t);
        else if (error == -EINVAL)
                drop(t, strerror(EINVAL));
        else
                wait_for_service(s, t, strerror(-error));
}

void recorder_sender_send(struct recorder_sender *s, struct recorder_telling *t) {
        t->sender = s;
        t->number = ++s->number;
        forget_waiting(s, t);
        ask(s, t);
}

void recorder_sender_done(struct recorder_sender *s) {
        struct recorder_telling *t;

        while ((t = recorder_tellings_pop(&s->under_way))) {
                client_cancel(t->call);
                recorder_telling_free(t);
        }
        while ((t = recorder_tellings_pop(&s->waiting)))
                recorder_telling_free(t);
        s->n_waiting = 0;
        handle_free(s->timer);
        s->timer = NULL;
}
