/* Keys, requests and certificates of a client; and how a request becomes a certificate, answer by answer. */
#include "lib/openssl.h"
#include "tests/unit/support/fake_client.h"

#include <openssl/pem.h>

#include "api/pki/certificate.h"
#include "client/certificate.h"
#include "client/signing.h"
#include "lib/arena.h"
#include "lib/base64.h"

#define NOW INT64_C(1796000000)

static uv_loop_t loop;
static struct fake fake;
static struct arena *arena;
static const char *key;
static char heard[256];
static int error;

static int begin(void **state) {
        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        arena = arena_new();
        heard[0] = '\0';
        error = 1;
        return client_key_new(arena, &key, NULL);
}

static int end(void **state) {
        fake_done(&fake);
        arena_free(arena);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        return 0;
}

static const char *certificate_of(const char *key_pem) {
        _cleanup_key_ EVP_PKEY *own = pki_key_read(key_pem);
        _cleanup_x509_ X509 *made = NULL;
        const char *name = "10.0.0.1";
        const struct pki_order order = {
                .common_name = "c", .begins = NOW, .ends = NOW + 60, .uses = PKI_USE_CLIENT, .names = { &name, 1 }
        };
        _cleanup_free_ char *pem = NULL;

        assert_int_equal(pki_certificate_new(&order, own, NULL, NULL, &made, NULL), 0);
        pem = pki_certificate_pem(made);
        return arena_strdup(arena, pem);
}

static void test_what_a_certificate_says(void **state) {
        const char *pem = certificate_of(key), *other, *digest, *again;
        const char *right[] = { "10.0.0.1", NULL }, *more[] = { "10.0.0.1", "x", NULL },
                   *wrong[] = { "10.0.0.2", NULL };
        char hash[CLIENT_HASH_TEXT_MAX];
        struct client_life life;

        assert_int_equal(client_key_new(arena, &other, NULL), 0);
        assert_true(client_certificate_fits(pem, key));
        assert_false(client_certificate_fits(pem, other));
        assert_false(client_certificate_fits("nonsense", key));
        assert_int_equal(client_certificate_life(pem, &life, NULL), 0);
        assert_true(life.begins == NOW && life.ends == NOW + 60);
        assert_int_equal(client_certificate_life(key, &life, NULL), -EINVAL);
        assert_true(client_certificate_names(pem, &(struct client_subject){ .names = right }));
        assert_false(client_certificate_names(pem, &(struct client_subject){ .names = more }));
        assert_false(client_certificate_names(pem, &(struct client_subject){ .names = wrong }));
        assert_false(client_certificate_names(pem, &(struct client_subject){ 0 }));
        assert_int_equal(client_authority_hash(pem, hash, NULL), 0);
        assert_int_equal(strlen(hash), CLIENT_HASH_TEXT_MAX - 1);
        assert_int_equal(client_csr_digest(arena, key, "x", &digest, NULL), 0);
        assert_int_equal(client_csr_digest(arena, key, "y", &again, NULL), 0);
        assert_string_not_equal(digest, again);
        assert_int_equal(client_csr_digest(arena, pem, "x", &again, NULL), -EINVAL);
}

static void test_a_request(void **state) {
        const char *names[] = { "10.0.0.1", "fd00::1", "n1", NULL }, *pem;
        const struct client_subject subject = { "system:node:n1", "system:nodes", names };
        X509_NAME *name;
        X509_REQ *request;
        char text[64];
        BIO *bio;

        assert_int_equal(client_csr_new(arena, key, &subject, &pem, NULL), 0);
        assert_int_equal(client_csr_new(arena, "none", &subject, &pem, NULL), -EINVAL);
        bio = BIO_new_mem_buf(pem, -1);
        request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
        assert_non_null(request);
        assert_int_equal(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)), 1);
        name = X509_REQ_get_subject_name(request);
        X509_NAME_get_text_by_NID(name, NID_commonName, text, sizeof(text));
        assert_string_equal(text, "system:node:n1");
        X509_NAME_get_text_by_NID(name, NID_organizationName, text, sizeof(text));
        assert_string_equal(text, "system:nodes");
        X509_REQ_free(request);
        BIO_free(bio);
}

/* --- the object --- */

static void on_done(void *data, const struct client_signing_answer *answer) {
        assert_int_equal(error, 1);
        error = answer->error;
        snprintf(heard, sizeof(heard), "%s", answer->error ? answer->why : answer->certificate);
}

static struct client_signing *ask(void) {
        const struct client_signing_order order = { .signer = "s",
                                                    .prefix = "node-csr-",
                                                    .usage = "client auth",
                                                    .key = key,
                                                    .subject = { "system:node:n1", "system:nodes", NULL } };
        struct client_signing *s = NULL;

