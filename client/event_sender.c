#include "client/event_sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/backend.h"
#include "lib/handle.h"
#include "lib/log.h"

struct event_telling *event_telling_new(const char *namespace) {
        struct event_telling *t = calloc(1, sizeof(*t));

        if (t && !(t->namespace = strdup(namespace))) {
                free(t);
                return NULL;
        }
        return t;
}

void event_telling_free(struct event_telling *t) {
        if (!t)
                return;
        free(t->namespace);
        free(t->name);
        free(t->event);
        free(t->patch);
        free(t);
}

static void ask(struct event_sender *s, struct event_telling *t);

/* --- what waits for a service --- */

static void stop_waiting(struct event_telling *t) {
        event_tellings_remove(t);
        t->sender->n_waiting--;
}

static void on_due(uv_timer_t *timer);

static void set_timer(struct event_sender *s) {
        struct event_telling *first = event_tellings_first(&s->waiting);
        uint64_t now = uv_now(s->client->loop);

        if (!first)
                uv_timer_stop(s->timer);
        else
                uv_timer_start(s->timer, on_due, first->due > now ? first->due - now : 0, 0);
}

/* All wait equally long, so that they are due in the order in which they came. */
static void on_due(uv_timer_t *timer) {
        struct event_sender *s = timer->data;
        struct event_telling *t;

        while ((t = event_tellings_first(&s->waiting)) && t->due <= uv_now(s->client->loop)) {
                stop_waiting(t);
                ask(s, t);
        }
        set_timer(s);
}

static void drop(struct event_telling *t, const char *why) {
        log_debug("%s: an event was not taken: %s", t->sender->component, why);
        event_telling_free(t);
}

/* Of each event one waits at most. */
static void forget_waiting(struct event_sender *s, const struct event_telling *t) {
        LIST_EACH (event_tellings, other, &s->waiting)
                if (strcmp(other->name, t->name) == 0 && strcmp(other->namespace, t->namespace) == 0) {
                        stop_waiting(other);
                        event_telling_free(other);
                        return;
                }
}

static void wait_for_service(struct event_sender *s, struct event_telling *t, const char *why) {
        struct event_telling *oldest;

        if (!s->timer)
                s->timer = handle_timer(s->client->loop, s);
        if (!s->timer || ++t->tries >= EVENT_SENDER_TRIES)
                return drop(t, why);
        forget_waiting(s, t);
        if (s->n_waiting == EVENT_SENDER_WAITING_MAX) {
                oldest = event_tellings_first(&s->waiting);
                stop_waiting(oldest);
                drop(oldest, "too many wait");
        }
        uv_update_time(s->client->loop);
        t->due = uv_now(s->client->loop) + (s->retry_ms ?: EVENT_SENDER_RETRY_MS);
        event_tellings_append(&s->waiting, t);
        s->n_waiting++;
        set_timer(s);
}

/* --- requests --- */

static bool may_be_taken_later(int code) {
        return code < 0 || code == 429 || code >= 500;
}

static void on_told(void *data, const struct client_answer *answer) {
        struct event_telling *t = data;
        struct event_sender *s = t->sender;

        t->call = NULL;
        event_tellings_remove(t);
        if (client_succeeded(answer)) {
                event_telling_free(t);
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

static void ask(struct event_sender *s, struct event_telling *t) {
        struct client_request q = { .verb = t->patch ? KUBE_VERB_PATCH : KUBE_VERB_CREATE,
                                    .kind = s->kind,
                                    .namespace = t->namespace,
                                    .name = t->patch ? t->name : NULL,
                                    .body = t->patch ?: t->event,
                                    .length = t->patch ? t->patch_length : t->event_length,
                                    .patch = CLIENT_PATCH_MERGE };
        int error = client_ask(s->client, &q, on_told, t, &t->call);

        if (error == 0)
                event_tellings_append(&s->under_way, t);
        else if (error == -EINVAL)
                drop(t, strerror(EINVAL));
        else
                wait_for_service(s, t, strerror(-error));
}

void event_sender_send(struct event_sender *s, struct event_telling *t) {
        t->sender = s;
        forget_waiting(s, t);
        ask(s, t);
}

void event_sender_done(struct event_sender *s) {
        struct event_telling *t;

        while ((t = event_tellings_pop(&s->under_way))) {
                client_cancel(t->call);
                event_telling_free(t);
        }
        while ((t = event_tellings_pop(&s->waiting)))
                event_telling_free(t);
        s->n_waiting = 0;
        handle_free(s->timer);
        s->timer = NULL;
}
