/* CertificateSigningRequests: kubelets' own are approved, what is approved is signed, and what is over goes. */
#include <errno.h>
#include <string.h>

#include "api/controllers/certificates.h"
#include "api/controllers/kinds.h"
#include "api/pki/csr.h"
#include "kube/authorization_v1.h"
#include "kube/certificates_v1.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"

#define HOUR_S INT64_C(3600)
#define DAY_S (24 * HOUR_S)

typedef struct kube_certificates_v1_certificate_signing_request request;
typedef struct kube_certificates_v1_certificate_signing_request_condition condition;

static const condition *find_condition(const request *csr, const char *type) {
        list_for_each (c, &csr->status.conditions)
                if (strcmp(c->type ?: "", type) == 0)
                        return c;
        return NULL;
}

static int add_condition(struct arena *arena, request *csr, condition new) {
        uint32_t n = csr->status.conditions.count;
        condition *all = arena_alloc_array(arena, n + 1, sizeof(*all));

        if (!all)
                return -ENOMEM;
        if (n > 0)
                memcpy(all, csr->status.conditions.items, n * sizeof(*all));
        all[n] = new;
        csr->status.conditions.items = all;
        csr->status.conditions.count = n + 1;
        return 0;
}

static request *take(struct task *task) {
        const struct client_object *object =
                informer_find(controller_informer(task_controller(task), 0), "", task_name(task));
        request *csr = object ? arena_new_of(task_arena(task), request) : NULL;

        if (!csr)
                return NULL;
        return client_object_read(task_arena(task), object, &kube_certificates_v1_certificate_signing_request_type,
                                  csr) == 0 ?
                       csr :
                       NULL;
}

struct kube_certificates_v1_certificate_signing_request *certificates_take_open(struct task *task) {
        request *csr = take(task);

        return csr && csr->status.certificate.length == 0 && !find_condition(csr, "Approved") &&
                               !find_condition(csr, "Denied") ?
                       csr :
                       NULL;
}

struct pki_csr_spec certificates_spec(const struct task *task, const request *csr) {
        return (struct pki_csr_spec){ .signer = csr->spec.signer_name ?: "",
                                      .usages = csr->spec.usages,
                                      .seconds = csr->spec.expiration_seconds,
                                      .now = controller_wall(task_controller(task)) };
}

static void write_back(struct task *task, const char *sub, const request *csr) {
        task_write(task, KUBE_VERB_UPDATE, informer_kind(controller_informer(task_controller(task), 0)), sub, csr,
                   TASK_GONE_IS_FINE);
}

/* --- approving: a node that asks for itself, or one that may bring up nodes --- */

static const struct recognized {
        const char *sub, *message;
        bool own; /* who asks is the node */
} recognized[] = {
        { "selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview.", true },
        { "nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview.", false },
};

int certificates_approve(struct task *task, request *csr, const char *message) {
        int r = add_condition(
                task_arena(task), csr,
                (condition){ .type = "Approved", .status = "True", .reason = "AutoApproved", .message = message });

        if (r == 0)
                write_back(task, "approval", csr);
        return r;
}

struct approval {
        request *csr;
        struct pki_csr read;
        size_t next; /* of recognized */
};

static int ask(struct task *task);

static int on_reviewed(struct task *task, const struct client_answer *answer, void *data) {
        struct kube_authorization_v1_subject_access_review review = { 0 };
        struct approval *a = data;
        int r = kube_json_read(task_arena(task), &kube_authorization_v1_subject_access_review_type,
                               (const char *)answer->body->data, answer->body->size, NULL, &review);

        if (r < 0)
                return r;
        if (review.status.allowed)
                return certificates_approve(task, a->csr, recognized[a->next].message);
        a->next++;
        return ask(task);
}

static int send_review(struct task *task, struct approval *a) {
        struct kube_authorization_v1_resource_attributes attributes = { .group = "certificates.k8s.io",
                                                                        .resource = "certificatesigningrequests",
                                                                        .verb = "create",
                                                                        .subresource = recognized[a->next].sub,
                                                                        .version = "*" };
        struct kube_authorization_v1_subject_access_review review = { .spec = { .resource_attributes = &attributes,
                                                                                .user = a->csr->spec.username,
                                                                                .uid = a->csr->spec.uid,
                                                                                .groups = a->csr->spec.groups } };
        struct client_request q = { .verb = KUBE_VERB_CREATE,
                                    .kind = kube_registry_kind(controller_config(task_controller(task))->kinds,
                                                               "authorization.k8s.io", "v1", "SubjectAccessReview") };
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;

        review.spec.extra.items = a->csr->spec.extra.items;
        review.spec.extra.count = a->csr->spec.extra.count;
        kube_json_write(&w, &kube_authorization_v1_subject_access_review_type, &review);
        if (json_writer_finish(&w, &text, &q.length) < 0)
                return -ENOMEM;
        q.body = text;
        task_send(task, &q, 0, on_reviewed, a);
        return 0;
}

static int ask(struct task *task) {
        struct approval *a = task_data(task);
        const char *user = a->csr->spec.username ?: "";

        while (a->next < ELEMENTS(recognized) && recognized[a->next].own && strcmp(a->read.common_name, user) != 0)
                a->next++;
        return a->next < ELEMENTS(recognized) ? send_review(task, a) : 0;
}

