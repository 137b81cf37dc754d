/* One look at the watched directory, on the pool: all of it, or the files that changed. source.c asks for looks, one at
 * a time, and tells what was found. */
#pragma once

#include <stdint.h>

#include "agent/directory/source.h"

/* What is found of one file. */
struct finding {
        char *name;
        uint64_t old_hash, hash; /* of its bytes, when they were last told of and now */
        bool old_known;          /* old_hash says something */
        bool closed;             /* a writer has closed it since */
        bool there, changed;
        bool again; /* it could not be looked at for want of something else: nothing is known of it */
        struct pod *pod;
        struct err *err;
};

struct look {
        struct pool_job job;   /* first; done is the asker's */
        struct source *source; /* the asker; NULL: it is gone */
        char *dir;
        struct source_events events;
        bool all; /* the directory is listed; files that it has beyond the findings are added to them, by name */
        bool too_many;
        int failed; /* errno for which the directory could not be looked at; nothing in it is gone for that */
        int error;  /* of opening the directory; 0: none */
        struct finding *findings;
        size_t n_findings, size;
};

/* A look at @dir, to be given to the pool. NULL without memory. */
struct look *look_new(const char *dir, const struct source_events *events, bool all);

/* A file that is to be looked at: the last of the findings, for the caller to say what is known of it. 0 or -ENOMEM. */
int look_add(struct look *look, const char *name);

/* With the pods that nobody took. NULL is fine. */
void look_free(struct look *look);
