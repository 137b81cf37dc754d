/* Who the node is at the API service: its certificates, asked for, kept, renewed.
 *
 * As kubelet's (pkg/kubelet/certificate): with no kubeconfig yet, the one that --bootstrap-kubeconfig names is used to
 * have a first client certificate signed; from then on the node asks for its next one by itself, when 70 to 90 % of a
 * life are over. The certificate that it serves with is asked for the same way, where serverTLSBootstrap is set.
 *
 *     CERT-DIR/kubelet-client-current.pem   certificate and key, put in place by one rename
 *     CERT-DIR/kubelet-client.key.tmp       the key of a request under way, so that a restart goes on with it
 *     CERT-DIR/kubelet-server-current.pem, kubelet-server.key.tmp
 *     KUBECONFIG                            names the first: written behind it
 *
 * Each is synced before the next, so that after a power cut the node is who it was or who it is to be. What no file of
 * this directory gave (a kubeconfig with a certificate of its own) is used as it is and not renewed.
 *
 * The clock is not trusted. The API service's certificate is held to the node's own, not to the clock: it has to end
 * after the node's began. A certificate that is over or not valid yet by the clock is renewed at once, with itself: the
 * service says whether that may be (docs/ARCHITECTURE.md). One that was just given is believed, and ages by the
 * monotonic clock until the other one is set right.
 */
#pragma once

#include <uv.h>

#include "client/client.h"
#include "lib/err.h"

struct identity;
struct options;
struct pool;

#define IDENTITY_RETRY_MIN_MS 2000 /* until what failed is asked again; doubled each time */
#define IDENTITY_RETRY_MAX_MS 60000
#define IDENTITY_DOUBT_MS (10 * 60 * 1000) /* a service that does not take us has us renew no more often than that */

struct identity_events {
        /* The node is known: identity_client() is its from now on. Once, from the loop or identity_start(). */
        void (*known)(void *data);
        /* The addresses and names that the node is reached by, in @arena, ends with NULL.
         * 0 or -ENOMEM. NULL: it serves nothing. */
        int (*names)(void *data, struct arena *arena, const char *const **ret_names);
        /* There is another identity_serving(). NULL: nobody wants to know. */
        void (*serving)(void *data);
        /* The wall clock was set, or the host has slept. NULL: the same. */
        void (*clock)(void *data);
        void *data;
};

struct identity_config {
        uv_loop_t *loop;
        struct pool *pool;
        const struct options *options;
        struct identity_events events;
};

/* Reads the kubeconfig, or that of the bootstrap, and looks the server's name up: may block. -EINVAL, -ENOENT, -ENOMEM.
 */
int identity_new(const struct identity_config *config, struct identity **ret_identity, struct err **err);

/* Begins. 0 or a negative errno, which is logged. */
int identity_start(struct identity *identity);

/* For all that the node asks; the same for as long as it lives. */
struct client *identity_client(const struct identity *identity);

/* The service does not take us (401, 403): by its clock the certificate may be over. */
void identity_doubt(struct identity *identity);

/* What events.names gives may be other names. Cheap. */
void identity_names_changed(struct identity *identity);

/* The certificate to serve with, and its key: PEM, until there is another; NULL: there is none (yet). */
const char *identity_serving(const struct identity *identity);

/* When the node's certificates end, in seconds since 1970, as far as they are this room's; 0: there is none. */
void identity_ends(const struct identity *identity, int64_t *ret_client, int64_t *ret_serving);

/* Nothing is told any more. NULL is fine. */
void identity_free(struct identity *identity);
