/* The frame and the controllers, by a made-up client, with a clock of the test's own. */
#include "tests/unit/support/fake_client.h"

#include "api/controllers/garbage_graph.h"
#include "api/controllers/internal.h"
#include "api/kinds.h"
#include "kube/kinds.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

#define MS (WORK_SECOND / 1000)
#define WALL INT64_C(1796000000) /* 2026-11-30T00:53:20Z */

#define YEAR_S (INT64_C(8760) * 3600)

static uv_loop_t loop;
static struct fake fake;
static struct kube_registry *kinds;
static struct controllers *controllers;
static uint64_t now;

static uint64_t clock_now(void *data) {
        return now;
}

static int64_t clock_wall(void *data) {
        return WALL + (int64_t)(now / WORK_SECOND);
}

static const struct kube_kind *kind_of(const char *version, const char *kind) {
        char group[64];
        const char *rest;

        assert_int_equal(kube_split_api_version(version, group, sizeof(group), &rest), 0);
        return kube_registry_kind(kinds, group, rest, kind);
}

/* Lists are answered, and what is due is begun. */
static void turn(void) {
        for (unsigned i = 0; i < 4; i++) {
                uv_run(&loop, UV_RUN_NOWAIT);
                fake_answer_lists(&fake);
        }
        controllers_turn(controllers);
        fake_answer_lists(&fake);
}

static void begin(const char *which) {
        struct controllers_config config = { .client = &fake.base,
                                             .which = which,
                                             .authority = "CA",
                                             .event_ttl_s = 3600,
                                             .unused_tokens_s = YEAR_S,
                                             .now = clock_now,
                                             .wall = clock_wall };

        now = 1000 * WORK_SECOND;
        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        kinds = api_kinds_new(NULL);
        config.kinds = kinds;
        assert_int_equal(controllers_new(&config, &controllers, NULL), 0);
}

static void start(void) {
        assert_int_equal(controllers_start(controllers), 0);
        turn();
}

static void end(void) {
        controllers_stop(controllers);
        fake_done(&fake);
        uv_run(&loop, UV_RUN_DEFAULT);
        controllers_free(controllers);
        assert_int_equal(uv_loop_close(&loop), 0);
        kinds = kube_registry_free(kinds);
}

static void put_namespace(const char *name) {
        fake_put(&fake, kind_of("v1", "Namespace"), "", name, "{\"metadata\":{\"name\":\"n\"}}");
}

/* --- the frame --- */

static void nothing_before_all_is_known(void **state) {
        begin("serviceaccount-controller");
        put_namespace("n");
        assert_int_equal(controllers_start(controllers), 0);
        controllers_turn(controllers);
        assert_null(fake_next(&fake));
        turn();
        assert_string_equal(fake_next(&fake)->target, "/api/v1/namespaces/n/serviceaccounts");
        end();
}

