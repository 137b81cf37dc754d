/* Certificate signing requests: what each signer takes and refuses, and what is in the certificate. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "api/auth/authenticate.h"
#include "api/pki/certificate.h"
#include "api/pki/csr.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/openssl.h"
#include "lib/x509.h"

#define NOW INT64_C(1796000000)
#define YEAR ((int64_t)365 * 24 * 3600)
#define SIGNATURE "digital signature"
#define ENCIPHERMENT "key encipherment"

static char directory[64];
static struct arena *arena;
static struct pki *pki;

static int set_up(void **state) {
        struct pki_config config = { directory, "https://127.0.0.1:6443", NULL, "cluster.local" };

        strcpy(directory, "/tmp/nacelle-csr-XXXXXX");
        assert_non_null(mkdtemp(directory));
        arena = arena_new();
        return pki_open(&config, NOW, &pki, NULL);
}

static int tear_down(void **state) {
        pki_free(pki);
        arena_free(arena);
        return files_remove_tree(directory, NULL);
}

/* A request for "CN=...", "O=...", with subjectAltName @san, and what else it would like. */
static const char *make_request(const char *cn, const char *const *organizations, const char *san,
                                const char *constraints) {
        _cleanup_key_ EVP_PKEY *key = NULL;
        X509_REQ *request = X509_REQ_new();
        STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
        BIO *bio = BIO_new(BIO_s_mem());
        char *text, *copy;
        long size;

        assert_int_equal(pki_key_new(&key, NULL), 0);
        for (; *organizations; organizations++)
                X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "O", MBSTRING_UTF8,
                                           (const uint8_t *)*organizations, -1, -1, 0);
        X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN", MBSTRING_UTF8, (const uint8_t *)cn, -1, -1,
                                   0);
        if (san)
                sk_X509_EXTENSION_push(extensions, X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san));
        if (constraints)
                sk_X509_EXTENSION_push(extensions, X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, constraints));
        if (san || constraints)
                X509_REQ_add_extensions(request, extensions);
        X509_REQ_set_pubkey(request, key);
        X509_REQ_sign(request, key, EVP_sha256());
        PEM_write_bio_X509_REQ(bio, request);
        size = BIO_get_mem_data(bio, &text);
        copy = arena_strndup(arena, text, (size_t)size);
        BIO_free(bio);
        sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
        X509_REQ_free(request);
        return copy;
}

static struct pki_csr read_request(const char *pem) {
        _cleanup_err_ struct err *err = NULL;
        struct pki_csr csr;

        if (pki_csr_read(arena, pem, strlen(pem), &csr, &err) < 0)
                fail_msg("%s", err_text(err));
        return csr;
}

static string_list list_of(const char *const *texts) {
        string_list list = { (const char **)(uintptr_t)texts, 0 };

        while (texts[list.count])
                list.count++;
        return list;
}

static const struct {
        const char *signer, *cn, *organizations[3], *san, *usages[5], *why; /* why NULL: taken */
} signings[] = {
        { PKI_SIGNER_CLIENT, "jane", { "devs" }, NULL, { "client auth" }, NULL },
        { PKI_SIGNER_CLIENT, "jane", { "devs" }, "DNS:x", { SIGNATURE, ENCIPHERMENT, "client auth" }, NULL },
        { PKI_SIGNER_CLIENT,
          "jane",
          { NULL },
          NULL,
          { SIGNATURE },
          "missing required usage for client certificate: client auth" },
        { PKI_SIGNER_CLIENT,
          "jane",
          { NULL },
          NULL,
          { "client auth", "server auth" },
          "invalid usage for client certificate: server auth" },
        { PKI_SIGNER_KUBELET_CLIENT, "system:node:a", { "system:nodes" }, NULL, { SIGNATURE, "client auth" }, NULL },
        { PKI_SIGNER_KUBELET_CLIENT,
          "system:node:a",
          { "system:nodes" },
          NULL,
          { SIGNATURE, ENCIPHERMENT, "client auth" },
          NULL },
        { PKI_SIGNER_KUBELET_CLIENT,
          "system:node:a",
          { "system:nodes" },
          NULL,
          { "client auth" },
          "usages did not match [client auth digital signature key encipherment]" },
        { PKI_SIGNER_KUBELET_CLIENT,
          "system:node:a",
          { "system:nodes" },
          NULL,
          { SIGNATURE, "client auth", "server auth" },
          "usages did not match [client auth digital signature key encipherment]" },
        { PKI_SIGNER_KUBELET_CLIENT,
          "system:node:a",
          { "system:nodes", "system:masters" },
          NULL,
          { SIGNATURE, "client auth" },
          "subject organization is not system:nodes" },
        { PKI_SIGNER_KUBELET_CLIENT,
          "admin",
          { "system:nodes" },
          NULL,
          { SIGNATURE, "client auth" },
          "subject common name does not begin with system:node: " },
        { PKI_SIGNER_KUBELET_CLIENT,
          "system:node:a",
          { "system:nodes" },
          "DNS:a",
          { SIGNATURE, "client auth" },
          "DNS subjectAltNames are not allowed" },
        { PKI_SIGNER_KUBELET_CLIENT,
          "system:node:a",
          { "system:nodes" },
          "IP:::1",
          { SIGNATURE, "client auth" },
          "IP subjectAltNames are not allowed" },
        { PKI_SIGNER_KUBELET_SERVING,
          "system:node:a",
          { "system:nodes" },
          "DNS:a,IP:10.0.0.1",
          { SIGNATURE, "server auth" },
          NULL },
        { PKI_SIGNER_KUBELET_SERVING,
          "system:node:a",
          { "system:nodes" },
          NULL,
          { SIGNATURE, "server auth" },
          "DNS or IP subjectAltName is required" },
        { PKI_SIGNER_KUBELET_SERVING,
          "system:node:a",
          { "system:nodes" },
          "DNS:a,email:a@b",
          { SIGNATURE, "server auth" },
          "Email subjectAltNames are not allowed" },
        { PKI_SIGNER_KUBELET_SERVING,
          "system:node:a",
          { "system:nodes" },
          "DNS:a,URI:http://a",
          { SIGNATURE, "server auth" },
          "URI subjectAltNames are not allowed" },
        { PKI_SIGNER_KUBELET_SERVING,
          "system:node:a",
          { "system:nodes" },
          "DNS:a",
          { SIGNATURE, "client auth" },
          "usages did not match [digital signature key encipherment server auth]" },
};

