#include "client/recorder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/client.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/list.h"
#include "lib/log.h"
#include "lib/table.h"

#define COMBINED "(combined from similar events): "

/* What was told before: an event that was the same, others like it, an object's allowance. */
struct memory {
        struct table_node in_table;
        struct list_node in_age;
        char *event;   /* its name; NULL: none */
        int64_t first; /* when it was told first; since when others are counted; when the allowance was last made up */
        uint32_t count;
        char key[];
};

LIST_DEFINE(memories, struct memory, in_age)

struct memory_of {
        struct table table;
        struct memories by_age; /* the oldest first */
};

struct telling {
        struct recorder *recorder;
        struct client_call *call;
        struct list_node in_recorder;
};

LIST_DEFINE(tellings, struct telling, in_recorder)

struct recorder {
        struct client *client;
        const struct kube_kind *kind;
        const char *component;
        struct memory_of same, similar, allowed;
        struct tellings tellings;
};

/* --- memory --- */

static void forget(struct memory_of *of, struct memory *m) {
        table_remove(&of->table, &m->in_table);
        memories_remove(m);
        free(m->event);
        free(m);
}

static void forget_all(struct memory_of *of) {
        struct memory *m;

        while ((m = memories_first(&of->by_age)))
                forget(of, m);
        table_clear(&of->table);
}

/* The memory of @key, which is made where there is none, and then all zero. NULL without memory. */
static struct memory *remember(struct memory_of *of, const char *key) {
        struct memory *m = table_object(table_find(&of->table, key), struct memory, in_table);

        if (m) {
                memories_remove(m);
                memories_append(&of->by_age, m);
                return m;
        }
        if (of->table.n >= RECORDER_OBJECTS_MAX)
                forget(of, memories_first(&of->by_age));
        m = calloc(1, sizeof(*m) + strlen(key) + 1);
        if (!m)
                return NULL;
        strcpy(m->key, key);
        if (table_add(&of->table, &m->in_table, m->key) < 0) {
                free(m);
                return NULL;
        }
        memories_append(&of->by_age, m);
        return m;
}

/* Whether one more of this object is heard. */
static bool is_allowed(struct recorder *r, const char *key, int64_t now) {
        struct memory *m = remember(&r->allowed, key);
        int64_t refilled;

        if (!m)
                return false;
        if (m->first == 0) {
                m->first = now;
                m->count = RECORDER_BURST;
        }
        refilled = now > m->first ? (now - m->first) / RECORDER_REFILL_S : 0;
        if (refilled > 0) {
                m->first += refilled * RECORDER_REFILL_S;
                m->count = refilled + m->count > RECORDER_BURST ? RECORDER_BURST : (uint32_t)(m->count + refilled);
        }
        if (m->count == 0)
                return false;
        m->count--;
        return true;
}

/* Whether there have been so many others like it of late that they are told together. Only what is new counts. */
static bool is_one_of_many(struct recorder *r, const char *key, bool new, int64_t now) {
        struct memory *m = remember(&r->similar, key);

        if (!m)
                return false;
        if (now - m->first > RECORDER_SIMILAR_S) {
                m->first = now;
                m->count = 0;
        }
        m->count += new;
        return m->count >= RECORDER_SIMILAR_MAX;
}

/* --- what is sent --- */

static void on_told(void *data, const struct client_answer *answer) {
        struct telling *t = data;

        if (!client_succeeded(answer))
                log_debug("%s: an event was not taken: %s", t->recorder->component, answer->message);
        tellings_remove(t);
        free(t);
}

static void send(struct recorder *r, const struct client_request *request) {
        struct telling *t = calloc(1, sizeof(*t));
        int error = t ? 0 : -ENOMEM;

        if (t) {
                t->recorder = r;
                error = client_ask(r->client, request, on_told, t, &t->call);
        }
        if (error == 0) {
                tellings_append(&r->tellings, t);
                return;
        }
        log_debug("%s: an event was not told: %s", r->component, strerror(-error));
        free(t);
}

static const char *namespace_of(const struct recorder_object *object) {
        return *object->namespace ? object->namespace : "default";
}

