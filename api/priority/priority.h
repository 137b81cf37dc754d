/* Priority and fairness, as far as there are no queues yet (KEP-1040): which FlowSchema and which priority level a
 * request is of, which its answer says; the default objects of both kinds, kept as they are to be; and what
 * FlowSchemas' status says of their level.
 */
#pragma once

#include "api/server/pipeline.h"

struct api_request;
struct api_state;
struct err;
struct metrics_writer;
struct priority;

/* Makes the default objects that are missing, and follows all. Blocks; before anything is served. */
int priority_new(struct api_state *state, struct priority **ret_priority, struct err **err);

/* Once the state takes no changes any more. NULL is fine. */
void priority_free(struct priority *priority);

/* Families of metrics, by kube-apiserver's names: how many requests were of which schema, and what each level's share
 * of @seats, all requests at a time, is; which nobody is held to yet. */
void priority_write(struct priority *priority, struct metrics_writer *w, unsigned seats);

/* A stage, behind authentication: has the request's flow in r->flow_uid and r->level_uid. */
enum api_step priority_classify(struct api_request *r);