static int reconcile_approval(struct task *task) {
        struct approval *a = arena_new_of(task_arena(task), struct approval);
        request *csr = certificates_take_open(task);
        struct pki_csr_spec spec;

        if (!a)
                return -ENOMEM;
        if (!csr)
                return 0;
        spec = certificates_spec(task, csr);
        a->csr = csr;
        if (strcmp(spec.signer, PKI_SIGNER_KUBELET_CLIENT) != 0 ||
            pki_csr_read(task_arena(task), csr->spec.request.data, csr->spec.request.length, &a->read, NULL) < 0 ||
            pki_csr_check(&a->read, &spec, NULL) < 0)
                return 0;
        task_set_data(task, a);
        return ask(task);
}

/* --- signing --- */

static int refuse(struct task *task, request *csr, const char *why) {
        struct kube_time now = { .seconds = controller_wall(task_controller(task)), .set = true };
        const char *message = arena_strdup(task_arena(task), why);
        int r = message ? add_condition(task_arena(task), csr,
                                        (condition){ .type = "Failed",
                                                     .status = "True",
                                                     .reason = "SignerValidationFailure",
                                                     .message = message,
                                                     .last_update_time = now }) :
                          -ENOMEM;

        if (r == 0)
                write_back(task, "status", csr);
        return r;
}

static int read_csr(struct task *task, const request *csr, const struct pki_csr_spec *spec, struct pki_csr *ret_csr,
                    struct err **err) {
        const struct kube_bytes *text = &csr->spec.request;
        int r = pki_csr_read(task_arena(task), text->data, text->length, ret_csr, err);

        return r < 0 ? r : pki_csr_check(ret_csr, spec, err);
}

static int reconcile_signing(struct task *task) {
        const struct controllers_config *config = controller_config(task_controller(task));
        _cleanup_err_ struct err *err = NULL;
        request *csr = take(task);
        struct pki_csr_spec spec;
        struct pki_csr read;
        const char *pem;
        int r;

        if (!csr || !config->sign || csr->status.certificate.length > 0 || !find_condition(csr, "Approved") ||
            find_condition(csr, "Denied") || find_condition(csr, "Failed"))
                return 0;
        spec = certificates_spec(task, csr);
        r = read_csr(task, csr, &spec, &read, &err);
        if (r == -ENOENT) /* another's to sign */
                return 0;
        if (r == -EINVAL || r == -E2BIG)
                return refuse(task, csr, err_text(err));
        if (r < 0 || (r = config->sign(config->data, &read, &spec, &pem, &err)) < 0) {
                task_fail(task, -r, err_text(err));
                return 0;
        }
        csr->status.certificate = (struct kube_bytes){ (const uint8_t *)pem, (uint32_t)strlen(pem) };
        write_back(task, "status", csr);
        return 0;
}

/* --- cleaning --- */

/* When it is over: of each thing that it may be, the time of it and for how long it then stays. */
static int64_t over_at(const request *csr) {
        bool issued = csr->status.certificate.length > 0;
        const struct {
                const char *type;
                int64_t stays_s;
        } ends[] = { { "Approved", issued ? HOUR_S : DAY_S }, { "Denied", HOUR_S }, { "Failed", HOUR_S } };
        int64_t at = INT64_MAX;

        if (csr->status.conditions.count == 0)
                return csr->metadata.creation_timestamp.seconds + DAY_S;
        for (size_t i = 0; i < ELEMENTS(ends); i++) {
                const condition *c = find_condition(csr, ends[i].type);
                int64_t own = c && c->last_update_time.set ? c->last_update_time.seconds + ends[i].stays_s : INT64_MAX;

                at = own < at ? own : at;
        }
        return at;
}

static int reconcile_cleaning(struct task *task) {
        struct controller *c = task_controller(task);
        const request *csr = take(task);
        int64_t at = csr ? over_at(csr) : INT64_MAX, now = controller_wall(c);
        const struct task_removal removal = { .kind = informer_kind(controller_informer(c, 0)),
                                              .name = task_name(task),
                                              .uid = csr ? csr->metadata.uid : NULL };

        if (at == INT64_MAX)
                return 0;
        if (at > now)
                task_again(task, (uint64_t)(at - now < DAY_S ? at - now : DAY_S) * WORK_SECOND);
        else
                task_remove(task, &removal);
        return 0;
}

#define REQUESTS                                                                                                       \
        {                                                                                                              \
                {                                                                                                      \
                        .group = "certificates.k8s.io", .resource = "certificatesigningrequests",                      \
                        .keys = controller_add_object                                                                  \
                }                                                                                                      \
        }

const struct controller_kind controller_csr_approving = {
        .name = "certificatesigningrequest-approving-controller",
        .alias = "csrapproving",
        .account = "certificate-controller",
        .watches = REQUESTS,
        .reconcile = reconcile_approval,
};

const struct controller_kind controller_csr_signing = {
        .name = "certificatesigningrequest-signing-controller",
        .alias = "csrsigning",
        .account = "certificate-controller",
        .watches = REQUESTS,
        .reconcile = reconcile_signing,
};

const struct controller_kind controller_csr_cleaner = {
        .name = "certificatesigningrequest-cleaner-controller",
        .alias = "csrcleaner",
        .account = "certificate-controller",
        .watches = REQUESTS,
        .reconcile = reconcile_cleaning,
};