static void test_signers(void **state) {
        for (unsigned i = 0; i < ELEMENTS(signings); i++) {
                struct pki_csr csr =
                        read_request(make_request(signings[i].cn, signings[i].organizations, signings[i].san, NULL));
                struct pki_csr_spec spec = { .signer = signings[i].signer, .usages = list_of(signings[i].usages) };
                _cleanup_err_ struct err *err = NULL;
                int r = pki_csr_check(&csr, &spec, &err);

                assert_int_equal(r, signings[i].why ? -EINVAL : 0);
                if (signings[i].why)
                        assert_string_equal(err_text(err), signings[i].why);
        }
        assert_int_equal(
                pki_csr_check(&(struct pki_csr){ 0 }, &(struct pki_csr_spec){ .signer = "example.com/mine" }, NULL),
                -ENOENT);
}

static X509 *sign(const struct pki_csr *csr, const struct pki_csr_spec *spec, int64_t now) {
        struct pki_csr_spec then = *spec;
        const char *pem;

        then.now = now;
        assert_int_equal(pki_csr_sign(pki, csr, &then, &pem, NULL), 0);
        return pki_certificate_read(pem);
}

/* In the subject, once, whatever the request would have there. */
static void test_uids(void **state) {
        static const char *const organizations[] = { "system:nodes", NULL }, *const usages[] = { "client auth", NULL };
        struct pki_csr csr = read_request(make_request("system:node:a", organizations, NULL, NULL));
        static const char *const uids[] = { NULL, "1-2-3" };

        for (unsigned i = 0; i < ELEMENTS(uids); i++) {
                struct pki_csr_spec spec = { .signer = PKI_SIGNER_KUBELET_CLIENT,
                                             .usages = list_of(usages),
                                             .uid = uids[i] };
                _cleanup_x509_ X509 *c = sign(&csr, &spec, NOW);
                struct x509_subject subject;

                assert_int_equal(x509_subject_read(csr.arena, c, &subject, NULL), 0);
                assert_string_equal(subject.name, "system:node:a");
                assert_int_equal(subject.n_organizations, 1);
                assert_int_equal(!!subject.uid, !!uids[i]);
                if (uids[i])
                        assert_string_equal(subject.uid, uids[i]);
        }
}

static void test_lives(void **state) {
        static const struct {
                int64_t asked, begins, ends; /* from now; asked 0: nothing is */
        } cases[] = {
                { 0, -300, YEAR - 300 },   { 3600, -300, 3600 },          { 60, -300, 600 },
                { 8 * 3600, -300, 28500 }, { 8 * 3600 - 1, -300, 28799 }, { 10 * YEAR, -300, YEAR - 300 },
        };
        static const char *const none[] = { NULL }, *const usages[] = { "client auth", NULL };
        struct pki_csr csr = read_request(make_request("jane", none, NULL, NULL));

        for (unsigned i = 0; i < ELEMENTS(cases); i++) {
                struct pki_csr_spec spec = { .signer = PKI_SIGNER_CLIENT,
                                             .usages = list_of(usages),
                                             .seconds = { cases[i].asked, cases[i].asked > 0 } };
                _cleanup_x509_ X509 *c = sign(&csr, &spec, NOW);

                assert_int_equal(pki_certificate_begins(c), NOW + cases[i].begins);
                assert_int_equal(pki_certificate_ends(c), NOW + cases[i].ends);
        }
        {
                struct pki_csr_spec spec = { .signer = PKI_SIGNER_CLIENT, .usages = list_of(usages) };
                int64_t last = pki_certificate_ends(pki_authority(pki));
                _cleanup_x509_ X509 *c = sign(&csr, &spec, last - 3600);

                assert_int_equal(pki_certificate_ends(c), last);
        }
}

