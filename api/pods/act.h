/* What the files of this room share. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;
struct value;
struct value_edit;

/* Each is r->act: called again when what it began from has changed. */
enum api_step act_bind(struct api_request *r);
enum api_step act_evict(struct api_request *r);

/* The pod that is meant from here on. Sets r->kind, sub, resource; 0, -ENOENT, -ENOMEM. */
int act_take(struct api_request *r);

/* r->decided of a change of the pod: its answer; one that others were in the way of begins anew at stage @stage. */
enum api_step act_decided(struct api_request *r, const char *stage);

/* Ends the edit: r->next, as its type writes it, in the place of r->current. 0 or a negative errno. */
int act_settle(struct api_request *r, struct value_edit *edit);

/* Sets condition @type of @object, with what else is in @condition; its time is kept where its status is the same. */
struct act_condition {
        const char *type, *status, *reason, *message; /* reason NULL: none, nor a message */
        int64_t generation;                           /* observedGeneration; 0: none */
};
int act_set_condition(struct api_request *r, struct value_edit *edit, const struct value *object,
                      const struct act_condition *condition);
