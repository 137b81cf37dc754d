/* What the API's objects hold for pods: which are watched, and for how long; tokens; Services as variables. */
#include "tests/unit/support/fake_client.h"

#include "agent/objects/internal.h"
#include "kube/pod/pod.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"

static uv_loop_t loop;
static struct fake fake;
static struct objects *objects;
static char heard[256];

static void on_changed(void *data, const char *uid) {
        snprintf(heard + strlen(heard), sizeof(heard) - strlen(heard), "%s ", uid);
}

static int begin(void **state) {
        const struct objects_events events = { .changed = on_changed };

        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        heard[0] = '\0';
        objects = objects_new(&loop, &fake.base, &events);
        assert_non_null(objects);
        objects_start(objects);
        assert_int_equal(objects_ask(objects), 0);
        return 0;
}

static int end(void **state) {
        objects_free(objects);
        fake_done(&fake);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        return 0;
}

static void turn(void) {
        uv_run(&loop, UV_RUN_NOWAIT);
        uv_run(&loop, UV_RUN_NOWAIT);
}

static void expect(const char *text) {
        turn();
        assert_string_equal(heard, text);
        heard[0] = '\0';
}

/* A pod of @uid with @volumes, JSON. */
static struct pod *make(const char *uid, const char *volumes) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *tree = NULL;
        struct problems problems;
        struct pod *pod = NULL;
        char text[2048];

        snprintf(text, sizeof(text),
                 "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"d\",\"uid\":\"%"
                 "s\"},"
                 "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}],\"serviceAccountName\":\"sa\","
                 "\"volumes\":[%s]}}",
                 uid, uid, volumes);
        assert_int_equal(json_parse(arena, text, strlen(text), NULL, &tree, NULL), 0);
        problems_init(&problems, arena, "test", tree);
        assert_true(pod_decode(tree, &problems, &pod) >= 0);
        return pod;
}

#define MAP "{\"name\":\"v\",\"configMap\":{\"name\":\"m\"}}"
#define SECRET "{\"name\":\"w\",\"secret\":{\"secretName\":\"s\"}}"
#define TOKEN                                                                                                          \
        "{\"name\":\"t\",\"projected\":{\"sources\":[{\"serviceAccountToken\":{\"path\":\"token\","                    \
        "\"expirationSeconds\":"                                                                                       \
        "3607}}]}}"

static const struct kube_kind *kind_of(unsigned list) {
        return fake.lists[list].kind;
}

static const char *value_of(const char *uid, enum pod_object_kind kind, const char *name, const char *key) {
        static char text[64];
        struct pod_sources *sources = NULL;
        const struct pod_object *object = NULL;
        const struct pod_object_key *found;
        int r;

        assert_int_equal(objects_sources(objects, uid, &sources), 0);
        assert_non_null(sources);
        r = pod_sources_object(sources, kind, name, &object, NULL);
        found = r == 0 ? pod_object_find(object, key) : NULL;
        snprintf(text, sizeof(text), "%s", r == -EAGAIN ? "unknown" : r == -ENOENT ? "missing" : found->data);
        pod_sources_unref(sources);
        return text;
}

static void test_one_watch_for_all(void **state) {
        struct pod *a = make("a", MAP "," SECRET "," MAP), *b = make("b", MAP);
        const struct kube_kind *maps;

        assert_int_equal(objects_hold(objects, a, NULL), 0);
        assert_int_equal(objects_hold(objects, b, NULL), 0);
        assert_int_equal(objects_hold(objects, b, NULL), 0);
        assert_int_equal(fake.n_lists, 3); /* Services, m, s */
        assert_string_equal(fake.lists[1].fields, "metadata.name=m");
        maps = kind_of(1);
        fake_put(&fake, maps, "d", "m", "{\"data\":{\"k\":\"1\"}}");
        fake_put(&fake, maps, "d", "other", "{\"data\":{\"k\":\"2\"}}");
        assert_string_equal(value_of("a", POD_CONFIG_MAP, "m", "k"), "unknown");
        assert_false(objects_known(objects, "a"));
        fake_answer_lists(&fake);
        expect("a b ");
        assert_true(objects_known(objects, "a"));
        assert_string_equal(value_of("a", POD_CONFIG_MAP, "m", "k"), "1");
        assert_string_equal(value_of("a", POD_SECRET, "s", "k"), "missing");
        fake_put(&fake, maps, "d", "m", "{\"data\":{\"k\":\"3\"},\"binaryData\":{\"b\":\"YmluCg==\"}}");
        expect("a b ");
        assert_string_equal(value_of("b", POD_CONFIG_MAP, "m", "k"), "3");
        assert_string_equal(value_of("b", POD_CONFIG_MAP, "m", "b"), "bin\n");
        objects_release(objects, "a");
        turn();
        fake_put(&fake, maps, "d", "m", NULL);
        expect("b ");
        assert_string_equal(value_of("b", POD_CONFIG_MAP, "m", "k"), "missing");
        objects_release(objects, "b");
        objects_release(objects, "b");
        turn();
        for (unsigned i = 0; i < fake.n_watches; i++)
                assert_true(!fake.watches[i].open || fake.watches[i].kind != maps);
        pod_unref(a);
        pod_unref(b);
}

