/* Keys and certificates over a made-up clock: first starts, renewals, crashes between two files, clocks that were
 * wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "api/pki/certificate.h"
#include "api/pki/pki.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/openssl.h"

#define NOW INT64_C(1796000000) /* 2026-11-30 */
#define YEAR ((int64_t)365 * 24 * 3600)

static char directory[64];
static const char *names[PKI_NAMES_MAX + 2];

static int set_up(void **state) {
        strcpy(directory, "/tmp/nacelle-pki-XXXXXX");
        names[0] = "10.96.0.1";
        names[1] = "node-1";
        names[2] = "0.0.0.0";
        names[3] = NULL;
        return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state) {
        return files_remove_tree(directory, NULL);
}

static int try_open(int64_t now, struct pki **ret, struct err **err) {
        const struct pki_config config = { directory, "https://127.0.0.1:6443", names, "cluster.local" };

        return pki_open(&config, now, ret, err);
}

static struct pki *must_open(int64_t now) {
        struct pki *pki = NULL;
        _cleanup_err_ struct err *err = NULL;

        if (try_open(now, &pki, &err) < 0)
                fail_msg("%s", err_text(err));
        return pki;
}

static char *slurp(const char *name) {
        char path[128], *text = NULL;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        assert_int_equal(files_read(path, PKI_FILE_MAX, &text, NULL, NULL), 0);
        return text;
}

static void spill(const char *name, const char *text) {
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        if (text)
                assert_int_equal(files_replace(path, text, strlen(text), 0600, NULL), 0);
        else
                assert_int_equal(unlink(path), 0);
}

/* What a client says at @now that trusts @authority: X509_V_OK, or why not. */
static int verify(const char *authority, const char *certificate, int purpose, int64_t now) {
        _cleanup_x509_ X509 *ca = pki_certificate_read(authority), *leaf = pki_certificate_read(certificate);
        X509_STORE *store = X509_STORE_new();
        X509_STORE_CTX *ctx = X509_STORE_CTX_new();
        int error;

        X509_STORE_add_cert(store, ca);
        X509_STORE_CTX_init(ctx, store, leaf, NULL);
        X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), now);
        X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx), X509_V_FLAG_X509_STRICT);
        X509_STORE_CTX_set_purpose(ctx, purpose);
        X509_verify_cert(ctx);
        error = X509_STORE_CTX_get_error(ctx);
        X509_STORE_CTX_free(ctx);
        X509_STORE_free(store);
        return error;
}

static void expect_usable(struct pki *pki, int64_t now) {
        const char *ca = pki_certificate(pki, PKI_AUTHORITY), *front = pki_certificate(pki, PKI_FRONT_PROXY_AUTHORITY);

        assert_int_equal(verify(ca, pki_certificate(pki, PKI_SERVING), X509_PURPOSE_SSL_SERVER, now), X509_V_OK);
        assert_int_equal(verify(ca, pki_certificate(pki, PKI_ADMIN), X509_PURPOSE_SSL_CLIENT, now), X509_V_OK);
        assert_int_equal(verify(ca, pki_certificate(pki, PKI_KUBELET_CLIENT), X509_PURPOSE_SSL_CLIENT, now), X509_V_OK);
        assert_int_equal(verify(front, pki_certificate(pki, PKI_FRONT_PROXY_CLIENT), X509_PURPOSE_SSL_CLIENT, now),
                         X509_V_OK);
        assert_int_not_equal(verify(ca, pki_certificate(pki, PKI_FRONT_PROXY_CLIENT), X509_PURPOSE_SSL_CLIENT, now),
                             X509_V_OK);
        assert_int_not_equal(verify(ca, pki_certificate(pki, PKI_ADMIN), X509_PURPOSE_SSL_SERVER, now), X509_V_OK);
}

static unsigned must_renew(struct pki *pki, int64_t now) {
        _cleanup_err_ struct err *err = NULL;
        unsigned changed = 0;

        if (pki_renew(pki, now, &changed, &err) < 0)
                fail_msg("%s", err_text(err));
        return changed;
}

static void test_first_start(void **state) {
        static const char *const files[] = { "pki/ca.key",
                                             "pki/ca.crt",
                                             "pki/sa.key",
                                             "pki/sa.pub",
                                             "pki/apiserver.key",
                                             "pki/admin.crt",
                                             "pki/front-proxy-ca.key",
                                             "admin.kubeconfig" };
        struct pki *pki = must_open(NOW);
        _cleanup_x509_ X509 *serving = pki_certificate_read(pki_certificate(pki, PKI_SERVING));
        char path[128];
        struct stat st;

        expect_usable(pki, NOW);
        for (unsigned i = 0; i < ELEMENTS(files); i++) {
                snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
                assert_int_equal(stat(path, &st), 0);
                assert_int_equal(st.st_mode & 07777, 0600);
        }
        snprintf(path, sizeof(path), "%s/pki", directory);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_int_equal(X509_check_ip_asc(serving, "10.96.0.1", 0), 1);
        assert_int_equal(X509_check_ip_asc(serving, "::1", 0), 1);
        assert_int_equal(X509_check_ip_asc(serving, "0.0.0.0", 0), 0);
        assert_int_equal(X509_check_host(serving, "kubernetes.default.svc.cluster.local", 0, 0, NULL), 1);
        assert_int_equal(X509_check_host(serving, "node-1", 0, 0, NULL), 1);
        assert_int_equal(X509_check_host(serving, "kube-apiserver", 0, 0, NULL), 0);
        pki_free(pki);
}

