/* What is wrong with keys, certificates and requests that come as PEM text, in the words of Go's crypto/x509 and
 * crypto/tls, which clients of Kubernetes' compare. What Go's reader of ASN.1 says of broken bytes is said in one way.
 */
#pragma once

#include <stddef.h>

struct arena;

struct x509_text {
        const void *data;
        size_t size;
};

/* Of a request (RFC 2986): that it is one, and signed by the key that is in it. NULL: nothing is wrong. Texts are in
 * @arena. */
const char *x509_request_problem(struct arena *arena, const struct x509_text *pem);

/* Of a certificate, the first of its text, and its key: tls.X509KeyPair. NULL: they are a pair. */
const char *x509_pair_problem(struct arena *arena, const struct x509_text *certificate, const struct x509_text *key);
