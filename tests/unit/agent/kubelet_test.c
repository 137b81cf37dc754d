/* Kubelet's API: what clients ask of logs, which log it is, and what is remembered of the service's answers. */
#include "tests/unit/support/fake_client.h"

#include "agent/kubelet/log_choice.h"
#include "agent/kubelet/log_options.h"
#include "agent/kubelet/reviews.h"
#include "agent/kubelet/self_signed.h"
#include "agent/kubelet/user.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* --- options of logs --- */

#define NOW INT64_C(1800000000000000000)

static void test_options(void **state) {
        static const struct {
                const char *query;
                int result;
                struct kubelet_log_options options;
        } cases[] = {
#define ALL .tail_lines = -1, .limit_bytes = -1
                { "", 0, { { ALL }, false } },
                { "follow=true&timestamps&previous=1", 0, { { ALL, .follow = true, .timestamps = true }, true } },
                { "follow=false&timestamps=0&previous=False", 0, { { ALL }, false } },
                { "tailLines=7", 0, { { .tail_lines = 7, .limit_bytes = -1 }, false } },
                { "tail=7&tailLines=9", 0, { { .tail_lines = 7, .limit_bytes = -1 }, false } },
                { "tail=all&tailLines=9", 0, { { ALL }, false } },
                { "tailLines=0", 0, { { .tail_lines = 0, .limit_bytes = -1 }, false } },
                { "limitBytes=%31", 0, { { .tail_lines = -1, .limit_bytes = 1 }, false } },
                { "sinceSeconds=5", 0, { { ALL, .since_ns = NOW - 5000000000 }, false } },
                { "sinceSeconds=9000000000000000000", 0, { { ALL }, false } },
                { "sinceTime=1970-01-01T00:00:07Z", 0, { { ALL, .since_ns = 7000000000 }, false } },
                { "sinceTime=1970-01-01T01:00:07%2B01:00", 0, { { ALL, .since_ns = 7000000000 }, false } },
                { "sinceTime=1970-01-01T00:00:07.5Z", 0, { { ALL, .since_ns = 7500000000 }, false } },
                { "sinceTime=1970-01-01T00:00:07.0000000019%2B00:00", 0, { { ALL, .since_ns = 7000000001 }, false } },
                { "sinceTime=", 0, { { ALL }, false } },
                { "stream=All", 0, { { ALL }, false } },
                { "stream=Stdout", 0, { { ALL, .no_stderr = true }, false } },
                { "stream=Stderr", 0, { { ALL, .no_stdout = true }, false } },
                { "tailLines=", -EBADMSG, { { 0 }, false } },
                { "tailLines=1x", -EBADMSG, { { 0 }, false } },
                { "tailLines=%201", -EBADMSG, { { 0 }, false } },
                { "tailLines=9223372036854775808", -EBADMSG, { { 0 }, false } },
                { "limitBytes=many", -EBADMSG, { { 0 }, false } },
                { "sinceTime=now", -EBADMSG, { { 0 }, false } },
                { "tailLines=-1", -EINVAL, { { 0 }, false } },
                { "limitBytes=0", -EINVAL, { { 0 }, false } },
                { "sinceSeconds=0", -EINVAL, { { 0 }, false } },
                { "sinceSeconds=1&sinceTime=1970-01-01T00:00:07Z", -EINVAL, { { 0 }, false } },
                { "stream=stdout", -EINVAL, { { 0 }, false } },
                { "stream=Stdout&tailLines=2", -EINVAL, { { 0 }, false } },
#undef ALL
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct kubelet_log_options got = { { 0 }, false };

                print_message("%s\n", cases[i].query);
                assert_int_equal(kubelet_log_options_read(arena, cases[i].query, NOW, &got), cases[i].result);
                assert_memory_equal(&got.logs, &cases[i].options.logs, sizeof(got.logs));
                assert_true(got.previous == cases[i].options.previous);
        }
}

/* --- which log --- */

#define STATUS(...)                                                                                                    \
        (struct kube_container_status) {                                                                               \
                .name = "c", __VA_ARGS__                                                                               \
        }

static void expect_choice(struct kube_container_status status, bool previous, const char *wanted) {
        struct kube_pod_status pod = { .init_container_statuses = { .items = &status, .count = 1 } };
        const struct kubelet_log_choice choice = { "p", "c", previous };
        _cleanup_err_ struct err *err = NULL;
        const char *id = NULL;

        if (kubelet_log_choose(&choice, &pod, &id, &err) < 0)
                id = err_text(err);
        assert_string_equal(id, wanted);
}

