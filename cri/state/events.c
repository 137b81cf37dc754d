#include "cri/state/events.h"

#include <string.h>

#include "cgroups/oom.h"
#include "cri/state/emit.h"
#include "cri/state/status.h"
#include "lib/log.h"

struct cri_subscription {
        struct list_node in_subscriptions;
        struct cri *cri;
        void (*called)(void *data, const struct cri_event *event);
        void *data;
        struct cri_event_queue *queue; /* in place of called */
        bool ended;                    /* while events are told: freed afterwards */
};

LIST_FUNCTIONS(cri_subscriptions, struct cri_subscription, in_subscriptions)

struct queued {
        struct list_node in_queue;
        size_t size;
        uint8_t data[]; /* the message, packed: its objects may be gone when it is read */
};

LIST_DEFINE(queued_events, struct queued, in_queue)

struct cri_event_queue {
        struct cri_subscription *subscription;
        void (*ready)(void *data);
        void *data;
        struct queued_events events;
        size_t n;
        uint64_t dropped;
        struct arena *arena;                  /* of @message */
        Cri__ContainerEventResponse *message; /* the first one, unpacked */
        bool taken;
};

static int subscribe(struct cri *cri, struct cri_subscription **ret_subscription) {
        struct cri_subscription *subscription;

        if (cri->n_subscriptions >= CRI_SUBSCRIBERS_MAX)
                return -ENOSPC;
        subscription = calloc(1, sizeof(*subscription));
        if (!subscription)
                return -ENOMEM;
        subscription->cri = cri;
        cri_subscriptions_prepend(&cri->subscriptions, subscription);
        cri->n_subscriptions++;
        *ret_subscription = subscription;
        return 0;
}

int cri_subscribe(struct cri *cri, void (*called)(void *data, const struct cri_event *event), void *data,
                  struct cri_subscription **ret_subscription) {
        int r = subscribe(cri, ret_subscription);

        if (r < 0)
                return r;
        (*ret_subscription)->called = called;
        (*ret_subscription)->data = data;
        return 0;
}

/* Out of the list while nobody walks it; the walk itself does it otherwise. */
static void sweep(struct cri *cri) {
        if (cri->telling > 0)
                return;
        LIST_EACH (cri_subscriptions, s, &cri->subscriptions)
                if (s->ended) {
                        cri_subscriptions_remove(s);
                        cri->n_subscriptions--;
                        free(s);
                }
}

void cri_unsubscribe(struct cri_subscription *subscription) {
        if (!subscription)
                return;
        subscription->ended = true;
        sweep(subscription->cri);
}

int cri_event_queue_new(struct cri *cri, void (*ready)(void *data), void *data, struct cri_event_queue **ret_queue) {
        struct cri_event_queue *queue = calloc(1, sizeof(*queue));
        int r;

        if (!queue)
                return -ENOMEM;
        r = subscribe(cri, &queue->subscription);
        if (r < 0) {
                free(queue);
                return r;
        }
        queue->subscription->queue = queue;
        queue->ready = ready;
        queue->data = data;
        *ret_queue = queue;
        return 0;
}

static void drop_first(struct cri_event_queue *queue) {
        free(queued_events_pop(&queue->events));
        queue->n--;
}

static void forget_message(struct cri_event_queue *queue) {
        queue->arena = arena_free(queue->arena);
        queue->message = NULL;
        queue->taken = false;
}

const Cri__ContainerEventResponse *cri_event_queue_peek(struct cri_event_queue *queue) {
        const struct queued *first = queued_events_first(&queue->events);

        if (queue->taken)
                forget_message(queue);
        if (queue->message || !first)
                return queue->message;
        queue->arena = arena_new();
        if (queue->arena)
                queue->message = message_unpack(queue->arena, &cri__container_event_response__descriptor, first->data,
                                                first->size);
        if (!queue->message) /* without memory: it stays for later */
                queue->arena = arena_free(queue->arena);
        return queue->message;
}

const Cri__ContainerEventResponse *cri_event_queue_next(struct cri_event_queue *queue) {
        const Cri__ContainerEventResponse *message = cri_event_queue_peek(queue);

        if (!message)
                return NULL;
        drop_first(queue);
        queue->taken = true;
        return message;
}

void cri_event_queue_free(struct cri_event_queue *queue) {
        if (!queue)
                return;
        queue->subscription->queue = NULL;
        cri_unsubscribe(queue->subscription);
        while (queue->n > 0)
                drop_first(queue);
        forget_message(queue);
        free(queue);
}

