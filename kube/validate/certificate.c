/* CertificateSigningRequests (k8s.io/kubernetes/pkg/apis/certificates/validation, pkg/registry/certificates). Of the
 * certificate the PEM around it is read; what is in it is looked at by who signs. */
#include <string.h>

#include "kube/certificates_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/pod.h"
#include "kube/validate/rules.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/x509_pem.h"

#define LEGACY_SIGNER "kubernetes.io/legacy-unknown"
#define EXPIRATION_MIN_S 600

typedef const struct kube_certificates_v1_certificate_signing_request *request_ref;

static const char *const usages[] = { "any",
                                      "cert sign",
                                      "client auth",
                                      "code signing",
                                      "content commitment",
                                      "crl sign",
                                      "data encipherment",
                                      "decipher only",
                                      "digital signature",
                                      "email protection",
                                      "encipher only",
                                      "ipsec end system",
                                      "ipsec tunnel",
                                      "ipsec user",
                                      "key agreement",
                                      "key encipherment",
                                      "microsoft sgc",
                                      "netscape sgc",
                                      "ocsp signing",
                                      "s/mime",
                                      "server auth",
                                      "signing",
                                      "timestamping",
                                      NULL };

/* What an update still takes because the object had it before, and what its subresource is there for. */
struct leniency {
        bool both, legacy_signer, same_types, no_type, any_certificate, same_usages, any_usage;
        bool approval, certificate;
};

/* --- PEM --- */

/* The type of the first block of @pem and where the rest begins; NULL: there is none. */
static const char *read_block(struct validation *v, const char **pem) {
        static const char begin[] = "-----BEGIN ", dashes[] = "-----";
        const char *start = strstr(*pem, begin), *end, *type, *close;

        if (!start || (start != *pem && start[-1] != '\n'))
                return NULL;
        start += strlen(begin);
        end = strstr(start, dashes);
        type = end ? arena_strndup(v->arena, start, (size_t)(end - start)) : NULL;
        close = type ? strstr(end, validate_text(v, "\n-----END %s-----", type)) : NULL;
        if (!close)
                return NULL;
        *pem = close + 1 + strcspn(close + 1, "\n");
        return type;
}

static const char *text_of(struct validation *v, const struct kube_bytes *bytes) {
        return bytes->length > 0 ? arena_strndup(v->arena, (const char *)bytes->data, bytes->length) ?: "" : "";
}

static const char *base64_of(struct validation *v, const struct kube_bytes *bytes) {
        char *text = bytes->data ? arena_alloc_uncleared(v->arena, BASE64_LENGTH((size_t)bytes->length) + 1) : NULL;

        if (!text)
                return "null";
        base64_encode(bytes->data, bytes->length, text);
        return validate_quoted(v, text);
}

static const char *certificate_problem(struct validation *v, const struct kube_bytes *certificate) {
        const char *pem = text_of(v, certificate), *type;
        unsigned blocks = 0;

        if (certificate->length == 0)
                return NULL;
        for (; (type = read_block(v, &pem)); blocks++)
                if (strcmp(type, "CERTIFICATE") != 0)
                        return validate_text(v, "only CERTIFICATE PEM blocks are allowed, found %s",
                                             validate_quoted(v, type));
        return blocks > 0 ? NULL : "must contain at least one CERTIFICATE PEM block";
}

/* --- the request --- */

static void check_usages(struct validation *v, const struct place *at, const string_list *list,
                         const struct leniency *lenient) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        if (list->count == 0)
                validate_required(v, at, "");
        for (uint32_t i = 0; i < list->count && !lenient->any_usage; i++)
                validate_choice(v, ITEM(at, i), list->items[i], usages);
        for (uint32_t i = 0; i < list->count && !lenient->same_usages; i++)
                if (!validate_set_add(v, &seen, list->items[i]))
                        validate_duplicate(v, ITEM(at, i), list->items[i]);
}

