/* CertificateSigningRequests as the controllers of certificates.c and serving.c have them: the first watch of each is
 * of requests. */
#pragma once

#include "api/pki/csr.h"
#include "kube/certificates_v1.h"

struct task;

/* The request of the key, if nobody has decided about it yet. NULL: there is none, or no memory for it. */
struct kube_certificates_v1_certificate_signing_request *certificates_take_open(struct task *task);

struct pki_csr_spec certificates_spec(const struct task *task,
                                      const struct kube_certificates_v1_certificate_signing_request *csr);

/* Approves @csr; @message is its condition's. 0 or -ENOMEM. */
int certificates_approve(struct task *task, struct kube_certificates_v1_certificate_signing_request *csr,
                         const char *message);
