#include "agent/node/events.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "lib/json_writer.h"
#include "lib/log.h"

#define EVENT_COMPONENT "nacelle"

struct event {
        char *namespace_, *name, *uid, *field, *reason, *text;
        const char *kind;
        int64_t first, last; /* seconds since 1970 */
        uint32_t count;
        bool warning;
};

struct events {
        char *node_name;
        events_heard heard; /* NULL: nobody listens */
        void *heard_data;
        uint64_t added; /* rows ever: the next goes to added % EVENTS_MAX */
        struct event rows[EVENTS_MAX];
};

struct events *events_new(const char *node_name) {
        struct events *events = calloc(1, sizeof(*events));

        if (events && !(events->node_name = strdup(node_name))) {
                free(events);
                return NULL;
        }
        return events;
}

static void clear(struct event *e) {
        free(e->namespace_);
        free(e->name);
        free(e->uid);
        free(e->field);
        free(e->reason);
        free(e->text);
        *e = (struct event){ 0 };
}

void events_free(struct events *events) {
        if (!events)
                return;
        for (size_t i = 0; i < EVENTS_MAX; i++)
                clear(&events->rows[i]);
        free(events->node_name);
        free(events);
}

static bool same_text(const char *a, const char *b) {
        return a == b || (a && b && strcmp(a, b) == 0);
}

static struct event *find(struct events *events, const struct event_object *o, const char *field, const char *reason,
                          const char *text) {
        for (size_t i = 0; i < EVENTS_MAX; i++) {
                struct event *e = &events->rows[i];

                if (e->reason && strcmp(e->reason, reason) == 0 && same_text(e->uid, o->uid) &&
                    same_text(e->field, field) && same_text(e->text, text))
                        return e;
        }
        return NULL;
}

/* Takes the row's texts. Without memory for them the log alone has told it. */
static void add(struct events *events, struct event *new) {
        struct event *e = &events->rows[events->added % EVENTS_MAX];

        if (!new->namespace_ || !new->name || !new->uid || !new->field || !new->reason || !new->text) {
                clear(new);
                return;
        }
        clear(e);
        *e = *new;
        events->added++;
}

void events_listen(struct events *events, events_heard heard, void *data) {
        events->heard = heard;
        events->heard_data = data;
}

void events_add(struct events *events, const struct event_object *o, bool warning, const char *reason,
                const char *format, ...) {
        va_list args;

        va_start(args, format);
        events_addv(events, o, warning, reason, format, args);
        va_end(args);
}

void events_addv(struct events *events, const struct event_object *o, bool warning, const char *reason,
                 const char *format, va_list arguments) {
        char text[EVENT_TEXT_MAX], field[320] = "";
        struct event *e;

        vsnprintf(text, sizeof(text), format, arguments);
        if (o->container)
                snprintf(field, sizeof(field), "spec.%s{%s}", o->list, o->container);

        if (events->heard)
                events->heard(events->heard_data, o, warning, reason, text);
        e = find(events, o, field, reason, text);
        if (e) {
                e->last = time(NULL);
                e->count++;
                return;
        }
        if (o->kind)
                log_write(warning ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "%s %s: %s: %s", o->kind, o->name, reason,
                          text);
        else
                log_write(warning ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "pod %s/%s%s%s: %s: %s", o->namespace_, o->name,
                          o->container ? ": container " : "", o->container ? o->container : "", reason, text);
        add(events, &(struct event){
                            .namespace_ = strdup(o->namespace_),
                            .name = strdup(o->name),
                            .uid = strdup(o->uid),
                            .field = strdup(field),
                            .reason = strdup(reason),
                            .text = strdup(text),
                            .kind = o->kind ?: "Pod",
                            .first = time(NULL),
                            .last = time(NULL),
                            .count = 1,
                            .warning = warning,
                    });
}

static struct kube_time at(int64_t seconds) {
        return (struct kube_time){ .seconds = seconds, .set = true };
}

static void write_event(const struct events *events, const struct event *e, uint64_t number, struct json_writer *w) {
        const char *namespace_ = e->namespace_ && *e->namespace_ ? e->namespace_ : NULL;
        char name[320];
        const struct kube_event event = {
                .metadata = { .name = name, .namespace = namespace_ ?: "default", .creation_timestamp = at(e->first) },
                .involved_object = { .kind = e->kind,
                                     .namespace = namespace_,
                                     .name = e->name,
                                     .uid = e->uid,
                                     .api_version = "v1",
                                     .field_path = e->field },
                .reason = e->reason,
                .message = e->text,
                .source = { .component = EVENT_COMPONENT, .host = events->node_name },
                .first_timestamp = at(e->first),
                .last_timestamp = at(e->last),
                .count = (int32_t)e->count,
                .type = e->warning ? "Warning" : "Normal",
                .reporting_component = EVENT_COMPONENT,
                .reporting_instance = events->node_name,
        };

        snprintf(name, sizeof(name), "%s.%016llx", e->name ? e->name : "", (unsigned long long)number);
        kube_json_write(w, &kube_event_type, &event);
}

void events_write(const struct events *events, struct json_writer *w) {
        uint64_t from = events->added > EVENTS_MAX ? events->added - EVENTS_MAX : 0;

        kube_json_begin_items(w, "EventList");
        for (uint64_t i = from; i < events->added; i++)
                write_event(events, &events->rows[i % EVENTS_MAX], i, w);
        kube_json_end_items(w);
}
