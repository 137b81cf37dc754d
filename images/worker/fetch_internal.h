/* The layers of one image on their way: brought by threads (fetch.c), then settled one by one (fetch_settle.c). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "images/files.h"
#include "images/worker/fetch.h"
#include "images/worker/layer.h"

enum fetch_state {
        FETCH_OPEN,
        FETCH_READY,     /* in layers/ */
        FETCH_UNSETTLED, /* unpacked in ingest/, needs those below */
};

struct fetch_layer {
        const struct descriptor *blob;
        const char *diff_id;
        enum fetch_state state;
        char name[LAYER_NAME_MAX];          /* in layers/, or of its directory in ingest/ */
        char directory[FILE_TEMPORARY_MAX]; /* in ingest/, while it is unpacked; each try has another */
        struct layer_result result;
        bool is_changed; /* by those below, so that it fits this image only */
};

struct fetch_job {
        struct fetch *fetch;
        struct fetch_layer *layers;
        size_t n, n_distinct;
        size_t *distinct; /* indexes of layers, each diff id once */
        atomic_size_t next;
        pthread_mutex_t lock; /* guards error */
        struct err *error;    /* of the first layer that failed */
        atomic_bool failed;
};

/* Moves ingest/@from to layers/@to, unless another worker was first. */
int fetch_place(const struct image_layout *layout, const char *from, const char *to, struct err **err);

/* Gives the layers that are FETCH_UNSETTLED what they need of those below, from the lowest up, and places them. An
 * error names the layer. */
int fetch_settle(struct fetch_job *job, struct err **err);
