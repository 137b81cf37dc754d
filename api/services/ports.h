/* Which node ports services have, and which are free; as api/services/addresses.h has it for addresses. From any
 * thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct ports;

/* "30000-32767", or "30000+100", as kube-apiserver's --service-node-port-range. NULL with *err. */
struct ports *ports_new(const char *range, struct err **err);
struct ports *ports_free(struct ports *ports); /* NULL is fine */

/* "30000-32767". */
const char *ports_text(const struct ports *ports);

/* A service has @port, or no more; ports outside the range count for nothing. */
void ports_hold(struct ports *ports, int32_t port, bool holds);

enum { PORTS_TAKEN = 1, PORTS_OUTSIDE, PORTS_FULL };

/* 0 or one of the above. */
int ports_claim(struct ports *ports, int32_t port);
int ports_claim_any(struct ports *ports, int32_t *ret_port);
int ports_try(struct ports *ports, int32_t port); /* what a claim would give */
void ports_unclaim(struct ports *ports, int32_t port);
