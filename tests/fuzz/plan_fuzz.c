/* A plan's reader: whatever the bytes are, the walk stays inside of them and its strings end. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct plan_step *step = NULL;
        char *copy = aligned_alloc(8, (size + 15) & ~(size_t)7);
        size_t n = 0;

        if (!copy)
                return 0;
        memcpy(copy, data, size);
        if (plan_valid(copy, size, 4))
                while ((step = plan_next(copy, size, step)))
                        for (unsigned i = 0; i < PLAN_STRINGS_MAX; i++)
                                if (step->data_size == 0 || step->data[step->data_size - 1] == '\0')
                                        n += strlen(plan_string(step, i));
        free(copy);
        return n > size * PLAN_STRINGS_MAX;
}
