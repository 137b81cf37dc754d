/* Continue tokens: where a list in pages goes on, and as of which revision. As kube-apiserver's: base64 of
 * {"v":"meta.k8s.io/v1","rv":REVISION,"start":"NAMESPACE/NAME\0"}. */
#pragma once

#include <stdint.h>

struct arena;
struct err;
struct object;

struct api_place {
        int64_t revision;
        const char *namespace, *name; /* of the last object of the page before */
};

/* NULL without memory. */
const char *api_place_token(struct arena *arena, const struct object *last, int64_t revision);

/* -EINVAL with kube-apiserver's words; -ENOMEM. */
int api_place_parse(struct arena *arena, const char *token, struct api_place *ret_place, struct err **err);