static void test_choice(void **state) {
        struct kube_container_state_running running = { { 0 } };
        struct kube_container_state_terminated ended = { .container_id = "x://1" }, unknown = { .exit_code = 1 };
        struct kube_container_state_waiting pull = { .reason = "ErrImagePull" },
                                            back = { .reason = "ImagePullBackOff" },
                                            other = { .reason = "CrashLoopBackOff" };

        expect_choice(STATUS(.state.running = &running, .container_id = "x://2"), false, "x://2");
        expect_choice(STATUS(.state.running = &running, .container_id = "x://2", .last_state.terminated = &ended), true,
                      "x://1");
        expect_choice(STATUS(.state.terminated = &ended), false, "x://1");
        expect_choice(STATUS(.state.terminated = &unknown, .last_state.terminated = &ended), false, "x://1");
        expect_choice(STATUS(.state.waiting = &other, .last_state.terminated = &ended), false, "x://1");
        expect_choice(STATUS(.state.terminated = &unknown), false, "container \"c\" in pod \"p\" is terminated");
        expect_choice(STATUS(.state.running = &running), true,
                      "previous terminated container \"c\" in pod \"p\" not found");
        expect_choice(STATUS(.state.waiting = &pull), false,
                      "container \"c\" in pod \"p\" is waiting to start: image can't be pulled");
        expect_choice(STATUS(.state.waiting = &back), false,
                      "container \"c\" in pod \"p\" is waiting to start: trying and failing to pull image");
        expect_choice(STATUS(.state.waiting = &other), false,
                      "container \"c\" in pod \"p\" is waiting to start: CrashLoopBackOff");
        expect_choice(STATUS(.ready = false), false, "container \"c\" in pod \"p\" is waiting to start - no logs yet");
        expect_choice((struct kube_container_status){ .name = "d" }, false,
                      "container \"c\" in pod \"p\" is not available");
}

/* --- what the service says --- */

static uv_loop_t loop;
static struct fake fake;
static struct kubelet_reviews *reviews;

struct asker {
        struct kubelet_waiter waiter;
        unsigned told;
        int error;
        bool yes;
        char name[64];
};

static void on_said(struct kubelet_waiter *waiter, const struct kubelet_said *said) {
        struct asker *a = (struct asker *)waiter;

        a->told++;
        a->error = said->error;
        a->yes = said->yes;
        snprintf(a->name, sizeof(a->name), "%s", said->user ? said->user->name : "");
}

static int begin(void **state) {
        const struct kubelet_review_ages ages = { 60000, 60000, 0 };

        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        assert_int_equal(kubelet_reviews_new(&loop, &fake.base, &ages, &reviews), 0);
        return 0;
}

static int end(void **state) {
        kubelet_reviews_free(reviews);
        fake_done(&fake);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        return 0;
}

static int ask_token(struct asker *a, const char *token) {
        struct kubelet_said said = { 0 };
        int r;

        *a = (struct asker){ .waiter.done = on_said };
        r = kubelet_review_token(reviews, token, &a->waiter, &said);
        if (r != 0)
                on_said(&a->waiter, &said);
        return r;
}

static void answer(unsigned call, int code, const char *json) {
        fake_answer(&fake.sent[call], code, "", json);
}

#define KNOWN                                                                                                          \
        "{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"u\",\"uid\":\"1\",\"groups\":[\"g\"],"           \
        "\"extra\":{\"k\":[\"v\"]}}}}"

static void test_tokens(void **state) {
        struct asker a, b, c;

        assert_int_equal(ask_token(&a, "t"), 0);
        assert_int_equal(ask_token(&b, "t"), 0);
        assert_int_equal(ask_token(&c, "t"), 0);
        assert_int_equal(fake.n_sent, 1);
        assert_string_equal(fake.sent[0].target, "/apis/authentication.k8s.io/v1/tokenreviews");
        assert_string_equal(fake.sent[0].body, "{\"kind\":\"TokenReview\",\"apiVersion\":\"authentication.k8s.io/v1\","
                                               "\"spec\":{\"token\":\"t\"}}");
        kubelet_waiter_leave(&c.waiter);
        answer(0, 201, KNOWN);
        assert_true(a.told == 1 && b.told == 1 && c.told == 0 && a.yes && b.yes);
        assert_string_equal(a.name, "u");
        assert_int_equal(ask_token(&a, "t"), 1);
        assert_true(a.yes);
        assert_int_equal(ask_token(&a, "u"), 0);
        assert_int_equal(fake.n_sent, 2);
        answer(1, 201, "{\"status\":{\"error\":\"no\"}}");
        assert_true(a.told == 1 && !a.yes && a.error == 0);
        assert_int_equal(ask_token(&a, "u"), 0); /* it was not remembered */
        answer(2, 500, "{}");
        assert_true(a.error == -EIO && !a.yes);
        assert_int_equal(ask_token(&a, "u"), 0);
        answer(3, 201, "{\"status\":{\"authenticated\":true,\"user\":{}}}");
        assert_true(a.error < 0 && !a.yes);
        assert_int_equal(ask_token(&a, "u"), 0);
        answer(4, 201, "rubbish");
        assert_true(a.error < 0 && !a.yes);
        assert_int_equal(ask_token(&a, "u"), 0);
        answer(5, -ECONNRESET, ""); /* once more */
        assert_int_equal(a.told, 0);
        answer(6, -ECONNRESET, "");
        assert_int_equal(a.error, -ECONNRESET);
}