static void check_condition(struct validation *v, const struct place *at, const char *type, const char *status) {
        static const char *const only[] = { "True", NULL }, *const all[] = { "False", "True", "Unknown", NULL };
        bool final = kube_is(type, "Approved") || kube_is(type, "Denied") || kube_is(type, "Failed");

        if (!status || !*status)
                validate_required(v, FIELD(at, "status"), "");
        else
                validate_choice(v, FIELD(at, "status"), status, final ? only : all);
}

static void check_conditions(struct validation *v, const struct place *at, request_ref request,
                             const struct leniency *lenient) {
        _cleanup_validate_set_ struct validate_set types = { 0 };
        bool approved = false, denied = false;

        for (uint32_t i = 0; i < request->status.conditions.count; i++) {
                const char *type = request->status.conditions.items[i].type ?: "";
                const struct place *item = ITEM(at, i);

                if (!lenient->no_type && !*type)
                        validate_required(v, FIELD(item, "type"), "");
                check_condition(v, item, type, request->status.conditions.items[i].status);
                approved = approved || strcmp(type, "Approved") == 0;
                denied = denied || strcmp(type, "Denied") == 0;
                if (!lenient->both && approved && denied &&
                    (strcmp(type, "Approved") == 0 || strcmp(type, "Denied") == 0))
                        validate_invalid_word(v, at, type, "Approved and Denied conditions are mutually exclusive");
                if (!validate_set_add(v, &types, type) && !lenient->same_types)
                        validate_duplicate(v, FIELD(item, "type"), type);
        }
}

static void check_request(struct validation *v, request_ref request, const struct leniency *lenient) {
        const struct place *at = FIELD(NULL, "spec"), *status = FIELD(NULL, "status");
        const struct x509_text pem = { request->spec.request.data, request->spec.request.length };
        const char *problem = x509_request_problem(v->arena, &pem);

        validate_meta(v, &request->metadata, NAME_ANY);
        if (problem)
                validate_invalid_json(v, FIELD(at, "request"), base64_of(v, &request->spec.request), problem);
        check_usages(v, FIELD(at, "usages"), &request->spec.usages, lenient);
        if (!lenient->legacy_signer && kube_is(request->spec.signer_name, LEGACY_SIGNER))
                validate_invalid(v, FIELD(at, "signerName"), request->spec.signer_name,
                                 "the legacy signerName is not allowed via this API version");
        else
                validate_signer_name(v, FIELD(at, "signerName"), request->spec.signer_name);
        if (request->spec.expiration_seconds.set && request->spec.expiration_seconds.value < EXPIRATION_MIN_S)
                validate_invalid_int(v, FIELD(at, "expirationSeconds"), request->spec.expiration_seconds.value,
                                     "may not specify a duration less than 600 seconds (10 minutes)");
        check_conditions(v, FIELD(status, "conditions"), request, lenient);
        problem = lenient->any_certificate ? NULL : certificate_problem(v, &request->status.certificate);
        if (problem)
                validate_invalid(v, FIELD(status, "certificate"), "<certificate data>", problem);
}

static void create_request(struct validation *v, const void *object, const void *old) {
        static const struct leniency none = { .both = false };

        check_request(v, object, &none);
}

/* --- what may change --- */

static void learn(struct validation *v, request_ref new, request_ref old, struct leniency *lenient) {
        _cleanup_validate_set_ struct validate_set types = { 0 }, seen = { 0 };
        bool approved = false, denied = false;

        list_for_each (condition, &old->status.conditions) {
                approved = approved || kube_is(condition->type, "Approved");
                denied = denied || kube_is(condition->type, "Denied");
                lenient->same_types |= !validate_set_add(v, &types, condition->type);
                lenient->no_type |= !condition->type || !*condition->type;
        }
        list_for_each (usage, &old->spec.usages) {
                lenient->same_usages |= !validate_set_add(v, &seen, *usage);
                lenient->any_usage |= !validate_is_one(*usage, usages);
        }
        lenient->both = approved && denied;
        lenient->legacy_signer = kube_is(old->spec.signer_name, LEGACY_SIGNER);
        lenient->any_certificate = validate_equal_bytes(&new->status.certificate, &old->status.certificate) ||
                                   certificate_problem(v, &old->status.certificate);
}

