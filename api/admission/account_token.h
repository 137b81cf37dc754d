/* What a pod gets of its service account, and what it may name of it: no request and no server. */
#pragma once

#include "kube/core_v1.h"

struct arena;

#define ACCOUNT_TOKEN_PATH "/var/run/secrets/kubernetes.io/serviceaccount"
#define ACCOUNT_TOKEN_VOLUME "kube-api-access-"
#define ACCOUNT_TOKEN_SECONDS 3607 /* an hour, and what tells it apart from one that was asked for */

/* Mounts the account's token, the cluster's authority and the namespace into the pod's containers that have nothing
 * there. @volume is the volume's name where the pod has none yet. -ENOMEM or 0. */
int account_token_mount(struct arena *arena, struct kube_pod *pod, const char *volume);

/* Secrets that the account does not know, of an account that wants that (kubernetes.io/enforce-mountable-secrets), in
 * the pod or, with @ephemeral, in its ephemeral containers alone: kube-apiserver's words in *@ret_text; NULL: there is
 * none. -ENOMEM or 0. */
int account_secrets_check(struct arena *arena, const struct kube_service_account *account, const struct kube_pod *pod,
                          bool ephemeral, const char **ret_text);
