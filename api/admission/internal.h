/* What the room's files share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/server/pipeline.h"

struct account_waits;
struct admission;
struct admission_counts;
struct admission_quota;

struct api_admission {
        uint64_t on; /* which plugins are, by their place in the table */
        unsigned not_ready_s, unreachable_s;
        struct admission_quota *quota;
        struct account_waits *waits;
        struct admission_counts *counts;
};

struct admission_counts *admission_counts_new(void); /* NULL without memory */
void admission_counts_free(struct admission_counts *counts);

/* The monotonic clock, in ns. */
uint64_t admission_clock(void);

/* That a plugin, by its place in the table (NULL: the step with all of them), has taken until now, and what came of it.
 */
void admission_count(const struct admission *a, const size_t *plugin, bool mutates, enum api_step step, uint64_t since);
