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

/* The message of the 403: `pods "web" is forbidden: User "jane" cannot get resource "pods" in API group "" in the
 * namespace "default"`, or `forbidden: User "jane" cannot get path "/metrics"`, with ": " and @reason behind where
 * there is one. NULL without memory. */
char *auth_forbidden(struct arena *arena, const struct auth_attributes *attributes, const char *reason);
