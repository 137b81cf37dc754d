/* Which of Kubernetes' kinds are served: the stable ones, as kube-apiserver does unless it is told otherwise. */
#pragma once

struct err;
struct kube_registry;

/* NULL with *err. */
struct kube_registry *api_kinds_new(struct err **err);
