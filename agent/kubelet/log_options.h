/* What a client wants of a container's log: a v1.PodLogOptions in the query, as kubelet reads and checks it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "logs/reader.h"

struct arena;

struct kubelet_log_options {
        struct logs_options logs;
        bool previous;
};

/* Reads @query at @now (ns since 1970). 0; -EBADMSG: it is none (kubelet's 400); -EINVAL: its values do not go (422);
 * -ENOMEM. */
int kubelet_log_options_read(struct arena *arena, const char *query, int64_t now,
                             struct kubelet_log_options *ret_options);
