/* Certificates: who may approve and sign for a signer, who may vouch for it, and that no client gets to be of
 * system:masters. */
#include <errno.h>
#include <string.h>

#include "api/admission/builtin.h"
#include "api/pki/csr.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/certificates_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/go_text.h"
#include "lib/value.h"

/* Of the signer itself, or of all of its domain. -ENOMEM, 1 or 0. */
static int may(const struct admission *a, const char *verb, const char *signer) {
        struct admission_question question = { verb, "certificates.k8s.io", "*", "signers", "", "", signer };

        if (admission_may(a, &question, NULL))
                return 1;
        question.name = arena_printf(a->arena, "%.*s/*", (int)strcspn(signer, "/"), signer);
        return question.name ? admission_may(a, &question, NULL) : -ENOMEM;
}

static enum api_step check(struct admission *a, const char *verb, const char *what, const char *signer) {
        int allowed = may(a, verb, signer);
        const char *quoted = allowed == 0 ? go_text_quote(a->arena, signer) : "";

        if (allowed < 0 || !quoted)
                return api_fail(a->r, -ENOMEM, NULL);
        return allowed ? API_NEXT : admission_forbid(a, "user not permitted to %s signerName %s", what, quoted);
}

static const char *signer_of(const struct value *object) {
        return value_string_or(value_find(object, "spec.signerName"), "");
}

enum api_step admission_approve(struct admission *a) {
        return check(a, "approve", "approve requests with", signer_of(a->r->current_tree));
}

static bool same_part(const struct admission *a, const char *path) {
        const struct value *now = value_find(a->r->next, path), *before = value_find(a->r->current_tree, path);

        return value_is_null(now) || value_is_null(before) ? value_is_null(now) == value_is_null(before) :
                                                             value_equal(now, before);
}

enum api_step admission_sign(struct admission *a) {
        if (same_part(a, "status.certificate") && same_part(a, "status.conditions"))
                return API_NEXT;
        return check(a, "sign", "sign requests with", signer_of(a->r->current_tree));
}

enum api_step admission_attest(struct admission *a) {
        const char *signer = signer_of(a->r->next);

        if (!*signer)
                return API_NEXT;
        if (a->operation == ADMISSION_UPDATE && same_part(a, "spec"))
                return API_NEXT;
        return check(a, "attest", "attest for", signer);
}

enum api_step admission_subject(struct admission *a) {
        const struct kube_certificates_v1_certificate_signing_request *request = admission_object(a);
        _cleanup_err_ struct err *err = NULL;
        struct pki_csr csr;
        int error;

        if (!request)
                return API_END;
        if (!kube_is(request->spec.signer_name, PKI_SIGNER_CLIENT))
                return API_NEXT;
        error = pki_csr_read(a->arena, request->spec.request.data, request->spec.request.length, &csr, &err);
        if (error == -ENOMEM)
                return api_fail(a->r, error, NULL);
        if (error < 0)
                return admission_forbid(a, "failed to parse CSR: %s", err_text(err));
        list_for_each (group, &csr.organizations)
                if (strcmp(*group, "system:masters") == 0)
                        return admission_forbid(a, "use of %s signer with system:masters group is not allowed",
                                                PKI_SIGNER_CLIENT);
        return API_NEXT;
}
