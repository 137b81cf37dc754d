/* What is decided together, for quota.c, which has who waits, and quota_batch.c, which decides. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/admission/quota_check.h"
#include "api/state/state.h"
#include "lib/list.h"
#include "lib/table.h"

struct admission_quota;
struct object;
struct api_request;
struct quota_room;

enum quota_charge_state {
        QUOTA_WAITS,
        QUOTA_LEADS,   /* it is to have the batch decided, on its loop */
        QUOTA_DECIDED, /* @code and @text are set */
        QUOTA_SETTLED, /* and the request has heard of it */
};

/* A request's; in its arena. */
struct admission_charge {
        struct api_request *r;
        struct quota_room *room;
        struct quota_change change;
        enum quota_charge_state state;
        bool dry, refused; /* refused: as the request is told */
        int code;          /* of the write of a quota */
        struct list_node in_room;
};
LIST_DEFINE(quota_charges, struct admission_charge, in_room)

struct quota_write {
        struct api_change change;
        struct quota_room *room;
        const char *name;
        int code;
};

struct quota_batch {
        struct quota_charges charges; /* that may still be granted */
        struct arena *arena;
        struct quota_state *states;
        struct object **objects; /* that the states were read from; a reference each */
        size_t n_states;
        struct quota_write *writes;
        size_t n_writes;
        const char **stale; /* quotas that others have written meanwhile: the only ones in the next try; NULL: all */
        size_t n_stale;
        atomic_uint pending;
        unsigned tries;
        int code;
};

/* A namespace in which something is decided, or is being made that was charged for. */
struct quota_room {
        struct table_node node;
        struct admission_quota *quota;
        bool busy;
        unsigned charges;             /* of requests whose change may still be made */
        struct quota_charges waiting; /* for the next batch */
        struct quota_batch batch;
        char namespace[];
};

/* Decides the room's batch and submits the writes; charge_batch_done() follows, from here or from the store's writer,
 * with the outcome in batch->code. Charges that are refused are told at once. */
void charge_batch_decide(struct quota_room *room, struct api_state *state);
void charge_batch_clear(struct quota_batch *batch);

/* quota.c's: the batch's writes are made, or were not. */
void charge_batch_done(struct quota_room *room);

/* Has @charge, which is in no list any more, go on with @state on its loop. False: its loop is gone, and so is it. */
bool charge_tell(struct admission_charge *charge, enum quota_charge_state state);