static void test_secrets_are_decoded(void **state) {
        struct pod *a = make("a", SECRET);

        assert_int_equal(objects_hold(objects, a, NULL), 0);
        fake_put(&fake, kind_of(1), "d", "s", "{\"data\":{\"k\":\"c2VjcmV0\",\"e\":\"\"},\"type\":\"Opaque\"}");
        fake_answer_lists(&fake);
        expect("a ");
        assert_string_equal(value_of("a", POD_SECRET, "s", "k"), "secret");
        assert_string_equal(value_of("a", POD_SECRET, "s", "e"), "");
        /* What cannot be read leaves what was known. */
        fake_put(&fake, kind_of(1), "d", "s", "{\"data\":{\"k\":\"%\"}}");
        expect("");
        assert_string_equal(value_of("a", POD_SECRET, "s", "k"), "secret");
        pod_unref(a);
}

static void test_immutable_ones_are_not_watched(void **state) {
        struct pod *a = make("a", MAP);
        unsigned open = 0;

        assert_int_equal(objects_hold(objects, a, NULL), 0);
        fake_put(&fake, kind_of(1), "d", "m", "{\"immutable\":true,\"data\":{\"k\":\"1\"}}");
        fake_answer_lists(&fake);
        expect("a ");
        for (unsigned i = 0; i < fake.n_watches; i++)
                open += fake.watches[i].open;
        assert_int_equal(open, 1); /* of Services */
        assert_string_equal(value_of("a", POD_CONFIG_MAP, "m", "k"), "1");
        pod_unref(a);
}

static void test_the_last_stays_while_the_service_is_away(void **state) {
        struct pod *a = make("a", MAP);

        assert_int_equal(objects_hold(objects, a, NULL), 0);
        fake_put(&fake, kind_of(1), "d", "m", "{\"data\":{\"k\":\"1\"}}");
        fake_answer_lists(&fake);
        expect("a ");
        fake.list_error = -ECONNREFUSED;
        fake_end_watches(&fake, -ESTALE);
        expect("");
        assert_string_equal(value_of("a", POD_CONFIG_MAP, "m", "k"), "1");
        pod_unref(a);
}

/* What was held before the service may be asked is asked for then. */
static void test_nothing_is_asked_too_early(void **state) {
        struct pod *a = make("a", MAP "," TOKEN);

        objects_free(objects);
        objects = objects_new(&loop, &fake.base, &(struct objects_events){ .changed = on_changed });
        fake.n_lists = fake.n_sent = 0;
        objects_start(objects);
        assert_int_equal(objects_hold(objects, a, NULL), 0);
        assert_int_equal(fake.n_lists + fake.n_sent, 0);
        assert_int_equal(objects_ask(objects), 0);
        assert_int_equal(fake.n_lists, 2);
        assert_int_equal(fake.n_sent, 1);
        pod_unref(a);
}

