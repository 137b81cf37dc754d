/* A namespace whose bar rises: which of its pods would not pass. */
#pragma once

struct admission;
struct pod_security_bar;

#define POD_SECURITY_PODS_MAX 3000 /* of a namespace, that are looked at */

/* Warnings of the pods that are in the namespace already, those alike in one. -ENOMEM or 0. */
int pod_security_warn(struct admission *a, const struct pod_security_bar *bar);
