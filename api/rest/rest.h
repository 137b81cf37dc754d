/* The verbs: stages of the pipeline (api/server/pipeline.h), in the order in which a request meets them.
 *
 *     reads            api_read
 *     changes          api_decode_body → api_take_turn → api_modify → api_default → api_mutate → api_prepare
 *                      → api_validate → api_admit → api_commit → api_answer
 *     deletions        api_decode_body → api_take_turn → api_remove → api_commit → api_answer
 *     of collections   api_decode_body → api_clear → api_remove → api_commit → api_answer → api_clear, object by object
 */
#pragma once

#include "api/server/pipeline.h"

struct api_loop;
struct api_request;

/* Which kind is asked for, and whether it knows the verb: sets kind, sub, type, resource, name. */
enum api_step api_route(struct api_request *r);

enum api_step api_read_options(struct api_request *r);

/* get and list; watches are taken over. */
enum api_step api_read(struct api_request *r);
enum api_step api_watch(struct api_request *r);

/* The body's tree, of the kind that belongs there; what is odd in it is refused or told of (fieldValidation). */
enum api_step api_decode_body(struct api_request *r);

/* Waits for those who change the same object. */
enum api_step api_take_turn(struct api_request *r);

/* What is there, and what it is to be: r->next, in the request's version. */
enum api_step api_modify(struct api_request *r);

/* r->next as its type has it, in the version that is kept; its generation. */
enum api_step api_default(struct api_request *r);

/* What a new object has from the beginning, once admission has been at it; and what a change cannot change. */
enum api_step api_prepare(struct api_request *r);

/* Of the next object's owners that are named twice one goes, with a warning. 0 or -ENOMEM. */
int api_merge_owners(struct api_request *r);

/* r->next, of the version that is kept, in the order in which its type writes it. 0 or a negative errno. */
int api_order(struct api_request *r);

/* The generation that r->next is, beside what is there. 0 or a negative errno. */
int api_count_generation(struct api_request *r);

enum api_step api_validate(struct api_request *r);

/* Whether the object goes at once, or is marked to go. */
enum api_step api_remove(struct api_request *r);

/* Of Jobs what they have made stays where nobody says what becomes of it: that is told. */
void api_warn_of_orphans(struct api_request *r);

enum api_step api_commit(struct api_request *r);

/* What became of the change; others' changes that came first have it tried again. */
enum api_step api_answer(struct api_request *r);

/* The next object of a collection that is to go; when none is left, the answer. */
enum api_step api_clear(struct api_request *r);

/* One has gone, or was marked to: on to the next. */
enum api_step api_cleared(struct api_request *r);

/* For api_server_config.hooks: a loop's watches. */
int api_watches_start(struct api_loop *loop);
void api_watches_run(struct api_loop *loop);
void api_watches_stop(struct api_loop *loop);
void api_watches_leave(struct api_loop *loop); /* they get their end */
