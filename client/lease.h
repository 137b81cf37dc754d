/* One of several leads: by a Lease of coordination.k8s.io, as client-go's leader election has it.
 *
 * Who holds the Lease renews it; others take it when nobody has renewed it for its duration, by their own clock: the
 * times in it are for people. Who cannot renew it in time has lost it, before others may take it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/client.h"

struct lease;

/* client-go's: in seconds. */
#define LEASE_DURATION_S 15
#define LEASE_RENEW_S 10
#define LEASE_RETRY_S 2

struct lease_config {
        struct client *client;
        const struct kube_kind *kind;            /* coordination.k8s.io/v1 Lease */
        const char *namespace, *name, *identity; /* @identity is nobody else's */
        void (*changed)(void *data, bool leads); /* from the loop */
        void *data;
        uint64_t (*now)(void *data); /* ns, of the monotonic clock; NULL: uv_hrtime() */
        int64_t (*wall)(void *data); /* s since 1970; NULL: time() */
        void *clock;
};

/* Begins to ask for it. Texts outlive the lease. 0 or -ENOMEM. */
int lease_new(const struct lease_config *config, struct lease **ret_lease);

/* Gives it up, so that others need not wait. changed() is not called any more. NULL is fine. */
void lease_free(struct lease *lease);

bool lease_leads(const struct lease *lease);

/* Does what is due now, and sets the timer; for tests whose clock is their own. */
void lease_turn(struct lease *lease);
