/* Small languages that are read where objects are validated: a schedule, a time zone, a job's indexes, a webhook's URL,
 * what names devices, pools and their addresses, any bytes. What is wrong has words; what is right stays right; memory
 * is in proportion. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/problem.h"
#include "kube/validate/admission.h"
#include "kube/validate/device.h"
#include "kube/validate/job.h"
#include "kube/validate/schedule.h"
#include "lib/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COMPLETIONS 1000
#define MEMORY_BASE ((size_t)192 * 1024) /* PROBLEMS_MAX errors, whose words are long */
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

/* A device with the text as its attribute's version, of that name as well. */
static void try_device(struct validation *v, char *text) {
        struct kube_resource_v1_device_attribute_entry attribute = { text, { .version = text } };
        const struct kube_resource_v1_device device = { .attributes = { &attribute, 1 } };
        const struct validate_set none = { 0 };

        validate_device_attributes(v, FIELD(NULL, "attributes"), &device);
        validate_device_fully_qualified(v, FIELD(NULL, "attribute"), text);
        validate_device_request_ref(v, FIELD(NULL, "request"), text, &none);
        validate_device_uid(v, FIELD(NULL, "uid"), text);
        validate_pool_name(v, FIELD(NULL, "pool"), text);
        validate_interface_address(v, FIELD(NULL, "ip"), text);
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
        try_device(&v, text);
        if (arena_size(arena) > MEMORY_BASE + MEMORY_FACTOR * size)
                abort();
        arena_free(arena);
        free(text);
        return 0;
}
