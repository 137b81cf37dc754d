/* Asking for lists, for the verbs that need them. */
#pragma once

#include "cli/cli.h"

/* All containers (or those of @filter), newest first. */
int list_containers(struct cli *cli, Cri__ContainerFilter *filter, struct grpc_unpacked *ret_answer, struct err **err);

/* All pods, newest first. */
int list_pods(struct cli *cli, Cri__PodSandboxFilter *filter, struct grpc_unpacked *ret_answer, struct err **err);
