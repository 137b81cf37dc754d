/* What the files of the frame share. */
#pragma once

#include <uv.h>

#include "api/controllers/controller.h"
#include "lib/list.h"
#include "lib/metrics.h"

struct watch_handler {
        struct informer_handler base;
        struct controller *controller;
        unsigned watch;
};

LIST_TYPE(controller_tasks);

#define CONTROLLER_KNOWN_MAX 32 /* kinds */

struct controller {
        struct controllers *all;
        const struct controller_kind *kind;
        struct client *client;
        struct work_queue *queue;
        struct recorder *recorder;
        struct informer *informers[CONTROLLER_WATCHES_MAX];
        struct known *known[CONTROLLER_WATCHES_MAX]; /* of those that want it; else NULL */
        struct watch_handler handlers[CONTROLLER_WATCHES_MAX];
        struct controller_tasks tasks;      /* that are under way, */
        unsigned n_tasks;                   /* so many */
        struct metrics_histogram durations; /* s, of those that have ended; counted by the loop, read from anywhere */
        void *data;
};

struct controllers {
        struct controllers_config config;
        struct informers *informers;
        struct controller *each; /* those that are wanted */
        unsigned n;
        const struct kube_kind *kinds[CONTROLLER_KINDS_MAX]; /* controller_all_kinds() */
        unsigned n_kinds;
        struct known *known[CONTROLLER_KNOWN_MAX]; /* one for all that look at the kind */
        unsigned n_known;
        uv_timer_t *timer; /* when the next key is due */
        bool turning, stopped;
};

/* The controllers there are, by name. */
extern const struct controller_kind *const controller_kinds[];
extern const unsigned controller_kinds_count;

/* Works on @item, which the queue has handed out. */
void controller_work(struct controller *controller, struct work_item *item);
void controller_end_tasks(struct controller *controller);

extern const struct metrics_buckets controller_duration_buckets;

/* Has controllers_turn() called from the loop. */
void controllers_wake(struct controllers *controllers);

/* Whether @which ("*,-b,c") wants @kind. */
bool controllers_want(const char *which, const struct controller_kind *kind);
