#include "runtime/plan/plan.h"

#include <string.h>

const struct plan_step *plan_next(const char *data, size_t size, const struct plan_step *step) {
        size_t at = step ? (size_t)((const char *)step - data) + step->size : 0;

        if (at + sizeof(*step) > size)
                return NULL;
        step = (const struct plan_step *)(data + at);
        if (step->size < sizeof(*step) || step->size % 8 != 0 || step->size > size - at ||
            step->data_size > step->size - sizeof(*step) || step->kind >= PLAN_KINDS)
                return NULL;
        return step;
}

/* Kinds whose data are numbers or filters; all others hold strings, and must end with a NUL. */
static bool is_binary(unsigned kind) {
        return kind == PLAN_IDENTITY || kind == PLAN_CAPABILITIES || kind == PLAN_SECCOMP;
}

static bool index_valid(int64_t fd, size_t n_fds) {
        return fd >= -1 && fd < (int64_t)n_fds;
}

bool plan_valid(const char *data, size_t size, size_t n_fds) {
        const struct plan_step *step = NULL;
        size_t seen = 0;

        while ((step = plan_next(data, size, step))) {
                if (!index_valid(step->fd, n_fds))
                        return false;
                if (step->kind == PLAN_STDIO &&
                    (!index_valid((int64_t)step->a, n_fds) || !index_valid((int64_t)step->b, n_fds)))
                        return false;
                if (!is_binary(step->kind) && step->data_size > 0 && step->data[step->data_size - 1] != '\0')
                        return false;
                seen += step->size;
        }
        return seen == size;
}

const char *plan_string(const struct plan_step *step, unsigned n) {
        const char *p = step->data, *end = step->data + step->data_size;

        for (; n > 0 && p < end; n--)
                p += strlen(p) + 1;
        return p < end ? p : "";
}
