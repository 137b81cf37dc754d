/* The steps that `create`, `run` and `restore` share: a container's directory, cgroup, record, and its end. */
#pragma once

#include "cgroups/cgroup.h"
#include "runtime/oci/ahead.h"
#include "runtime/oci/oci.h"
#include "runtime/plan/userns.h"

struct creation_options {
        const char *bundle, *id;
        struct oci_io io;
        bool keep, no_new_keyring;
};

struct creation {
        struct oci *oci;
        struct creation_options *options;
        struct oci_config config;
        struct cgroup_join join;
        struct userns userns;
        struct ahead ahead;
        int dir, late_fd; /* cgroup.procs of a cgroup that is joined last */
        bool cgroup_made;
        bool runs;     /* `run`, `restore`: the process need not wait for a `start` in another process */
        bool restores; /* criu makes the processes and their namespaces */
};
#define CREATION(call, o)                                                                                              \
        {                                                                                                              \
                .oci = (call)->oci, .options = (o), .join = CGROUP_JOIN_NONE, .userns = USERNS_NONE, .dir = -EBADF,    \
                .late_fd = -EBADF, .ahead = AHEAD_NONE                                                                 \
        }

/* Sets the absolute bundle and the id, which is one argument. */
int oci_creation_target(struct oci_call *call, const char *bundle, struct creation_options *options, struct err **err);

/* Reads and checks the configuration, makes ROOT/ID and the cgroup with its limits. */
int oci_creation_begin(struct creation *c, struct err **err);
/* Puts the device filter on the cgroup. */
int oci_creation_filter_devices(struct creation *c, struct err **err);
/* prestart and createRuntime. */
int oci_creation_run_hooks(struct creation *c, pid_t pid, struct err **err);
/* Writes the state and the pid file. */
int oci_creation_record(struct creation *c, pid_t pid, struct err **err);
/* After a failure: removes what oci_creation_begin() made. */
void oci_creation_undo(struct creation *c);
/* In the foreground: waits, removes the container unless it is kept, returns its exit code. Takes @master. */
int oci_creation_wait(struct creation *c, pid_t pid, int master, struct err **err);
void oci_creation_done(struct creation *c);
