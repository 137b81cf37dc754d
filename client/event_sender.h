/* Events on their way to the service, for client/recorder.c: as client-go's recordToSink() sends them. */
#pragma once

#include <stddef.h>

#include <uv.h>

#include "lib/list.h"

struct client;
struct client_call;
struct event_sender;
struct kube_kind;

#define EVENT_SENDER_WAITING_MAX 256 /* that wait for a service; with one more the oldest is dropped */
#define EVENT_SENDER_TRIES 12
#define EVENT_SENDER_RETRY_MS 10000

/* One event as it is now. All texts are its own, from malloc(). */
struct event_telling {
        char *namespace, *name;
        char *event, *patch; /* the whole, and what makes it of the one that is there (NULL: there is none) */
        size_t event_length, patch_length;

        struct event_sender *sender;
        struct client_call *call; /* NULL: it waits, until @due */
        unsigned tries;
        uint64_t due; /* ms of the loop */
        struct list_node in_sender;
};

LIST_DEFINE(event_tellings, struct event_telling, in_sender)

/* Zeroed but for the first four; what they point to outlives it. */
struct event_sender {
        struct client *client;
        const struct kube_kind *kind;
        const char *component; /* for the log */
        unsigned retry_ms;     /* 0: EVENT_SENDER_RETRY_MS */
        struct event_tellings under_way, waiting;
        unsigned n_waiting;
        uv_timer_t *timer; /* NULL: nothing has waited yet */
};

/* @namespace is copied, the rest is the caller's to fill in. NULL without memory. */
struct event_telling *event_telling_new(const char *namespace);
void event_telling_free(struct event_telling *telling); /* NULL is fine */

/* Takes @telling. What waits of the same event is not sent any more. */
void event_sender_send(struct event_sender *sender, struct event_telling *telling);

/* Nothing more is sent or heard. */
void event_sender_done(struct event_sender *sender);
