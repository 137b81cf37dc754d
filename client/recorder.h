/* Events about objects (core/v1 Event), told as client-go's recorder tells them: the same again is one event whose
 * count rises; many that differ in their words alone become one; and who has too many of one object is not heard for a
 * while. Nothing waits for them. One that the service has forgotten meanwhile (its TTL) is made anew; one that found no
 * service, or a busy one, is sent again for two minutes; what is refused is dropped, and logged at level debug.
 */
#pragma once

#include <stdint.h>

struct client;
struct recorder;

#define RECORDER_OBJECTS_MAX 4096       /* that are remembered of each kind of memory; then the oldest is forgotten */
#define RECORDER_SIMILAR_MAX 10         /* with other words; from this one on they are told together, */
#define RECORDER_SIMILAR_S INT64_C(600) /* within this time */
#define RECORDER_BURST 25               /* of one object; then one in */
#define RECORDER_REFILL_S INT64_C(300)
#define RECORDER_MESSAGE_MAX 1024 /* bytes, as the API has it; the rest is cut */

struct recorder_object {
        const char *api_version, *kind, *namespace, *name, *uid; /* namespace "": of the cluster */
};

struct recorder_note {
        const char *type, *reason, *message; /* type "Normal" or "Warning" */
};

/* @component: who tells, @host: on which node; NULL: on none. All, and @kind (that of core/v1 Event), outlive the
 * recorder. NULL without memory. */
struct kube_kind;
struct recorder *recorder_new(struct client *client, const struct kube_kind *kind, const char *component,
                              const char *host);
void recorder_free(struct recorder *recorder); /* NULL is fine; what is under way is not heard of any more */

/* At @now, in seconds since 1970. @field: of a part of it, "spec.containers{main}"; "": of all. */
void recorder_tell_of(struct recorder *recorder, const struct recorder_object *object, const char *field,
                      const struct recorder_note *note, int64_t now);
void recorder_tell(struct recorder *recorder, const struct recorder_object *object, const struct recorder_note *note,
                   int64_t now);
