/* What a container tells: events, what it waits for, why something failed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/container/internal.h"
#include "agent/node/events.h"
#include "lib/log.h"

static struct event_object object_of(const struct member *m) {
        const struct kube_object_meta *pod = &m->host->pod->metadata;

        return (struct event_object){
                .namespace_ = pod->namespace,
                .name = pod->name,
                .uid = pod->uid,
                .container = m->spec->name,
                .list = m->role == MEMBER_MAIN      ? "containers" :
                        m->role == MEMBER_EPHEMERAL ? "ephemeralContainers" :
                                                      "initContainers",
        };
}

void member_say(const struct member *m, bool warning, const char *reason, const char *format, ...) {
        struct event_object object = object_of(m);
        va_list args;

        va_start(args, format);
        events_addv(m->host->world->events, &object, warning, reason, format, args);
        va_end(args);
}

void member_say_of_image(const struct member *m, bool warning, const char *reason, const char *format, ...) {
        struct event_object object = object_of(m);
        va_list args;

        if (m->images_done > 0)
                object.container = object.list = NULL;
        va_start(args, format);
        events_addv(m->host->world->events, &object, warning, reason, format, args);
        va_end(args);
}

void member_set_waiting(struct member *m, const char *reason, const char *format, ...) {
        char *message = NULL;
        va_list args;

        if (reason) {
                va_start(args, format);
                if (vasprintf(&message, format, args) < 0)
                        message = NULL; /* the event has it; the reason is what counts */
                va_end(args);
        }
        free(m->waiting_message);
        m->waiting_message = message;
        m->waiting_reason = reason;
}

enum member_event member_failed(struct member *m, const struct err *err) {
        m->failure = err_free(m->failure);
        err_repeat(&m->failure, err);
        return MEMBER_EVENT_FAILED;
}

enum member_event member_failed_because(struct member *m, const char *reason, const struct err *err) {
        enum member_event event = member_failed(m, err);

        member_say(m, true, "Failed", "Error: %s", err_text(m->failure));
        member_set_waiting(m, reason, "%s", err_text(m->failure));
        return event;
}