static void enqueue(struct cri_event_queue *queue, const ProtobufCBinaryData *packed) {
        struct queued *queued;

        if (queue->n >= CRI_EVENT_QUEUE_MAX || !(queued = malloc(sizeof(*queued) + packed->len))) {
                if (queue->dropped++ == 0)
                        log_warning("a reader of container events is %u events behind; it loses events",
                                    CRI_EVENT_QUEUE_MAX);
                return;
        }
        queued->in_queue = (struct list_node){ 0 };
        queued->size = packed->len;
        memcpy(queued->data, packed->data, packed->len);
        queued_events_append(&queue->events, queued);
        if (queue->n++ == 0)
                queue->ready(queue->data);
}

/* CRI's event types for ours; -1: CRI has none. A sandbox's are those of a container with the sandbox's id. */
static const int cri_types[] = {
        [CRI_EVENT_CONTAINER_CREATED] = CRI__CONTAINER_EVENT_TYPE__CONTAINER_CREATED_EVENT,
        [CRI_EVENT_CONTAINER_STARTED] = CRI__CONTAINER_EVENT_TYPE__CONTAINER_STARTED_EVENT,
        [CRI_EVENT_CONTAINER_STOPPED] = CRI__CONTAINER_EVENT_TYPE__CONTAINER_STOPPED_EVENT,
        [CRI_EVENT_CONTAINER_DELETED] = CRI__CONTAINER_EVENT_TYPE__CONTAINER_DELETED_EVENT,
        [CRI_EVENT_SANDBOX_READY] = CRI__CONTAINER_EVENT_TYPE__CONTAINER_STARTED_EVENT,
        [CRI_EVENT_SANDBOX_NOTREADY] = CRI__CONTAINER_EVENT_TYPE__CONTAINER_STOPPED_EVENT,
        [CRI_EVENT_SANDBOX_DELETED] = CRI__CONTAINER_EVENT_TYPE__CONTAINER_DELETED_EVENT,
        [CRI_EVENT_OOM] = -1,
};

static int pack_event(struct arena *arena, struct cri_sandbox *sandbox, const struct cri_event *event,
                      Cri__ContainerEventType type, ProtobufCBinaryData *ret_packed) {
        Cri__ContainerEventResponse message = CRI__CONTAINER_EVENT_RESPONSE__INIT;

        message.container_id = (char *)(uintptr_t)(event->container_id ? event->container_id : event->sandbox_id);
        message.container_event_type = type;
        message.created_at = event->time;
        message.pod_sandbox_status = status_of_sandbox(arena, sandbox);
        message.containers_statuses = status_of_containers(arena, sandbox, &message.n_containers_statuses);
        if (!message.pod_sandbox_status || !message.containers_statuses)
                return -ENOMEM;
        return message_pack(arena, &message.base, ret_packed);
}

static void tell_queues(struct cri_sandbox *sandbox, const struct cri_event *event, Cri__ContainerEventType type) {
        _cleanup_arena_ struct arena *arena = NULL;
        ProtobufCBinaryData packed = { 0 };

        LIST_EACH (cri_subscriptions, s, &sandbox->cri->subscriptions) {
                if (!s->queue || s->ended)
                        continue;
                if (!arena && (!(arena = arena_new()) || pack_event(arena, sandbox, event, type, &packed) < 0))
                        return;
                enqueue(s->queue, &packed);
        }
}

static void tell(struct cri_sandbox *sandbox, struct cri_event *event) {
        struct cri *cri = sandbox->cri;

        event->time = cri_now();
        event->sandbox_id = sandbox->id;
        cri_sandbox_ref(sandbox);
        cri->telling++;
        if (event->type == CRI_EVENT_SANDBOX_READY)
                tell_queues(sandbox, event, CRI__CONTAINER_EVENT_TYPE__CONTAINER_CREATED_EVENT);
        if (cri_types[event->type] >= 0)
                tell_queues(sandbox, event, (Cri__ContainerEventType)cri_types[event->type]);
        LIST_EACH (cri_subscriptions, s, &cri->subscriptions)
                if (s->called && !s->ended)
                        s->called(s->data, event);
        cri->telling--;
        sweep(cri);
        cri_sandbox_unref(sandbox);
}

void emit_sandbox(struct cri_sandbox *sandbox, enum cri_event_type type) {
        struct cri_event event = { .type = type };

        tell(sandbox, &event);
}

void emit_container(struct cri_container *container, enum cri_event_type type) {
        struct cri_event event = { .type = type };

        cri_container_ref(container);
        event.container_id = container->id;
        event.container_name = container->config->metadata->name;
        tell(container->sandbox, &event);
        cri_container_unref(container);
}

void emit_oom(struct cri_container *container, const struct cgroup_oom_state *state) {
        struct cri_event event = { .type = CRI_EVENT_OOM };

        cri_container_ref(container);
        event.container_id = container->id;
        event.container_name = container->config->metadata->name;
        event.oom_usage = state->peak;
        event.oom_limit = state->limit;
        event.oom_kills = state->kills;
        tell(container->sandbox, &event);
        cri_container_unref(container);
}
