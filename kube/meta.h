/* metadata: meta/v1 ObjectMeta. See kube/pod.h for who owns it. */
#pragma once

#include "kube/meta_v1.h"
#include "kube/types.h"

struct object_meta {
        const char *name, *generate_name, *namespace, *uid, *resource_version, *self_link;
        int64_t generation;
        const char *creation_timestamp, *deletion_timestamp; /* RFC 3339 */
        struct opt_int deletion_grace_period;                /* seconds */
        string_map labels, annotations;
        string_list finalizers;
        LIST_OF(struct kube_owner_reference) owner_references;
        LIST_OF(struct kube_managed_fields_entry) managed_fields;
};
