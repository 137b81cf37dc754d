/* Admission: what a change must get past before it is validated. */
#pragma once

#include "api/server/pipeline.h"

struct api_request;
struct value;

/* Creations and updates, r->next; and what is to go, or to be marked, r->current_tree. */
enum api_step api_admit(struct api_request *r);
enum api_step api_admit_removal(struct api_request *r);

/* NodeRestriction: a node writes what is its own. @object as it is to be, @old as it is; NULL where there is none. */
enum api_step api_admit_node(struct api_request *r, const struct value *object, const struct value *old);

/* Nobody gives what they do not have: roles and bindings (api/rbac/escalation.h). */
enum api_step api_admit_grant(struct api_request *r);
