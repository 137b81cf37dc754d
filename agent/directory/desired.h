/* What the files of the watched directory want: one pod a file. Of several files that want one pod (the same name or
 * the same uid) one has it: the file whose pod runs, also from before a restart, else the one that came first. It keeps
 * the pod for as long as it is there, so that a copy of a manifest, however it is called, never takes over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/table.h"

struct pod;

/* Why a file has a pod rather than another one: the highest counts. */
enum desired_claim {
        CLAIM_NONE,
        CLAIM_FILE, /* a pod of this name, from before the agent's start, came from this file */
        CLAIM_POD,  /* this very pod is there from before */
        CLAIM_HELD, /* the file has had it since */
};

struct desired {
        char *file; /* its name in the directory */
        struct pod *pod;
        enum desired_claim claim;
        bool remote;                  /* the API service wants it: @file is no file, and has a slash */
        bool displaces;               /* others end, perhaps for it; it starts when they hold nothing any more */
        bool gone;                    /* the file is away, but may come back in a moment: editors do so */
        bool duplicate;               /* another file has the pod: this one has no effect */
        const struct desired *holder; /* of a duplicate; valid until the next change */
        bool duplicate_said, refused_said;

        char *key; /* NAMESPACE/NAME */
        struct table_node by_key, by_uid;
};

struct desired_pods {
        struct desired *items;
        size_t n;
};

/* Takes @pod; in place of what @file wanted before, if anything. Without memory for it, the pod is dropped and said so.
 */
void desired_set(struct desired_pods *pods, const char *file, struct pod *pod, enum desired_claim claim);

/* The file is gone. True when other files want its pod: they have to wait for desired_bury(). */
bool desired_drop(struct desired_pods *pods, const char *file);

/* Forgets the files that are gone and have not come back. */
void desired_bury(struct desired_pods *pods);

/* Decides who has which pod; to be called after changes. */
void desired_resolve(struct desired_pods *pods);

void desired_clear(struct desired_pods *pods);

/* Valid until the next change; NULL: the file is not there. */
struct desired *desired_find(struct desired_pods *pods, const char *file);

/* Whether a file that is there, and no duplicate, wants the pod of this uid. */
bool desired_has(const struct desired_pods *pods, const char *uid);

bool desired_same_name(const struct pod *a, const struct pod *b);
