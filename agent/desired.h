/* What the files of the watched directory want: one pod a file, in the order in which the files came, so that a copy of
 * a manifest never takes over the pod that the first file runs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct pod;

struct desired {
        char *file; /* its name in the directory */
        struct pod *pod;
        bool duplicate; /* a file before it wants a pod of the same name and namespace: this one has no effect */
        bool duplicate_said, refused_said;
};

struct desired_pods {
        struct desired *items;
        size_t n;
};

/* Takes @pod; in place of what @file wanted before, if anything. Without memory for it, the pod is dropped and said so.
 */
void desired_set(struct desired_pods *pods, const char *file, struct pod *pod);
void desired_drop(struct desired_pods *pods, const char *file);
void desired_clear(struct desired_pods *pods);

/* Both valid until the next change; NULL: none. */
struct desired *desired_find(struct desired_pods *pods, const char *file);
const struct desired *desired_first(const struct desired_pods *pods, const struct pod *same_name);

/* Whether a file that is no duplicate wants the pod of this uid. */
bool desired_has(const struct desired_pods *pods, const char *uid);

bool pod_same_name(const struct pod *a, const struct pod *b);
