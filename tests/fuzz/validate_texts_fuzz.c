/* Small languages that are read where objects are validated: a schedule, a time zone, a job's indexes, a webhook's URL,
 * any bytes. What is wrong has words; what is right stays right; memory is in proportion. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/problem.h"
#include "kube/validate/admission.h"
#include "kube/validate/job.h"
#include "kube/validate/schedule.h"
#include "lib/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COMPLETIONS 1000
#define MEMORY_BASE ((size_t)64 * 1024)
#define MEMORY_FACTOR 64

static void try_indexes(struct validation *v, const char *text) {
        int64_t total;
        const char *problem = validate_indexes(v, text, COMPLETIONS, &total);

        if (problem ? !*problem || total != 0 : total < 0 || total > COMPLETIONS)
                abort();
        /* Two sets that are the same have all in common. */
        if (!problem && *text && !validate_indexes_apart(v, text, text, COMPLETIONS))
                abort();
        validate_indexes_apart(v, text, "3-7,9", COMPLETIONS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct arena *arena = arena_new();
        char *text = strndup((const char *)data, size);
        struct problems problems;
        struct validation v = { .problems = &problems, .arena = arena };
        const char *problem;

        problems_init(&problems, arena, NULL, NULL);
        problem = schedule_problem(arena, text);
        if (problem && !*problem)
                abort();
        problem = schedule_zone_problem(arena, text);
        if (problem && !*problem)
                abort();
        try_indexes(&v, text);
        validate_webhook_url(&v, FIELD(NULL, "url"), text);
        if (arena_size(arena) > MEMORY_BASE + MEMORY_FACTOR * size)
                abort();
        arena_free(arena);
        free(text);
        return 0;
}