/* The conditions of @type, the next from @from on; NULL: no more. */
typedef const struct kube_certificates_v1_certificate_signing_request_condition *condition_ref;

static condition_ref next_of(request_ref request, const char *type, uint32_t *from) {
        while (*from < request->status.conditions.count) {
                condition_ref condition = &request->status.conditions.items[(*from)++];

                if (kube_is(condition->type, type))
                        return condition;
        }
        return NULL;
}

static uint32_t count_of(request_ref request, const char *type) {
        uint32_t from = 0, n = 0;

        while (next_of(request, type, &from))
                n++;
        return n;
}

static bool same_of(request_ref a, request_ref b, const char *type) {
        uint32_t one = 0, other = 0;
        condition_ref condition;

        while ((condition = next_of(a, type, &one)))
                if (!validate_equal(&kube_certificates_v1_certificate_signing_request_condition_type, condition,
                                    next_of(b, type, &other)))
                        return false;
        return true;
}

static const char *json_of(struct validation *v, request_ref request, const char *type) {
        const char *text = "";
        condition_ref condition;
        uint32_t from = 0;

        while ((condition = next_of(request, type, &from)))
                text = validate_text(v, "%s%s%s", text, *text ? "," : "",
                                     validate_go_json(v,
                                                      &kube_certificates_v1_certificate_signing_request_condition_type,
                                                      condition));
        return validate_text(v, "[%s]", text);
}

static void check_approval(struct validation *v, const struct place *at, request_ref new, request_ref old,
                           const struct leniency *lenient) {
        static const char *const types[] = { "Approved", "Denied", "Failed" };

        for (size_t i = 0; i < ELEMENTS(types); i++)
                if (count_of(new, types[i]) < count_of(old, types[i]))
                        validate_forbidden(
                                v, at, validate_text(v, "updates may not remove a condition of type \"%s\"", types[i]));
        for (size_t i = 0; i < 2 && !lenient->approval; i++) {
                if (count_of(new, types[i]) > count_of(old, types[i]))
                        validate_forbidden(
                                v, at, validate_text(v, "updates may not add a condition of type \"%s\"", types[i]));
                else if (count_of(new, types[i]) == count_of(old, types[i]) && !same_of(new, old, types[i]))
                        validate_forbidden(v, at,
                                           validate_text(v, "updates may not modify a condition of type \"%s\"\n%s",
                                                         types[i],
                                                         validate_difference(v, json_of(v, old, types[i]),
                                                                             json_of(v, new, types[i]))));
        }
}

static void check_change(struct validation *v, request_ref new, request_ref old, struct leniency lenient) {
        const struct place *status = FIELD(NULL, "status"), *certificate = FIELD(status, "certificate");

        learn(v, new, old, &lenient);
        check_request(v, new, &lenient);
        check_approval(v, FIELD(status, "conditions"), new, old, &lenient);
        if (!validate_equal_bytes(&new->status.certificate, &old->status.certificate)) {
                if (!lenient.certificate)
                        validate_forbidden(v, certificate, "updates may not set certificate content");
                else if (old->status.certificate.length > 0)
                        validate_forbidden(v, certificate, "updates may not modify existing certificate content");
        }
        validate_meta_update(v, &new->metadata, &old->metadata);
}

static void update_request(struct validation *v, const void *object, const void *old) {
        check_change(v, object, old, (struct leniency){ .approval = false });
}

static void update_status(struct validation *v, const void *object, const void *old) {
        check_change(v, object, old, (struct leniency){ .certificate = true });
}

static void update_approval(struct validation *v, const void *object, const void *old) {
        check_change(v, object, old, (struct leniency){ .approval = true });
}

static const struct validate_sub subs[] = { { "status", update_status }, { "approval", update_approval }, { 0 } };

const struct validate_rules validate_certificate_rules[] = {
        { "certificates.k8s.io", "CertificateSigningRequest", NAME_ANY, create_request, update_request, subs },
        { 0 },
};
