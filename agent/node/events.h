/* Events as Kubernetes has them: what happened to a pod or the node, in kubelet's reasons and words, for the log and
 * for /events.
 *
 * An event that repeats (same object, reason and text) is one row with a count, as kubelet's correlator does it; it
 * is logged when it is new. The ring holds the newest EVENTS_MAX rows.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#define EVENTS_MAX 512
#define EVENT_TEXT_MAX 1024 /* as the API server cuts it */

struct events;
struct json_writer;

struct event_object {
        const char *kind; /* a literal; NULL: "Pod" */
        const char *namespace_, *name, *uid;
        const char *container; /* NULL: the pod itself */
        const char *list;      /* of the pod's spec that has the container: "initContainers" */
};

struct events *events_new(const char *node_name);
void events_free(struct events *events); /* NULL is fine */

/* Adds an event; @warning tells Warning from Normal. All texts are copied, but the kind. */
void events_add(struct events *events, const struct event_object *object, bool warning, const char *reason,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

void events_addv(struct events *events, const struct event_object *object, bool warning, const char *reason,
                 const char *format, va_list arguments) __attribute__((format(printf, 5, 0)));

/* What is called with each event, also one that repeats; all texts are lent. NULL: nothing. */
typedef void (*events_heard)(void *data, const struct event_object *object, bool warning, const char *reason,
                             const char *text);
void events_listen(struct events *events, events_heard heard, void *data);

/* The ring as a v1 EventList, oldest first. */
void events_write(const struct events *events, struct json_writer *writer);