/* A request that wants to be an authority gets its names, and is none. */
static void test_what_is_signed_is_what_was_checked(void **state) {
        static const char *const nodes[] = { "system:nodes", NULL }, *const usages[] = { SIGNATURE, "server auth",
                                                                                         NULL };
        struct pki_csr csr =
                read_request(make_request("system:node:a", nodes, "DNS:a,IP:10.0.0.1", "critical,CA:TRUE"));
        struct pki_csr_spec spec = { .signer = PKI_SIGNER_KUBELET_SERVING, .usages = list_of(usages) };
        _cleanup_x509_ X509 *c = sign(&csr, &spec, NOW);

        assert_string_equal(csr.common_name, "system:node:a");
        assert_int_equal(X509_check_ca(c), 0);
        assert_int_equal(X509_get_extended_key_usage(c), XKU_SSL_SERVER);
        assert_int_equal(X509_get_key_usage(c), KU_DIGITAL_SIGNATURE);
        assert_int_equal(X509_check_host(c, "a", 0, 0, NULL), 1);
        assert_int_equal(X509_check_ip_asc(c, "10.0.0.1", 0), 1);
        assert_true(pki_certificate_signed_by(c, pki_authority(pki)));
}

static void test_a_kubelet_may_go_on(void **state) {
        static const char *const nodes[] = { "system:nodes", NULL }, *const usages[] = { SIGNATURE, "client auth",
                                                                                         NULL };
        struct pki_csr csr = read_request(make_request("system:node:a", nodes, NULL, NULL));
        struct pki_csr_spec spec = { .signer = PKI_SIGNER_KUBELET_CLIENT, .usages = list_of(usages) };
        struct auth_config config = { .authorities = pki_certificate(pki, PKI_AUTHORITY) };
        _cleanup_x509_ X509 *c = sign(&csr, &spec, NOW);
        struct auth_authenticator *authenticator;
        struct auth_identity identity;

        assert_int_equal(auth_authenticator_new(&config, &authenticator, NULL), 0);
        assert_int_equal(auth_certificate(authenticator, &(struct auth_credentials){ .certificate = c }, NOW, arena,
                                          &identity, NULL),
                         0);
        assert_string_equal(auth_user_node(&identity.user), "a");
        auth_authenticator_free(authenticator);
}

static void test_what_is_no_request(void **state) {
        static const char *const none[] = { NULL };
        const char *good = make_request("jane", none, "DNS:a", NULL);
        char *changed = arena_strdup(arena, good), *large = arena_alloc(arena, PKI_CSR_MAX + 2);
        char names[PKI_CSR_NAMES_MAX * 8 + 16] = "";
        struct pki_csr csr;
        size_t n = strlen(good);

        changed[n - 60] = changed[n - 60] == 'A' ? 'B' : 'A'; /* in the signature */
        assert_true(pki_csr_read(arena, changed, n, &csr, NULL) < 0);
        assert_int_equal(pki_csr_read(arena, "", 0, &csr, NULL), -EINVAL);
        assert_int_equal(pki_csr_read(arena, pki_certificate(pki, PKI_ADMIN), strlen(pki_certificate(pki, PKI_ADMIN)),
                                      &csr, NULL),
                         -EINVAL);
        memset(large, '\n', PKI_CSR_MAX + 1);
        memcpy(large, good, n);
        assert_int_equal(pki_csr_read(arena, large, PKI_CSR_MAX, &csr, NULL), 0);
        assert_int_equal(pki_csr_read(arena, large, PKI_CSR_MAX + 1, &csr, NULL), -E2BIG);
        for (unsigned i = 0; i < PKI_CSR_NAMES_MAX; i++)
                sprintf(names + strlen(names), "%sDNS:%u", i ? "," : "", i % 100);
        good = make_request("jane", none, names, NULL);
        assert_int_equal(pki_csr_read(arena, good, strlen(good), &csr, NULL), 0);
        strcat(names, ",DNS:x");
        good = make_request("jane", none, names, NULL);
        assert_int_equal(pki_csr_read(arena, good, strlen(good), &csr, NULL), -E2BIG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_signers),
                TEST(test_uids),
                TEST(test_lives),
                TEST(test_what_is_signed_is_what_was_checked),
                TEST(test_a_kubelet_may_go_on),
                TEST(test_what_is_no_request),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
