/* Continue tokens: where a list in pages goes on, and as of which revision. As kube-apiserver's: base64 of
 * {"v":"meta.k8s.io/v1","rv":REVISION,"start":"NAMESPACE/NAME\0"}, without the namespace where the list is of one, or
 * of a kind that has none. */
#pragma once

#include <stdint.h>

struct arena;
struct err;

struct api_place {
        int64_t revision;             /* API_PLACE_NOW: the list goes on with what there is now */
        const char *namespace, *name; /* of the last object of the page before */
};

/* In a token: the list's own revision is gone. */
enum { API_PLACE_NOW = -1 };

/* @scope: the namespace of the list, "" of a kind without namespaces, NULL: all. NULL without memory. */
const char *api_place_token(struct arena *arena, const char *scope, const struct api_place *place);

/* -EINVAL with kube-apiserver's words; -ENOMEM. */
int api_place_parse(struct arena *arena, const char *token, const char *scope, struct api_place *ret_place,
                    struct err **err);