/* A pod from before the agent's start goes on with what was kept, and without its token; others wait. */
static void test_what_was_kept_stands_in(void **state) {
        struct pod *a = make("a", MAP "," SECRET "," TOKEN), *b = make("b", MAP);
        struct pod_sources *kept = pod_sources_new(1, 0), *sources = NULL;
        _cleanup_arena_ struct arena *arena = arena_new();
        struct string_pair pair = { "HOST", "10.0.0.1" };
        const struct value *tree = NULL;
        const char *text = "x";
        string_map map = { 0 };

        assert_int_equal(json_parse(arena, "{\"data\":{\"k\":\"old\"}}", 20, NULL, &tree, NULL), 0);
        kept->objects[0] = (struct pod_source){ .kind = POD_CONFIG_MAP, .state = POD_SOURCE_THERE, .name = "m" };
        assert_int_equal(pod_object_read(POD_CONFIG_MAP, tree, &kept->objects[0].object, NULL), 0);
        kept->services = (string_map){ &pair, 1 };
        assert_int_equal(objects_hold(objects, a, kept), 0);
        assert_int_equal(objects_hold(objects, b, NULL), 0);
        pod_sources_unref(kept);
        assert_string_equal(value_of("a", POD_CONFIG_MAP, "m", "k"), "unknown");
        while (!*heard)
                uv_run(&loop, UV_RUN_ONCE);
        expect("a ");
        assert_string_equal(value_of("a", POD_CONFIG_MAP, "m", "k"), "old");
        assert_string_equal(value_of("a", POD_SECRET, "s", "k"), "unknown");
        assert_string_equal(value_of("b", POD_CONFIG_MAP, "m", "k"), "unknown");
        objects_sources(objects, "a", &sources);
        assert_int_equal(pod_sources_token(sources, "", 3607, &text, NULL), 0);
        assert_null(text);
        pod_sources_unref(sources);
        assert_int_equal(objects_services(objects, a, arena, &map, NULL), 0);
        assert_string_equal(map.items[0].value, "10.0.0.1");
        assert_int_equal(objects_services(objects, b, arena, &map, NULL), -EAGAIN);
        assert_false(objects_known(objects, "a"));
        fake_put(&fake, kind_of(1), "d", "m", "{\"data\":{\"k\":\"new\"}}");
        fake_answer_lists(&fake);
        expect("a b ");
        assert_true(objects_known(objects, "a"));
        assert_string_equal(value_of("a", POD_CONFIG_MAP, "m", "k"), "new");
        pod_unref(a);
        pod_unref(b);
}

static void test_token(void **state) {
        struct pod *a = make("a", TOKEN "," TOKEN);
        struct pod_sources *sources = NULL;
        const char *text = NULL;
        struct err *err = NULL;

        assert_int_equal(objects_hold(objects, a, NULL), 0);
        fake_answer_lists(&fake);
        assert_int_equal(fake.n_sent, 1);
        assert_string_equal(fake.sent[0].target, "/api/v1/namespaces/d/serviceaccounts/sa/token");
        assert_string_equal(fake.sent[0].body,
                            "{\"kind\":\"TokenRequest\",\"apiVersion\":\"authentication.k8s.io/v1\",\"spec\":{"
                            "\"audiences\":[],\"expirationSeconds\":3607,\"boundObjectRef\":{\"kind\":\"Pod\","
                            "\"apiVersion\":\"v1\",\"name\":\"a\",\"uid\":\"a\"}}}");
        assert_false(objects_known(objects, "a"));
        fake_answer(&fake.sent[0], 403, "it is forbidden", "{}");
        expect("a ");
        assert_true(objects_known(objects, "a"));
        objects_sources(objects, "a", &sources);
        assert_int_equal(pod_sources_token(sources, "", 3607, &text, &err), -EAGAIN);
        assert_string_equal(err_text(err), "failed to fetch token: it is forbidden");
        err_free(err);
        pod_sources_unref(sources);
        while (fake.n_sent < 2)
                uv_run(&loop, UV_RUN_ONCE);
        fake_answer(&fake.sent[1], 201, "", "{\"spec\":{\"expirationSeconds\":3607},\"status\":{\"token\":\"abc\"}}");
        expect("a ");
        objects_sources(objects, "a", &sources);
        assert_int_equal(pod_sources_token(sources, "", 3607, &text, NULL), 0);
        assert_string_equal(text, "abc");
        assert_int_equal(pod_sources_token(sources, "else", 3607, &text, NULL), -EAGAIN);
        pod_sources_unref(sources);
        pod_unref(a);
}

static void answer_token(unsigned n, const char *text) {
        char body[128];

        while (fake.n_sent <= n)
                uv_run(&loop, UV_RUN_ONCE);
        snprintf(body, sizeof(body), "{\"spec\":{\"expirationSeconds\":3607},\"status\":{\"token\":\"%s\"}}", text);
        fake_answer(&fake.sent[n], 201, "", body);
}

static void expect_token(const char *expected) {
        struct pod_sources *sources = NULL;
        const char *text = NULL;

        expect("a ");
        objects_sources(objects, "a", &sources);
        assert_int_equal(pod_sources_token(sources, "", 3607, &text, NULL), 0);
        assert_string_equal(text, expected);
        pod_sources_unref(sources);
}

/* Nothing is asked for anew; the patience with the service at the start is over first. */
static void expect_rest(unsigned n_sent) {
        while (uv_backend_timeout(&loop) <= OBJECTS_AWAY_MS)
                uv_run(&loop, UV_RUN_ONCE);
        assert_true(uv_backend_timeout(&loop) > OBJECTS_AGED_MS);
        assert_int_equal(fake.n_sent, n_sent);
}

