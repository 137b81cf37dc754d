/* Feeds what is derived from objects (roles by subject, what nodes need) with them: those that are there, then each
 * change, on the thread that makes it. */
#pragma once

#include <stddef.h>

struct api_follow;
struct api_state;
struct err;
struct rbac;
struct rbac_nodes;

/* NULL with *err. Before anything is served. */
struct api_follow *api_follow_new(struct api_state *state, struct rbac *rbac, struct rbac_nodes *nodes,
                                  struct err **err);
void api_follow_free(struct api_follow *follow); /* NULL is fine */