static void test_second_start_changes_nothing(void **state) {
        static const char *const files[] = { "pki/ca.key",    "pki/ca.crt", "pki/apiserver.crt",
                                             "pki/admin.key", "pki/sa.key", "admin.kubeconfig" };
        char *before[ELEMENTS(files)];
        struct pki *pki = pki_free(must_open(NOW));

        for (unsigned i = 0; i < ELEMENTS(files); i++)
                before[i] = slurp(files[i]);
        pki = must_open(NOW + 3600);
        assert_int_equal(must_renew(pki, NOW + 3600), 0);
        for (unsigned i = 0; i < ELEMENTS(files); i++) {
                _cleanup_free_ char *after = slurp(files[i]);

                assert_string_equal(before[i], after);
                free(before[i]);
        }
        assert_int_equal(pki_due(pki, NOW), NOW + 24 * 3600);
        pki_free(pki);
}

static void test_leaves_are_renewed_while_it_runs(void **state) {
        struct pki *pki = must_open(NOW);
        _cleanup_free_ char *ca = strdup(pki_certificate(pki, PKI_AUTHORITY)), *config = slurp("admin.kubeconfig"),
                            *after = NULL;
        int64_t due = NOW, at = NOW;

        /* As the service does: it looks when it is told to, and at the latest a day later. */
        for (unsigned i = 0; i < 400 && at < NOW + YEAR && must_renew(pki, due) == 0; i++) {
                at = due;
                due = pki_due(pki, at);
                assert_true(due > at && due <= at + 24 * 3600);
        }
        assert_true(due > NOW + YEAR / 2 && due < NOW + YEAR * 3 / 4);
        expect_usable(pki, due);
        assert_string_equal(ca, pki_certificate(pki, PKI_AUTHORITY));
        after = slurp("admin.kubeconfig");
        assert_string_not_equal(config, after);
        assert_int_equal(must_renew(pki, due), 0);
        pki_free(pki);
}

/* Off for longer than anything is valid: the same authority, made anew, so that old clients' trust holds. */
static void test_expiry_while_off(void **state) {
        struct pki *pki = must_open(NOW);
        _cleanup_free_ char *old = strdup(pki_certificate(pki, PKI_AUTHORITY)), *key = slurp("pki/ca.key"),
                            *after = NULL;

        pki_free(pki);
        pki = must_open(NOW + 30 * YEAR);
        expect_usable(pki, NOW + 30 * YEAR);
        after = slurp("pki/ca.key");
        assert_string_equal(key, after);
        assert_string_not_equal(old, pki_certificate(pki, PKI_AUTHORITY));
        assert_int_equal(verify(old, pki_certificate(pki, PKI_SERVING), X509_PURPOSE_SSL_SERVER, NOW + 30 * YEAR),
                         X509_V_ERR_CERT_HAS_EXPIRED);

        /* The clock was wrong, and is set: */
        assert_int_equal(pki_due(pki, NOW), NOW);
        assert_true(must_renew(pki, NOW) & 1U << PKI_SERVING);
        expect_usable(pki, NOW);
        assert_int_equal(verify(old, pki_certificate(pki, PKI_SERVING), X509_PURPOSE_SSL_SERVER, NOW), X509_V_OK);
        assert_int_equal(must_renew(pki, NOW), 0);
        pki_free(pki);
}

static void test_first_start_with_a_wrong_clock(void **state) {
        static const int64_t wrong[] = { 0, 3600, NOW - 10 * YEAR, NOW + 5 * YEAR, NOW + 60 * YEAR };

        for (unsigned i = 0; i < ELEMENTS(wrong); i++) {
                struct pki *pki = must_open(wrong[i]);
                _cleanup_free_ char *ca = strdup(pki_certificate(pki, PKI_AUTHORITY));

                expect_usable(pki, wrong[i]);
                must_renew(pki, NOW);
                expect_usable(pki, NOW);
                assert_int_equal(verify(ca, pki_certificate(pki, PKI_SERVING), X509_PURPOSE_SSL_SERVER, NOW),
                                 X509_V_OK);
                assert_int_equal(must_renew(pki, NOW), 0);
                pki_free(pki);
                tear_down(state);
                assert_int_equal(mkdir(directory, 0700), 0);
        }
}

