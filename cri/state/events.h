/* What happens to sandboxes and containers, told on the loop in the order it happened.
 *
 * A subscriber (the agent) is called at once. A queue (GetContainerEvents) keeps up to CRI_EVENT_QUEUE_MAX events for a
 * reader that takes them when it can; what comes beyond that is dropped, oldest kept, counted and logged once.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "cri/cri.h"

#define CRI_EVENT_QUEUE_MAX 1000
#define CRI_SUBSCRIBERS_MAX 64

enum cri_event_type {
        CRI_EVENT_CONTAINER_CREATED,
        CRI_EVENT_CONTAINER_STARTED,
        CRI_EVENT_CONTAINER_STOPPED,
        CRI_EVENT_CONTAINER_DELETED,
        CRI_EVENT_SANDBOX_READY, /* as a container event of CRI: created and started, with the sandbox's id */
        CRI_EVENT_SANDBOX_NOTREADY,
        CRI_EVENT_SANDBOX_DELETED,
        CRI_EVENT_OOM, /* a process in a container was killed for its memory; the container may live on. Not a CRI event
                        */
};

struct cri_event {
        enum cri_event_type type;
        int64_t time; /* ns since 1970 */
        const char *sandbox_id;
        const char *container_id;                 /* NULL for a sandbox's event */
        const char *container_name;               /* likewise */
        uint64_t oom_usage, oom_limit, oom_kills; /* OOM: bytes, bytes (UINT64_MAX: none), processes killed so far */
};

struct cri_subscription;
struct cri_event_queue;

/* Texts of @event are valid during the call, and getters of cri.h tell the state that the event led to. @called may
 * call cri_call(). Returns 0, -ENOMEM or -ENOSPC past CRI_SUBSCRIBERS_MAX. */
int cri_subscribe(struct cri *cri, void (*called)(void *data, const struct cri_event *event), void *data,
                  struct cri_subscription **ret_subscription);
void cri_unsubscribe(struct cri_subscription *subscription); /* NULL is fine */

/* A queue of CRI's own messages. @ready is called when an empty queue got an event. Errors as above. */
int cri_event_queue_new(struct cri *cri, void (*ready)(void *data), void *data, struct cri_event_queue **ret_queue);

/* The next message, owned by the queue until the next call; NULL when there is none. */
const Cri__ContainerEventResponse *cri_event_queue_next(struct cri_event_queue *queue);

/* As above, but leaves it there: for a reader that may find its buffer full. */
const Cri__ContainerEventResponse *cri_event_queue_peek(struct cri_event_queue *queue);
void cri_event_queue_free(struct cri_event_queue *queue); /* NULL is fine */
