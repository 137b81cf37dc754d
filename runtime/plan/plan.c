#include "runtime/plan/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/grow.h"

int plan_take_fd(struct plan *plan, int fd) {
        if (fd < 0)
                return -1;
        if (GROW(plan->fds, plan->allocated_fds, plan->n_fds + 1, PLAN_FDS_MAX) < 0) {
                close_fd(fd);
                plan->failed = true;
                return -1;
        }
        plan->fds[plan->n_fds] = fd;
        return (int)plan->n_fds++;
}

int plan_dup_fd(struct plan *plan, int fd) {
        int copy;

        if (fd < 0)
                return -1;
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0) {
                plan->failed = true;
                plan->code = errno;
        }
        return plan_take_fd(plan, copy);
}

static bool grow(struct plan *plan, size_t more) {
        return !plan->failed && more <= PLAN_SIZE_MAX &&
               GROW(plan->data, plan->allocated, plan->size + more, PLAN_SIZE_MAX) == 0;
}

struct plan_step *plan_add(struct plan *plan, enum plan_step_kind kind, int fd, const void *data, size_t size) {
        static _Thread_local struct plan_step spare;
        size_t all = (sizeof(struct plan_step) + size + 7) & ~(size_t)7;
        struct plan_step *step;

        if (!grow(plan, all)) {
                plan->failed = true;
                return &spare;
        }
        step = (struct plan_step *)(plan->data + plan->size);
        memset(step, 0, all);
        *step = (struct plan_step){
                .size = (uint32_t)all, .kind = (uint16_t)kind, .fd = fd, .data_size = (uint32_t)size
        };
        if (size > 0 && data)
                memcpy(step->data, data, size);
        plan->size += all;
        return step;
}

struct plan_step *plan_add_strings(struct plan *plan, enum plan_step_kind kind, int fd, const char *const *strings,
                                   size_t n) {
        struct plan_step *step;
        size_t size = 0;
        char *p;

        for (size_t i = 0; i < n; i++)
                size += strlen(strings[i] ? strings[i] : "") + 1;
        step = plan_add(plan, kind, fd, NULL, size);
        if (plan->failed)
                return step;
        p = step->data;
        for (size_t i = 0; i < n; i++)
                p = stpcpy(p, strings[i] ? strings[i] : "") + 1;
        return step;
}

struct plan_step *plan_add_string(struct plan *plan, enum plan_step_kind kind, const char *string) {
        return plan_add_strings(plan, kind, -1, &string, 1);
}

int plan_check(const struct plan *plan) {
        if (!plan->failed)
                return 0;
        if (plan->code)
                return -plan->code;
        return plan->n_fds >= PLAN_FDS_MAX || plan->size > PLAN_SIZE_MAX / 2 ? -E2BIG : -ENOMEM;
}

void plan_clear(struct plan *plan) {
        for (size_t i = 0; i < plan->n_fds; i++)
                close_fd(plan->fds[i]);
        free(plan->fds);
        free(plan->data);
        *plan = (struct plan){ 0 };
}