/* What was signed by another clock is asked for anew, also what is on its way; the old one stays until then. */
static void test_a_clock_that_is_set(void **state) {
        struct pod *a = make("a", TOKEN);

        assert_int_equal(objects_hold(objects, a, NULL), 0);
        fake_answer_lists(&fake);
        objects_clock_set(objects); /* while the first is asked for */
        answer_token(0, "first");
        expect_token("first");
        answer_token(1, "second");
        expect_token("second");
        expect_rest(2);
        objects_clock_set(objects);
        answer_token(2, "third");
        expect_token("third");
        expect_rest(3);
        pod_unref(a);
}

/* After 80 % of its life, less up to ten seconds; after a day at the latest. */
static void test_when_tokens_are_renewed(void **state) {
        static const struct {
                int64_t seconds;
                unsigned random;
                uint64_t ms;
        } cases[] = {
                { 3607, 0, 3607 * 800 },
                { 3607, 9999, 3607 * 800 - 9999 },
                { 600, 0, 480000 },
                { 600, 10000, 480000 },
                { 7 * 24 * 3600, 0, 24 * 3600 * 1000 },
                { INT64_MAX, 1000, 24 * 3600 * 1000 - 1000 },
                { 1, 5, 10000 },
                { 0, 0, 10000 },
                { -5, 0, 10000 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(tokens_refresh_ms(cases[i].seconds, cases[i].random), cases[i].ms);
}

static const char *variables(const char *namespace, bool links) {
        static char text[2048];
        _cleanup_arena_ struct arena *arena = arena_new();
        string_map map = { 0 };

        text[0] = '\0';
        assert_int_equal(services_write(objects, namespace, links, arena, &map), 0);
        list_for_each (pair, &map)
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%s ", pair->key, pair->value);
        return text;
}

static void test_services(void **state) {
        static const char master[] =
                "KUBERNETES_SERVICE_HOST=10.0.0.1 KUBERNETES_SERVICE_PORT=443 KUBERNETES_SERVICE_PORT_HTTPS=443 "
                "KUBERNETES_PORT=tcp://10.0.0.1:443 KUBERNETES_PORT_443_TCP=tcp://10.0.0.1:443 "
                "KUBERNETES_PORT_443_TCP_PROTO=tcp KUBERNETES_PORT_443_TCP_PORT=443 "
                "KUBERNETES_PORT_443_TCP_ADDR=10.0.0.1 ";
        const struct kube_kind *kind = kind_of(0);
        char both[2048];

        assert_false(objects->have_services);
        fake_put(&fake, kind, "default", "kubernetes",
                 "{\"spec\":{\"clusterIP\":\"10.0.0.1\",\"ports\":[{\"name\":\"https\",\"port\":443}]}}");
        fake_put(&fake, kind, "d", "a-b",
                 "{\"spec\":{\"clusterIP\":\"fd00::2\",\"ports\":[{\"port\":53,\"protocol\":\"UDP\"}]}}");
        fake_put(&fake, kind, "d", "headless", "{\"spec\":{\"clusterIP\":\"None\",\"ports\":[{\"port\":53}]}}");
        fake_put(&fake, kind, "d", "external", "{\"spec\":{\"ports\":[{\"port\":53}]}}");
        fake_answer_lists(&fake);
        assert_true(objects->have_services);
        assert_string_equal(variables("d", false), master);
        assert_string_equal(variables("default", true), master);
        snprintf(both, sizeof(both), "%s%s",
                 "A_B_SERVICE_HOST=fd00::2 A_B_SERVICE_PORT=53 A_B_PORT=udp://[fd00::2]:53 "
                 "A_B_PORT_53_UDP=udp://[fd00::2]:53 A_B_PORT_53_UDP_PROTO=udp A_B_PORT_53_UDP_PORT=53 "
                 "A_B_PORT_53_UDP_ADDR=fd00::2 ",
                 master);
        assert_string_equal(variables("d", true), both);
        fake_put(&fake, kind, "d", "a-b", NULL);
        assert_string_equal(variables("d", true), master);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_one_watch_for_all, begin, end),
                cmocka_unit_test_setup_teardown(test_secrets_are_decoded, begin, end),
                cmocka_unit_test_setup_teardown(test_immutable_ones_are_not_watched, begin, end),
                cmocka_unit_test_setup_teardown(test_the_last_stays_while_the_service_is_away, begin, end),
                cmocka_unit_test_setup_teardown(test_what_was_kept_stands_in, begin, end),
                cmocka_unit_test_setup_teardown(test_nothing_is_asked_too_early, begin, end),
                cmocka_unit_test_setup_teardown(test_token, begin, end),
                cmocka_unit_test_setup_teardown(test_a_clock_that_is_set, begin, end),
                cmocka_unit_test_setup_teardown(test_services, begin, end),
                cmocka_unit_test(test_when_tokens_are_renewed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
