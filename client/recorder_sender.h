/* Events on their way to the service, for client/recorder.c: as client-go's recordToSink() sends them. */
#pragma once

#include <stddef.h>

#include <uv.h>

#include "lib/list.h"

struct client;
struct client_call;
struct recorder_sender;
struct kube_kind;

#define RECORDER_WAITING_MAX 256 /* that wait for a service; with one more the oldest is dropped */
#define RECORDER_TRIES 12
#define RECORDER_RETRY_MS 10000

/* One event as it is now. All texts are its own, from malloc(). */
struct recorder_telling {
        char *namespace, *name;
        char *event, *patch; /* the whole, and what makes it of the one that is there (NULL: there is none) */
        size_t event_length, patch_length;

        struct recorder_sender *sender;
        struct client_call *call; /* NULL: it waits, until @due */
        unsigned tries;
        uint64_t number; /* of the sender's: the higher, the newer */
        uint64_t due;    /* ms of the loop */
        struct list_node in_sender;
};

LIST_DEFINE(recorder_tellings, struct recorder_telling, in_sender)

/* Zeroed but for the first four; what they point to outlives it. */
struct recorder_sender {
        struct client *client;
        const struct kube_kind *kind;
        const char *component; /* for the log */
        unsigned retry_ms;     /* 0: RECORDER_RETRY_MS */
        struct recorder_tellings under_way, waiting;
        unsigned n_waiting;
        uint64_t number;   /* of the last one */
        uv_timer_t *timer; /* NULL: nothing has waited yet */
};

/* @namespace is copied, the rest is the caller's to fill in. NULL without memory. */
struct recorder_telling *recorder_telling_new(const char *namespace);
void recorder_telling_free(struct recorder_telling *telling); /* NULL is fine */

/* Takes @telling. What waits of the same event is not sent any more; what is under way of it waits no more behind this
 * one when it is not taken. */
void recorder_sender_send(struct recorder_sender *sender, struct recorder_telling *telling);

/* Nothing more is sent or heard. */
void recorder_sender_done(struct recorder_sender *sender);
