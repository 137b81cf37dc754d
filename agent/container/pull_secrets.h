/* The credentials that a pod's imagePullSecrets have for an image: kubernetes.io/dockerconfigjson and
 * kubernetes.io/dockercfg, matched as kubelet's keyring does (images/docker_config.h). */
#pragma once

#include <stddef.h>

#include "cri/cri.h"

struct arena;
struct pod;
struct pod_sources;

/* What was found; in its arena. */
struct pull_secrets {
        Cri__AuthConfig **list; /* in the order of the secrets */
        size_t n;
        const char *missing; /* names of secrets that are not there or hold none, divided by ", "; "": none */
};

/* In @arena. -ENOMEM. */
int pull_secrets_find(struct arena *arena, const struct pod *pod, const struct pod_sources *sources, const char *image,
                      struct pull_secrets *ret_found);
