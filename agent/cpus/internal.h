/* What the files of this room share. Nobody else includes it. */
#pragma once

#include "agent/cpus/cpus.h"
#include "agent/cpus/take.h"
#include "lib/list.h"

struct keeper;

/* Numbers of nodes, sockets, caches or cores. */
struct places {
        int ids[CPUS_MAX];
        size_t n;
};

/* CPUs being taken. */
struct taking {
        const struct cpus_topology *topology;
        struct cpus_set free, taken;
        int needed;
        struct places lists[_CPUS_LEVELS]; /* of each level, as listed last */
};

/* What of @level has free CPUs, in the order in which it is taken; valid until the next list of that level or of one
 * above it. */
const struct places *taking_list(struct taking *taking, enum cpus_level level);
int taking_count(const struct taking *taking, const struct cpus_set *from, enum cpus_level level, int id);
void taking_take(struct taking *taking, const struct cpus_set *cpus);

/* distribute.c: as evenly among NUMA nodes as can be. 1: done; 0: there is no even way; -ENOMEM. */
int taking_distribute(struct taking *taking, int group, struct err **err);

/* What a container has for itself. */
struct assignment {
        struct list_node in_assignments;
        struct cpus_set set;
        char *uid, *container;
};

LIST_DEFINE(assignments, struct assignment, in_assignments)

struct cpus {
        struct cpus_world world;
        struct cpus_topology topology;
        struct cpus_taking how;
        bool is_static, full_cores, strict;
        struct cpus_set reserved, reserved_cores; /* the latter with all CPUs of their cores */
        struct cpus_set shared;
        struct assignments assignments; /* in the order of uid and container */
        char *state;
        struct keeper *keeper;
        bool fresh; /* there was no file of the state */
};

/* options.c: sets what @list (NAME=VALUE,...) says. -EINVAL. */
int cpus_options_set(struct cpus *cpus, const char *list, struct err **err);

/* state.c */
int cpus_state_read(struct cpus *cpus, struct err **err); /* -EINVAL: what to do about it */
int cpus_state_pack(void *data, void **ret_bytes, size_t *ret_size);

/* assignment.c */
struct assignment *assignment_find(const struct cpus *cpus, const char *uid, const char *container);
int assignment_add(struct cpus *cpus, const char *uid, const char *container, const struct cpus_set *set); /* -ENOMEM */
bool assignment_drop_pod(struct cpus *cpus, const char *uid); /* what it had is shared again */
void assignment_free(struct assignment *assignment);          /* one that is in the list */