/* Whichever kind comes last, the loop alone gets them going. */
static void they_begin_by_themselves(void **state) {
        begin("serviceaccount,garbagecollector");
        put_namespace("n");
        assert_int_equal(controllers_start(controllers), 0);
        fake_answer_lists(&fake);
        for (unsigned i = 0; i < 4; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        assert_string_equal(fake_next(&fake)->target, "/api/v1/namespaces/n/serviceaccounts");
        end();
}

/* What fails comes back after 5 ms, 10 ms, 20 ms; what is there already is as good. */
static void failures_come_back(void **state) {
        struct fake_call *c;

        begin("serviceaccount");
        put_namespace("n");
        start();
        for (uint64_t delay = 5 * MS; delay <= 80 * MS; delay *= 2) {
                c = fake_next(&fake);
                assert_non_null(c);
                fake_answer(c, 500, "InternalError", "{}");
                now += delay - 1;
                turn();
                assert_null(fake_next(&fake));
                now += 1;
                turn();
        }
        c = fake_next(&fake);
        fake_answer(c, 409, "AlreadyExists", "{}");
        now += 3600 * WORK_SECOND;
        turn();
        assert_null(fake_next(&fake));
        put_namespace("n"); /* forgotten: the next failure is a first one */
        turn();
        fake_answer(fake_next(&fake), 500, "InternalError", "{}");
        now += 5 * MS;
        turn();
        assert_non_null(fake_next(&fake));
        end();
}

/* A key that changes while it is worked on is worked on again, and not twice at a time. */
static void one_at_a_time(void **state) {
        struct fake_call *c;

        begin("serviceaccount-controller");
        put_namespace("n");
        start();
        c = fake_next(&fake);
        put_namespace("n");
        put_namespace("n");
        turn();
        assert_ptr_equal(fake_next(&fake), c);
        fake_answer(c, 201, "", "{}");
        turn();
        assert_int_equal(fake.n_sent, 2);
        end();
}

static void many_wait(void **state) {
        char name[16];

        begin("serviceaccount-controller");
        for (unsigned i = 0; i < CONTROLLER_AT_ONCE + 5; i++) {
                snprintf(name, sizeof(name), "n%u", i);
                put_namespace(name);
        }
        start();
        assert_int_equal(fake.n_sent, CONTROLLER_AT_ONCE);
        fake_answer(&fake.sent[0], 201, "", "{}");
        turn();
        assert_int_equal(fake.n_sent, CONTROLLER_AT_ONCE + 1);
        end();
}

static void stops_in_the_middle(void **state) {
        begin("*");
        put_namespace("n");
        start();
        assert_true(fake.n_sent > 0);
        end();
}

/* --- some of them --- */

static void jobs_go_when_their_time_has_come(void **state) {
        const struct kube_kind *job;

        begin("ttl-after-finished-controller");
        job = kind_of("batch/v1", "Job");
        fake_put(&fake, job, "n", "running",
                 "{\"metadata\":{\"uid\":\"u1\"},\"spec\":{\"ttlSecondsAfterFinished\":0}}");
        fake_put(
                &fake, job, "n", "done",
                "{\"metadata\":{\"uid\":\"u2\"},\"spec\":{\"ttlSecondsAfterFinished\":1100},\"status\":{\"conditions\":"
                "[{\"type\":\"Complete\",\"status\":\"True\",\"lastTransitionTime\":\"2026-11-30T00:53:20Z\"}]}}");
        start();
        assert_null(fake_next(&fake));
        now += 99 * WORK_SECOND;
        turn();
        assert_null(fake_next(&fake));
        now += 1 * WORK_SECOND;
        turn();
        assert_string_equal(fake_next(&fake)->target, "/apis/batch/v1/namespaces/n/jobs/done");
        assert_string_equal(fake_next(&fake)->body,
                            "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"preconditions\":{\"uid\":\"u2\"},"
                            "\"propagationPolicy\":\"Foreground\"}");
        end();
}

static const char owned[] =
        "{\"metadata\":{\"name\":\"c\",\"namespace\":\"n\",\"uid\":\"child\",\"resourceVersion\":\"7\","
        "\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"p\",\"uid\":"
        "\"parent\"}]}}";

/* The owner is looked for; when it is not there, its dependent is; and then that goes, if it is still the same. */
static void garbage_goes(void **state) {
        struct fake_call *c;

        begin("garbagecollector");
        fake_put(&fake, kind_of("v1", "ConfigMap"), "n", "c", owned);
        start();
        c = fake_next(&fake);
        assert_string_equal(c->target, "/api/v1/namespaces/n/configmaps/p");
        fake_answer(c, 404, "NotFound", "{}");
        turn();
        c = fake_next(&fake);
        assert_string_equal(c->target, "/api/v1/namespaces/n/configmaps/c");
        fake_answer(c, 200, "", owned);
        c = fake_next(&fake);
        assert_string_equal(c->target, "/api/v1/namespaces/n/configmaps/p");
        fake_answer(c, 200, "", "{\"metadata\":{\"uid\":\"another\"}}");
        c = fake_next(&fake);
        assert_int_equal(c->verb, KUBE_VERB_DELETE);
        assert_string_equal(c->target, "/api/v1/namespaces/n/configmaps/c");
        assert_string_equal(c->body,
                            "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"preconditions\":{\"uid\":\"child\","
                            "\"resourceVersion\":\"7\"},\"propagationPolicy\":\"Background\"}");
        fake_answer(c, 409, "Conflict", "{}"); /* it has changed: looked at again */
        now += 5 * MS;
        turn();
        assert_string_equal(fake_next(&fake)->target, "/api/v1/namespaces/n/configmaps/c");
        assert_int_equal(fake_next(&fake)->verb, KUBE_VERB_GET);
        end();
}

/* What has an owner stays, and nothing is asked again. */
static void what_is_owned_stays(void **state) {
        struct fake_call *c;

        begin("garbagecollector");
        fake_put(&fake, kind_of("v1", "ConfigMap"), "n", "c", owned);
        start();
        c = fake_next(&fake);
        fake_answer(c, 200, "", "{\"metadata\":{\"uid\":\"parent\",\"name\":\"p\",\"namespace\":\"n\"}}");
        now += 3600 * WORK_SECOND;
        turn();
        assert_null(fake_next(&fake));
        assert_int_equal(fake.n_sent, 1);
        end();
}

/* --- tokens of Secrets --- */

#define TOKEN "/api/v1/namespaces/n/secrets/t"
#define TRACKING "/api/v1/namespaces/kube-system/configmaps/kube-apiserver-legacy-service-account-token-tracking"

struct token_case {
        const char *created, *labels, *pod; /* pod: its spec; NULL: there is none */
        const char *since, *named;
        const char *body; /* of what is sent in the end; NULL: nothing */
        unsigned sent;
};

static void put_token(const struct token_case *t) {
        char secret[1024], account[512];

        snprintf(secret, sizeof(secret),
                 "{\"metadata\":{\"name\":\"t\",\"namespace\":\"n\",\"uid\":\"s1\",\"resourceVersion\":\"7\","
                 "\"labels\":{%s},"
                 "\"creationTimestamp\":\"%s\",\"annotations\":{\"kubernetes.io/service-account.name\":\"a\","
                 "\"kubernetes.io/service-account.uid\":\"u1\"}},\"type\":\"kubernetes.io/service-account-token\"}",
                 t->labels ?: "", t->created ?: "2020-01-01T00:00:00Z");
        snprintf(account, sizeof(account),
                 "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u1\"},\"secrets\":[{\"name\":\"%s\"}]}",
                 t->named ?: "t");
        fake_put(&fake, kind_of("v1", "Secret"), "n", "t", secret);
        fake_put(&fake, kind_of("v1", "ServiceAccount"), "n", "a", account);
        if (t->pod)
                fake_put(&fake, kind_of("v1", "Pod"), "n", "p", t->pod);
}

static void answer_since(const char *since) {
        struct fake_call *c = fake_next(&fake);
        char map[256];

        assert_string_equal(c->target, TRACKING);
        snprintf(map, sizeof(map), "{\"data\":{\"since\":\"%s\"}}", since);
        fake_answer(c, since[0] ? 200 : 404, "NotFound", map);
        turn();
}

#define USED(date) "\"kubernetes.io/legacy-token-last-used\":\"" date "\""
#define INVALID(date) "\"kubernetes.io/legacy-token-invalid-since\":\"" date "\""
#define MARK                                                                                                           \
        "{\"metadata\":{\"uid\":\"s1\",\"labels\":{\"kubernetes.io/legacy-token-invalid-since\":"                      \
        "\"2026-11-30\"}}}"
#define DELETION "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"preconditions\":{\"resourceVersion\":\"7\"}}"

/* It is 2026-11-30: what was used on 2025-11-30 is a year old, and no more. */
static void unused_tokens_go(void **state) {
        static const struct token_case cases[] = {
                { .body = MARK, .sent = 2 },
                { .labels = USED("2025-11-29"), .body = MARK, .sent = 2 },
                { .labels = USED("2025-11-30") },
                { .labels = USED("yesterday") },
                { .labels = USED("2025-02-29") },
                { .created = "2026-06-01T00:00:00Z" },
                { .named = "another" },
                { .since = "2025-11-29", .body = MARK, .sent = 2 },
                { .since = "2025-11-30", .sent = 1 },
                { .since = "no date", .sent = 1 },
                { .since = "", .sent = 1 },
                { .labels = INVALID("2025-11-30"), .sent = 1 },
                { .labels = INVALID("2025-11-29"), .body = DELETION, .sent = 2 },
                { .labels = INVALID("2025-11-29") "," USED("2026-01-01") },
                { .labels = INVALID("some day"), .body = MARK, .sent = 2 },
                { .labels = INVALID("2025-11-29"),
                  .pod = "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"volumes\":[{\"secret\":{\"secretName\":\"t\"}}]}}",
                  .sent = 1 },
                { .labels = INVALID("2025-11-29"),
                  .pod = "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"imagePullSecrets\":[{\"name\":\"other\"}]}}",
                  .body = DELETION,
                  .sent = 2 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct token_case *t = &cases[i];

                begin("legacy-serviceaccount-token-cleaner-controller");
                put_token(t);
                start();
                if (t->sent > 0)
                        answer_since(t->since ?: "2024-01-01");
                if (fake.n_sent != t->sent)
                        fail_msg("case %zu: %u requests, not %u", i, fake.n_sent, t->sent);
                if (t->body) {
                        assert_string_equal(fake_next(&fake)->target, TOKEN);
                        assert_string_equal(fake_next(&fake)->body, t->body);
                        assert_int_equal(fake_next(&fake)->verb,
                                         strcmp(t->body, MARK) == 0 ? KUBE_VERB_PATCH : KUBE_VERB_DELETE);
                }
                end();
        }
}

/* One that is used is looked at again a day later. */
static void tokens_are_looked_at_daily(void **state) {
        begin("legacy-service-account-token-cleaner");
        put_token(&(struct token_case){ .labels = USED("2025-11-30") });
        start();
        assert_null(fake_next(&fake));
        now += 86400 * WORK_SECOND - 1;
        turn();
        assert_null(fake_next(&fake));
        now += 1;
        turn();
        assert_string_equal(fake_next(&fake)->target, TRACKING);
        end();
}

/* --- names --- */

static void which_are_wanted(void **state) {
        static const struct controller_kind kind = { .name = "namespace-controller", .alias = "namespace" };
        static const struct {
                const char *which;
                bool wanted;
        } cases[] = {
                { NULL, true },
                { "*", true },
                { "", false },
                { "*,-namespace", false },
                { "namespace", true },
                { "garbage", false },
                { "-namespace,*", true },
                { "*,-namespace-controller", false },
                { "*,-names", true },
                { "-*", false },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(controllers_want(cases[i].which, &kind), cases[i].wanted);
}

static void names_that_are_none(void **state) {
        static const char *const wrong[] = { "x", "*,-x", "namespace,", "-*", "namespacex", "--namespace" };
        _cleanup_err_ struct err *err = NULL;

        assert_int_equal(controllers_check("*,-namespace,garbagecollector", NULL), 0);
        assert_int_equal(controllers_check("", NULL), 0);
        for (size_t i = 0; i < ELEMENTS(wrong); i++)
                assert_int_equal(controllers_check(wrong[i], NULL), i == 2 ? 0 : -EINVAL);
        controllers_check("*,-x", &err);
        assert_string_equal(err_text(err), "--controllers: \"-x\" is no controller");
}

/* --- the graph --- */

static void graph(void **state) {
        const struct kube_kind *map = &kube_kinds[0];
        struct graph_reference owners[] = { { map, "p", "up", true, true }, { map, "q", "uq", false, true } };
        struct graph_object child = { map, "n", "c", "uc", GRAPH_GOES, false, owners, 2 },
                            parent = { map, "n", "p", "up", GRAPH_FOREGROUND, true, NULL, 0 };
        struct graph_node *node, *waits;
        struct graph g;

        graph_init(&g);
        node = graph_add(&g, &child);
        assert_non_null(node);
        assert_null(graph_add(&g, &child));
        assert_int_equal(g.owners.n, 2);
        assert_null(graph_owner(&g, "uc"));
        waits = graph_add(&g, &parent);
        assert_ptr_equal(graph_owner(&g, "up")->node, waits);
        assert_ptr_equal(graph_edges_first(&graph_owner(&g, "up")->edges)->node, node);
        assert_ptr_equal(graph_after(&g, map, node), waits);
        assert_null(graph_after(&g, map, waits));
        graph_remove(&g, waits);
        assert_null(graph_owner(&g, "up")->node);
        graph_remove(&g, node);
        assert_int_equal(g.owners.n, 0);
        assert_non_null(graph_add(&g, &child));
        assert_non_null(graph_add(&g, &parent));
        graph_clear(&g);
        assert_int_equal(g.owners.n, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_before_all_is_known),
                cmocka_unit_test(they_begin_by_themselves),
                cmocka_unit_test(failures_come_back),
                cmocka_unit_test(one_at_a_time),
                cmocka_unit_test(many_wait),
                cmocka_unit_test(stops_in_the_middle),
                cmocka_unit_test(jobs_go_when_their_time_has_come),
                cmocka_unit_test(garbage_goes),
                cmocka_unit_test(what_is_owned_stays),
                cmocka_unit_test(unused_tokens_go),
                cmocka_unit_test(tokens_are_looked_at_daily),
                cmocka_unit_test(which_are_wanted),
                cmocka_unit_test(names_that_are_none),
                cmocka_unit_test(graph),
        };

        log_init("test", LOG_LEVEL_ERROR);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