static void test_halves_are_made_whole(void **state) {
        struct pki *pki = must_open(NOW);
        _cleanup_free_ char *other = strdup(pki_key(pki, PKI_ADMIN)), *ca = strdup(pki_certificate(pki, PKI_AUTHORITY));

        pki_free(pki);
        spill("pki/apiserver.key", other); /* a crash between key and certificate */
        spill("pki/front-proxy-client.crt", "rubbish");
        spill("pki/admin.key", NULL);
        spill("pki/ca.crt", NULL);
        pki = must_open(NOW);
        expect_usable(pki, NOW);
        assert_int_equal(verify(ca, pki_certificate(pki, PKI_SERVING), X509_PURPOSE_SSL_SERVER, NOW), X509_V_OK);
        pki_free(pki);
}

static void test_what_cannot_be_made_anew_is_refused(void **state) {
        static const struct {
                const char *name, *text, *why;
        } cases[] = {
                { "pki/ca.key", NULL, ".key is missing beside .crt" },
                { "pki/ca.key", "rubbish", ".key is no private key" },
                { "pki/ca.crt", "rubbish", ".crt is no certificate of .key" },
                { "pki/front-proxy-ca.key", NULL, ".key is missing beside .crt" },
                { "pki/sa.key", NULL, "sa.key is missing beside sa.pub" },
                { "pki/sa.key", "rubbish", "sa.key is no private key" },
        };

        pki_free(must_open(NOW));
        for (unsigned i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_err_ struct err *err = NULL;
                _cleanup_free_ char *kept = slurp(cases[i].name);
                struct pki *pki = NULL;

                spill(cases[i].name, cases[i].text);
                assert_int_equal(try_open(NOW, &pki, &err), -EINVAL);
                assert_non_null(strstr(err_text(err), cases[i].why));
                spill(cases[i].name, kept);
        }
        pki_free(must_open(NOW));
}

/* A key's own number is another than the one that its public half, which stands beside it, is of. */
static void turn_bit(const char *name) {
        _cleanup_free_ char *text = slurp(name);
        char *number = strchr(text, '\n') + 1 + 60; /* in base64, within its first line */

        *number = *number == 'A' ? 'B' : 'A';
        spill(name, text);
}

static void test_a_key_with_a_wrong_bit(void **state) {
        static const char *const refused[] = { "pki/ca.key", "pki/front-proxy-ca.key", "pki/sa.key" };
        struct pki *pki = must_open(NOW);

        pki_free(pki);
        for (unsigned i = 0; i < ELEMENTS(refused); i++) {
                _cleanup_err_ struct err *err = NULL;
                _cleanup_free_ char *kept = slurp(refused[i]);

                turn_bit(refused[i]);
                assert_int_equal(try_open(NOW, &pki, &err), -EINVAL);
                assert_non_null(strstr(err_text(err), "restore it from a backup"));
                spill(refused[i], kept);
        }
        turn_bit("pki/apiserver.key");
        {
                _cleanup_free_ char *wrong = slurp("pki/apiserver.key");

                pki = must_open(NOW);
                assert_string_not_equal(pki_key(pki, PKI_SERVING), wrong);
        }
        expect_usable(pki, NOW);
        pki_free(pki);
}

static void test_names_of_the_serving_certificate(void **state) {
        _cleanup_err_ struct err *err = NULL;
        static char text[PKI_NAMES_MAX + 2][16];
        struct pki *pki = must_open(NOW);
        _cleanup_free_ char *before = strdup(pki_certificate(pki, PKI_SERVING)),
                            *ca = strdup(pki_certificate(pki, PKI_AUTHORITY));
        unsigned n = PKI_NAMES_MAX - 7; /* beside the usual ones */

        pki_free(pki);
        for (unsigned i = 0; i <= n; i++) {
                snprintf(text[i], sizeof(text[i]), "10.0.0.%u", i);
                names[i] = text[i];
        }
        names[n] = NULL;
        pki = must_open(NOW);
        assert_string_not_equal(before, pki_certificate(pki, PKI_SERVING));
        assert_string_equal(ca, pki_certificate(pki, PKI_AUTHORITY));
        pki = pki_free(pki);
        names[n] = text[n];
        names[n + 1] = NULL;
        assert_int_equal(try_open(NOW, &pki, &err), -E2BIG);
        err = err_free(err);
        names[0] = "a,IP:6.6.6.6";
        names[1] = NULL;
        assert_int_equal(try_open(NOW, &pki, &err), -EINVAL);
}

static void test_one_process_has_it(void **state) {
        struct pki *pki = must_open(NOW), *other;
        _cleanup_err_ struct err *err = NULL;

        assert_int_equal(try_open(NOW, &other, &err), -EBUSY);
        assert_non_null(strstr(err_text(err), "another process uses it"));
        pki_free(pki);
        pki_free(must_open(NOW));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_one_process_has_it),
                TEST(test_first_start),
                TEST(test_second_start_changes_nothing),
                TEST(test_leaves_are_renewed_while_it_runs),
                TEST(test_expiry_while_off),
                TEST(test_first_start_with_a_wrong_clock),
                TEST(test_halves_are_made_whole),
                TEST(test_what_cannot_be_made_anew_is_refused),
                TEST(test_a_key_with_a_wrong_bit),
                TEST(test_names_of_the_serving_certificate),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
