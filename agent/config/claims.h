/* What agents of one host would share without knowing it: each is one agent's, from its start to its end and for as
 * long after that as its pods live on it.
 *
 * /run/nacelle-agents/KIND-HASH   one file for each thing that is claimed: who claimed it last, and by which name;
 * locked while that agent runs
 *
 * CNI configurations may be shared; that they are is found out here.
 *
 * Claimed are the cgroup that pods lie in; in the agent's network namespace the bridge, with the rules and the
 * interfaces named after it, and the blocks of pods' addresses; and the watched directory. ROOT and RUN have locks of
 * their own (agent/config/host.h). Agents that do not see one /run do not see each other.
 */
#pragma once

#include <stddef.h>

#include "agent/config/options.h"

#define CLAIMS_DIR "/run/nacelle-agents"
#define CLAIMS_MAX 8

struct claims {
        size_t n;
        struct {
                int lock;
                char path[128];
                bool (*in_use)(const char *name, const char *bridge);
                char name[1024];
        } held[CLAIMS_MAX];
        char bridge[16];
        bool cni_shared; /* another agent has used the same CNI configurations since the host was booted */
        char cni_path[128],
                cni_records[4096]; /* the file that says so; where what plugins attached for us is written down */
};

/* -EBUSY: another agent has one of them, *@err says which and who. The locks of what this one claimed before that go
 * with its process. */
int claims_take(const struct options *options, struct claims *ret_claims, struct err **err);

/* Removes the files of what none of our pods lives on any more. The locks go with the process. */
void claims_drop(struct claims *claims);
