/* CertificateSigningRequests: what a PKCS#10 request (RFC 2986) asks for, whether a signer of Kubernetes' takes it, and
 * the certificate.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/pki/pki.h"
#include "kube/types.h"

struct arena;
struct err;
struct pki;

#define PKI_CSR_MAX ((size_t)64 << 10) /* bytes of PEM */
#define PKI_CSR_NAMES_MAX 256          /* of subject and SANs */
#define PKI_CSR_SECONDS_MIN 600
#define PKI_CSR_SECONDS (PKI_LEAF_SECONDS)

#define PKI_SIGNER_CLIENT "kubernetes.io/kube-apiserver-client"
#define PKI_SIGNER_KUBELET_CLIENT "kubernetes.io/kube-apiserver-client-kubelet"
#define PKI_SIGNER_KUBELET_SERVING "kubernetes.io/kubelet-serving"

struct pki_csr {
        const char *common_name;
        string_list organizations, dns, addresses, emails, uris;
        const void *der;
        size_t size;
        struct arena *arena; /* of all this, and of what is made from it */
};

/* Reads PEM with one CERTIFICATE REQUEST whose signature is right. -EINVAL, -E2BIG, -ENOMEM. */
int pki_csr_read(struct arena *arena, const void *pem, size_t size, struct pki_csr *ret_csr, struct err **err);

/* What goes beside it in the object's spec. */
struct pki_csr_spec {
        const char *signer;
        string_list usages; /* "digital signature", "client auth" */
        struct opt_int seconds;
        int64_t now;     /* when it is signed, in seconds since 1970 */
        const char *uid; /* goes into the subject, as a user's (KEP-4828); NULL: none */
};

/* Whether the signer takes @csr: 0, or -EINVAL with what it does not take, as the signer's condition has it; -ENOENT:
 * not one of ours. */
int pki_csr_check(const struct pki_csr *csr, const struct pki_csr_spec *spec, struct err **err);

/* Signs what was read and checked, as PEM in its arena, never longer than the authority lives. */
int pki_csr_sign(const struct pki *pki, const struct pki_csr *csr, const struct pki_csr_spec *spec,
                 const char **ret_pem, struct err **err);