static void test_rights(void **state) {
        struct kubelet_user *user = kubelet_user_anonymous();
        const struct kubelet_access access = { user, "get", "n", "proxy" };
        struct asker a = { .waiter.done = on_said };
        struct kubelet_said said;

        assert_int_equal(kubelet_review_access(reviews, &access, &a.waiter, &said), 0);
        assert_string_equal(fake.sent[0].body,
                            "{\"kind\":\"SubjectAccessReview\",\"apiVersion\":\"authorization.k8s.io/v1\",\"spec\":"
                            "{\"resourceAttributes\":{\"verb\":\"get\",\"version\":\"v1\",\"resource\":\"nodes\","
                            "\"subresource\":\"proxy\",\"name\":\"n\"},\"user\":\"system:anonymous\","
                            "\"groups\":[\"system:unauthenticated\"]}}");
        answer(0, 201, "{\"status\":{\"allowed\":true,\"denied\":true}}");
        assert_true(a.told == 1 && !a.yes);
        assert_int_equal(kubelet_review_access(reviews, &access, &a.waiter, &said),
                         0); /* a no counts for no time here */
        answer(1, 201, "{\"status\":{\"allowed\":true}}");
        assert_true(a.yes);
        assert_int_equal(kubelet_review_access(reviews, &access, &a.waiter, &said), 1);
        assert_true(said.yes);
        kubelet_user_unref(user);
}

static void test_bounds(void **state) {
        static struct asker askers[KUBELET_REVIEWS_PENDING_MAX + 1];
        struct kubelet_user *user = kubelet_user_anonymous();
        const struct kubelet_access access = { user, "get", "n", "proxy" };
        struct asker other = { .waiter.done = on_said };
        struct kubelet_said said;
        char token[16];

        for (unsigned i = 0; i < KUBELET_REVIEWS_PENDING_MAX; i++) {
                snprintf(token, sizeof(token), "%u", i);
                assert_int_equal(ask_token(&askers[i], token), 0);
        }
        assert_int_equal(ask_token(&askers[KUBELET_REVIEWS_PENDING_MAX], "more"), -EBUSY);
        assert_int_equal(kubelet_review_access(reviews, &access, &other.waiter, &said), 0);
        answer(KUBELET_REVIEWS_PENDING_MAX, 201, "{\"status\":{\"allowed\":true}}");
        assert_true(other.told == 1 && other.yes);
        kubelet_user_unref(user);
        for (unsigned i = 0; i < KUBELET_REVIEWS_PENDING_MAX; i++)
                answer(i, 201, KNOWN);
        for (unsigned i = fake.n_sent; i < FAKE_MAX; i++) {
                snprintf(token, sizeof(token), "more%u", i);
                assert_int_equal(ask_token(&askers[0], token), 0);
                answer(i, 201, KNOWN);
        }
        assert_int_equal(ask_token(&askers[0], "0"), 1); /* there is room for all of these */
}

/* --- the certificate --- */

static void test_certificate(void **state) {
        _cleanup_free_ char *certificate = NULL, *key = NULL;
        const int64_t now = 1800000000;

        assert_int_equal(kubelet_self_signed_new("n", "127.0.0.1", now, &certificate, &key, NULL), 0);
        assert_non_null(strstr(certificate, "BEGIN CERTIFICATE"));
        assert_non_null(strstr(key, "BEGIN PRIVATE KEY"));
        assert_true(kubelet_self_signed_is_good(certificate, now));
        assert_false(kubelet_self_signed_is_good(certificate, now + KUBELET_CERTIFICATE_SECONDS * 2 / 3));
        assert_false(kubelet_self_signed_is_good(certificate, now - 2 * 24 * 3600));
        assert_false(kubelet_self_signed_is_good("rubbish", now));
        assert_int_equal(kubelet_self_signed_new("n", "nowhere", now, &certificate, &key, NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_options),
                cmocka_unit_test(test_choice),
                cmocka_unit_test_setup_teardown(test_tokens, begin, end),
                cmocka_unit_test_setup_teardown(test_rights, begin, end),
                cmocka_unit_test_setup_teardown(test_bounds, begin, end),
                cmocka_unit_test(test_certificate),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
