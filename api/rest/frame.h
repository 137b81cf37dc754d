/* Watch events in Kubernetes' protobuf form: a length, and a message of type and object. */
#pragma once

#include <stddef.h>

#include "kube/stream/watch.h"

struct bytes;
struct kube_type;

/* An event of @json, an object of @type; NULL without memory, and for a type that has no such form. */
struct bytes *api_frame_protobuf(const struct kube_type *type, enum kube_watch_type event, const char *json,
                                 size_t length);

/* meta/v1 Status. */
const struct kube_type *api_status_type(void);
