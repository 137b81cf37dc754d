#include "client/recorder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/recorder_sender.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json_writer.h"
#include "lib/list.h"
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

struct recorder {
        struct recorder_sender sender;
        const char *component, *host;
        struct memory_of same, similar, allowed;
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
        if (m->first > now) /* the clock was set back: what is to come would be waited for until then */
                m->first = now;
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
        if (m->first > now || now - m->first > RECORDER_SIMILAR_S) { /* the clock may be set back */
                m->first = now;
                m->count = 0;
        }
        m->count += new;
        return m->count >= RECORDER_SIMILAR_MAX;
}

/* --- what is sent --- */

static const char *namespace_of(const struct recorder_object *object) {
        return *object->namespace ? object->namespace : "default";
}

/* What is told now. */
struct told {
        const struct recorder_object *object;
        const char *field;
        const struct recorder_note *note;
        int64_t now;
};

static int write_event(struct recorder *r, const struct told *told, const struct memory *m,
                       struct recorder_telling *t) {
        const struct recorder_object *o = told->object;
        const struct kube_time first = { .seconds = m->first, .set = true },
                               last = { .seconds = told->now, .set = true };
        const struct kube_event event = { .metadata = { .name = m->event, .namespace = namespace_of(o) },
                                          .involved_object = { .kind = o->kind,
                                                               .namespace = o->namespace,
                                                               .name = o->name,
                                                               .uid = o->uid,
                                                               .api_version = o->api_version,

                                                               .field_path = told->field },
                                          .reason = told->note->reason,
                                          .message = told->note->message,
                                          .source = { .component = r->component, .host = r->host },
                                          .first_timestamp = first,
                                          .last_timestamp = last,
                                          .count = (int32_t)m->count,
                                          .type = told->note->type,
                                          .reporting_component = r->component,
                                          .reporting_instance = r->host };
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        kube_json_write(&w, &kube_event_type, &event);
        return json_writer_finish(&w, &t->event, &t->event_length);
}

static int write_patch(const struct told *told, const struct memory *m, struct recorder_telling *t) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        char at[sizeof("2006-01-02T15:04:05Z") + 12];
        struct tm tm;

        gmtime_r(&(time_t){ told->now }, &tm);
        strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &tm);
        json_begin_map(&w);
        json_add_int(&w, "count", m->count);
        json_add_string(&w, "lastTimestamp", at);
        json_add_string(&w, "message", told->note->message);
        json_end_map(&w);
        return json_writer_finish(&w, &t->patch, &t->patch_length);
}

/* "NAME.HEX": of the time, so that none is there already. */
static char *event_name(const struct recorder_object *o) {
        char *name;

        return asprintf(&name, "%.200s.%" PRIx64, o->name, (uint64_t)clock_ns(CLOCK_REALTIME)) < 0 ? NULL : name;
}

static void tell_once(struct recorder *r, const struct told *told, struct memory *m) {
        struct recorder_telling *t = recorder_telling_new(namespace_of(told->object));
        bool again = m->event;

        m->count++;
        if (!again) {
                m->event = event_name(told->object);
                m->first = told->now;
        }
        if (t && m->event && (t->name = strdup(m->event)) && write_event(r, told, m, t) == 0 &&
            (!again || write_patch(told, m, t) == 0))
                recorder_sender_send(&r->sender, t);
        else
                recorder_telling_free(t);
}

void recorder_tell_of(struct recorder *recorder, const struct recorder_object *object, const char *field,
                      const struct recorder_note *note, int64_t now) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char *of = arena ? arena_printf(arena, "%s\n%s\n%s\n%s", object->kind, object->namespace, object->name,
                                        object->uid) :
                           NULL,
             *like = of ? arena_printf(arena, "%s\n%s\n%s", of, note->type, note->reason) : NULL,
             *same = like ? arena_printf(arena, "%s\n%s\n%.*s", like, field, RECORDER_MESSAGE_MAX, note->message) :
                            NULL;
        struct recorder_note told = *note;
        struct memory *m;
        bool new;

        if (!same)
                return;
        new = !table_find(&recorder->same.table, same);
        if (is_one_of_many(recorder, like, new, now)) {
                told.message = arena_printf(arena, COMBINED "%s", note->message);
                same = arena_printf(arena, "%s\n%s\n", like, field);
        }
        told.message =
                told.message ? arena_strndup(arena, told.message, strnlen(told.message, RECORDER_MESSAGE_MAX)) : NULL;
        m = same && told.message && is_allowed(recorder, of, now) ? remember(&recorder->same, same) : NULL;
        if (m)
                tell_once(recorder, &(struct told){ object, field, &told, now }, m);
}

void recorder_tell(struct recorder *recorder, const struct recorder_object *object, const struct recorder_note *note,
                   int64_t now) {
        recorder_tell_of(recorder, object, "", note, now);
}

/* --- its life --- */

struct recorder *recorder_new(struct client *client, const struct kube_kind *kind, const char *component,
                              const char *host) {
        struct recorder *r = calloc(1, sizeof(*r));

        if (r)
                *r = (struct recorder){ .sender = { .client = client, .kind = kind, .component = component },
                                        .component = component,
                                        .host = host ?: "" };
        return r;
}

void recorder_free(struct recorder *recorder) {
        if (!recorder)
                return;
        recorder_sender_done(&recorder->sender);
        forget_all(&recorder->same);
        forget_all(&recorder->similar);
        forget_all(&recorder->allowed);
        free(recorder);
}
