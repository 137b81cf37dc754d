/* What is asked for: a request as authorizers see it (kube-apiserver's authorizer.Attributes), and the words of its
 * refusal. Texts are the request's; what does not apply is "", never NULL.
 */
#pragma once

#include <stdbool.h>

#include "kube/meta_v1.h"
#include "kube/types.h"

struct arena;
struct auth_user;

struct auth_attributes {
        const struct auth_user *user;
        const char
                *verb; /* get list watch create update patch delete deletecollection; of paths the method, lower-case */
        bool is_resource; /* false: @path counts, and none of what follows it */
        const char *path; /* of all requests: as sent, without its query */
        const char *namespace, *group, *version, *resource, *subresource, *name;
        LIST_OF(struct kube_field_selector_requirement) fields; /* of list, watch and deletecollection: the selectors */
        LIST_OF(struct kube_label_selector_requirement) labels;
};

/* An attribute set with all texts "". */
#define AUTH_ATTRIBUTES(user_)                                                                                         \
        {                                                                                                              \
                .user = (user_), .verb = "", .path = "", .namespace = "", .group = "", .version = "", .resource = "",  \
                .subresource = "", .name = ""                                                                          \
        }

#define AUTH_FIELDS_MAX 64 /* requirements of a selector that count */

/* Has @text, a request's fieldSelector, in attributes->fields, texts in @arena. Nothing is changed where it is none
 * (-EINVAL; -E2BIG): who may only see what is selected may then see nothing. -ENOMEM. */
int auth_attributes_select(struct arena *arena, const char *text, struct auth_attributes *attributes);

/* The one value that @field is selected to have; NULL: any. */
const char *auth_attributes_exact(const struct auth_attributes *attributes, const char *field);

/* The message of the 403: `pods "web" is forbidden: User "jane" cannot get resource "pods" in API group "" in the
 * namespace "default"`, or `forbidden: User "jane" cannot get path "/metrics"`, with ": " and @reason behind where
 * there is one. NULL without memory. */
char *auth_forbidden(struct arena *arena, const struct auth_attributes *attributes, const char *reason);