        assert_int_equal(client_signing_new(&fake.base, &order, on_done, NULL, &s, NULL), 0);
        return s;
}

static const char *name_of(const struct fake_call *call) {
        const char *at = strstr(call->body, "\"name\":\"");

        assert_non_null(at);
        at += strlen("\"name\":\"");
        return arena_strndup(arena, at, strcspn(at, "\""));
}

static const char *signed_with(const char *pem) {
        char *coded = arena_alloc(arena, BASE64_LENGTH(strlen(pem)) + 1);

        base64_encode(pem, strlen(pem), coded);
        return arena_printf(arena, "{\"status\":{\"certificate\":\"%s\"}}", coded);
}

static void run(void) {
        uv_run(&loop, UV_RUN_NOWAIT);
}

static void test_made_watched_signed(void **state) {
        const char *name, *pem = certificate_of(key);
        const struct kube_kind *kind;

        ask();
        name = name_of(fake_next(&fake));
        assert_non_null(strstr(fake_next(&fake)->body, "\"usages\":[\"digital signature\",\"client auth\"]"));
        fake_answer(fake_next(&fake), 201, "", "{}");
        kind = fake.lists[0].kind;
        assert_string_equal(fake.lists[0].fields, arena_printf(arena, "metadata.name=%s", name));
        fake_put(&fake, kind, "", name, "{}");
        fake_answer_lists(&fake);
        fake_put(&fake, kind, "", name, "{\"status\":{\"conditions\":[{\"type\":\"Approved\"}]}}");
        run();
        assert_int_equal(error, 1);
        fake_end_watches(&fake, 0); /* the server had it long enough */
        fake_answer_lists(&fake);
        fake_put(&fake, kind, "", name, signed_with(pem));
        run();
        assert_int_equal(error, 0);
        assert_string_equal(heard, arena_strndup(arena, pem, sizeof(heard) - 1));
        assert_false(fake.watches[1].open);
}

static void test_there_from_before(void **state) {
        ask();
        fake_put(&fake, NULL, "", "x", "{}");
        fake_answer(fake_next(&fake), 409, "AlreadyExists", "{}");
        fake_put(&fake, fake.lists[0].kind, "", name_of(&fake.sent[0]), signed_with(certificate_of(key)));
        fake_answer_lists(&fake);
        run();
        assert_int_equal(error, 0);
}

static void test_what_ends_badly(void **state) {
        static const struct {
                const char *object, *why;
                int error;
        } cases[] = {
                { "{\"status\":{\"conditions\":[{\"type\":\"Denied\",\"message\":\"no\"}]}}", "Denied: no", -EACCES },
                { "{\"status\":{\"conditions\":[{\"type\":\"Failed\"}]}}", "Failed: no reason is given", -EACCES },
                { "{\"status\":{\"certificate\":\"bm8=\"}}", "is not of our key", -EACCES },
                { NULL, "not there any more", -ENOENT },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                fake_done(&fake);
                fake_init(&fake, &loop);
                error = 1;
                ask();
                fake_answer(fake_next(&fake), 201, "", "{}");
                if (cases[i].object)
                        fake_put(&fake, fake.lists[0].kind, "", name_of(&fake.sent[0]), cases[i].object);
                fake_answer_lists(&fake);
                run();
                assert_int_equal(error, cases[i].error);
                if (!strstr(heard, cases[i].why))
                        fail_msg("%s has no %s", heard, cases[i].why);
        }
}

static void test_who_is_not_known(void **state) {
        ask();
        fake_answer(fake_next(&fake), 401, "Unauthorized", "{}");
        run();
        assert_int_equal(error, -EACCES);
        assert_string_equal(heard, "Unauthorized");
}

static void test_given_up(void **state) {
        struct client_signing *s = ask();

        fake_answer(fake_next(&fake), 201, "", "{}");
        client_signing_free(s);
        run();
        assert_int_equal(error, 1);
        assert_false(fake.lists[0].open);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_what_a_certificate_says, begin, end),
                cmocka_unit_test_setup_teardown(test_a_request, begin, end),
                cmocka_unit_test_setup_teardown(test_made_watched_signed, begin, end),
                cmocka_unit_test_setup_teardown(test_there_from_before, begin, end),
                cmocka_unit_test_setup_teardown(test_what_ends_badly, begin, end),
                cmocka_unit_test_setup_teardown(test_who_is_not_known, begin, end),
                cmocka_unit_test_setup_teardown(test_given_up, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
