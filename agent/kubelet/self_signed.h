/* A certificate that nobody but its own key vouches for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

#define KUBELET_CERTIFICATE_SECONDS ((int64_t)365 * 24 * 3600) /* from a day before its making on */

/* A new key (EC P-256) and a serving certificate of it, for @name and @address ("": none), at @now (seconds since
 * 1970): PEM, allocated. -EINVAL for an address that is none, -ENOMEM. */
int kubelet_self_signed_new(const char *name, const char *address, int64_t now, char **ret_certificate, char **ret_key,
                            struct err **err);

/* Whether the certificate counts at @now, and for another third of its life; one that somebody has signed is theirs to
 * renew. */
bool kubelet_self_signed_is_good(const char *certificate, int64_t now);
