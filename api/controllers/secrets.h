/* What controllers read of Secrets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct kube_bytes;
struct kube_secret;

/* The value of @key; NULL: there is none, or it is empty. */
const struct kube_bytes *secrets_get(const struct kube_secret *secret, const char *key);
bool secrets_is(const struct kube_secret *secret, const char *key, const char *text);

/* When a bootstrap token ends, in seconds since 1970: INT64_MAX never; 0 what cannot be read. */
int64_t secrets_expiration(const struct kube_secret *secret);