static void create(struct recorder *r, const struct recorder_object *o, const struct recorder_note *note,
                   const struct memory *m) {
        const struct kube_time at = { .seconds = m->first, .set = true };
        const struct kube_event event = { .metadata = { .name = m->event, .namespace = namespace_of(o) },
                                          .involved_object = { .kind = o->kind,
                                                               .namespace = o->namespace,
                                                               .name = o->name,
                                                               .uid = o->uid,
                                                               .api_version = o->api_version },
                                          .reason = note->reason,
                                          .message = note->message,
                                          .source = { .component = r->component },
                                          .first_timestamp = at,
                                          .last_timestamp = at,
                                          .count = 1,
                                          .type = note->type,
                                          .reporting_component = r->component };
        struct client_request q = { .verb = KUBE_VERB_CREATE, .kind = r->kind, .namespace = namespace_of(o) };
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;

        kube_json_write(&w, &kube_event_type, &event);
        if (json_writer_finish(&w, &text, &q.length) < 0)
                return;
        q.body = text;
        send(r, &q);
}

static void count_up(struct recorder *r, const struct recorder_object *o, const struct recorder_note *note,
                     const struct memory *m, int64_t now) {
        struct client_request q = { .verb = KUBE_VERB_PATCH,
                                    .kind = r->kind,
                                    .namespace = namespace_of(o),
                                    .name = m->event,
                                    .patch = CLIENT_PATCH_MERGE };
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;
        char at[sizeof("2006-01-02T15:04:05Z") + 12];
        struct tm tm;

        gmtime_r(&(time_t){ now }, &tm);
        strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &tm);
        json_begin_map(&w);
        json_add_int(&w, "count", m->count);
        json_add_string(&w, "lastTimestamp", at);
        json_add_string(&w, "message", note->message);
        json_end_map(&w);
        if (json_writer_finish(&w, &text, &q.length) < 0)
                return;
        q.body = text;
        send(r, &q);
}

/* "NAME.HEX": of the time, so that none is there already. */
static char *event_name(const struct recorder_object *o) {
        struct timespec now;
        char *name = NULL;

        clock_gettime(CLOCK_REALTIME, &now);
        if (asprintf(&name, "%.200s.%llx", o->name,
                     (unsigned long long)now.tv_sec * 1000000000ULL + (unsigned long long)now.tv_nsec) < 0)
                return NULL;
        return name;
}

static void tell_once(struct recorder *r, const struct recorder_object *object, const struct recorder_note *note,
                      struct memory *m, int64_t now) {
        m->count++;
        if (m->event)
                return count_up(r, object, note, m, now);
        m->event = event_name(object);
        m->first = now;
        if (m->event)
                create(r, object, note, m);
}

void recorder_tell(struct recorder *recorder, const struct recorder_object *object, const struct recorder_note *note,
                   int64_t now) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char *of = arena ? arena_printf(arena, "%s\n%s\n%s\n%s", object->kind, object->namespace, object->name,
                                        object->uid) :
                           NULL,
             *like = of ? arena_printf(arena, "%s\n%s\n%s", of, note->type, note->reason) : NULL,
             *same = like ? arena_printf(arena, "%s\n%.*s", like, RECORDER_MESSAGE_MAX, note->message) : NULL;
        struct recorder_note told = *note;
        struct memory *m;
        bool new;

        if (!same)
                return;
        new = !table_find(&recorder->same.table, same);
        if (is_one_of_many(recorder, like, new, now)) {
                told.message = arena_printf(arena, COMBINED "%s", note->message);
                same = arena_printf(arena, "%s\n", like);
        }
        told.message =
                told.message ? arena_strndup(arena, told.message, strnlen(told.message, RECORDER_MESSAGE_MAX)) : NULL;
        m = same && told.message && is_allowed(recorder, of, now) ? remember(&recorder->same, same) : NULL;
        if (m)
                tell_once(recorder, object, &told, m, now);
}

/* --- its life --- */

struct recorder *recorder_new(struct client *client, const struct kube_kind *kind, const char *component) {
        struct recorder *r = calloc(1, sizeof(*r));

        if (r)
                *r = (struct recorder){ .client = client, .kind = kind, .component = component };
        return r;
}

void recorder_free(struct recorder *recorder) {
        struct telling *t;

        if (!recorder)
                return;
        while ((t = tellings_pop(&recorder->tellings))) {
                client_cancel(t->call);
                free(t);
        }
        forget_all(&recorder->same);
        forget_all(&recorder->similar);
        forget_all(&recorder->allowed);
        free(recorder);
}
