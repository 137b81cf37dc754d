/* A certificate of the cluster's: a CertificateSigningRequest is made, and watched until a signer has signed it, or it
 * was denied (client-go's util/certificate/csr). Nothing is polled.
 *
 * A request is named after its key and what it asks for, so that who begins anew with the key that it kept finds its
 * own request, signed meanwhile or not.
 */
#pragma once

#include "client/certificate.h"
#include "client/client.h"

struct client_signing;

struct client_signing_order {
        const char *signer; /* "kubernetes.io/kube-apiserver-client-kubelet" */
        const char *prefix; /* of the request's name: "node-csr-" */
        const char *usage;  /* beside "digital signature": "client auth", "server auth" */
        const char *key;    /* PEM */
        struct client_subject subject;
};

/* @error 0: @certificate is PEM, of the key, gone after the call. Else @why has words, and @error is -EACCES (denied,
 * failed, or the server does not know who asks: the next request needs another key or identity), or another errno,
 * after which the same may be asked again. */
struct client_signing_answer {
        int error;
        const char *certificate, *why;
};
typedef void (*client_signing_done)(void *data, const struct client_signing_answer *answer);

/* Begins; @order is copied. done() comes once, from the loop, and then it is gone. -EINVAL, -EBUSY, -ENOMEM: done()
 * does not come. */
int client_signing_new(struct client *client, const struct client_signing_order *order, client_signing_done done,
                       void *data, struct client_signing **ret_signing, struct err **err);

/* Gives it up; not after its done(). NULL is fine. */
void client_signing_free(struct client_signing *signing);
