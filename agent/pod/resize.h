/* Between the files that resize a pod. Included by them only. */
#pragma once

#include "agent/pod/internal.h"

/* A limit of 0 is none: as much as can be. */
static inline bool resize_grows(int64_t from, int64_t to) {
        return from && to > from;
}

static inline bool resize_shrinks(int64_t from, int64_t to) {
        return to && (!from || to < from);
}

/* What the pod's cgroup is to have; a limit that is not asked for any more stays, as kubelet leaves it. */
struct pod_files_size resize_wanted_size(const struct worker *w);

/* A container's size with what it is to have of memory, or of CPU. */
struct resize_change {
        struct member *member;
        struct pod_container_size size;
        bool shrinks;
};
bool resize_find_change(struct member *m, bool memory, struct resize_change *ret_change); /* false: none of it */

/* An operation of the phase under way, and its end. NULL without memory. */
struct op *resize_op(struct worker *w, const char *step);
void resize_phase_ended(struct worker *w, const struct err *err);

/* resize_check.c, a phase: 1: it is under way; 0: there is nothing to do; or an error. */
int resize_check_memory(struct worker *w, struct err **err);

/* The condition begins, and the event of it: reason, "Pod resize WHAT". */
void resize_begin_progress(struct worker *w);
struct resize_words {
        bool warning;
        const char *reason, *what; /* literals */
};
void resize_say(struct worker *w, const struct resize_words *words, const struct pod *pod,
                const struct pod_resize *resize);
