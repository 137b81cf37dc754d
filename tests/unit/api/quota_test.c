/* What is used of quotas, counted anew; and when their controller does that, by a made-up client. */
#include "tests/unit/support/fake_client.h"

#include "api/controllers/internal.h"
#include "api/kinds.h"
#include "api/quota/recount.h"
#include "kube/codec/codec.h"
#include "kube/resource_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define MS (WORK_SECOND / 1000)

/* --- a recount --- */

struct object_case {
        const char *group, *resource, *text;
};

#define OBJECTS_MAX 8

struct recount_case {
        const char *quota;
        struct object_case objects[OBJECTS_MAX];
        const char *used; /* of the status as it comes out */
        bool changed;
};

#define HARD(hard, more, status) "{\"spec\":{\"hard\":{" hard "}" more "},\"status\":{" status "}}"
#define POD(more, spec)                                                                                                \
        { "", "pods", "{\"metadata\":{\"name\":\"p\"}" more ",\"spec\":{" spec "}}" }
#define ASKS(cpu, memory)                                                                                              \
        "\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"" cpu "\",\"memory\":\"" memory "\"}}" \
        "}]"
#define BARE "\"containers\":[{\"name\":\"c\"}]"
#define SERVICE(spec)                                                                                                  \
        { "", "services", "{\"spec\":{" spec "}}" }

static const struct recount_case recounts[] = {
        /* nothing of what is there */
        { HARD("\"pods\":\"2\",\"memory\":\"1Gi\"", "", ""), { { 0 } }, "memory=0 pods=0", true },
        { HARD("\"pods\":\"2\"", "", "\"hard\":{\"pods\":\"2\"},\"used\":{\"pods\":\"0\"}"),
          { { 0 } },
          "pods=0",
          false },
        { HARD("", "", ""), { POD("", BARE) }, "", false },
        /* the same in other words; bounds that have changed */
        { HARD("\"cpu\":\"1\"", "", "\"hard\":{\"cpu\":\"1000m\"},\"used\":{\"cpu\":\"500m\"}"),
          { POD("", ASKS("0.5", "1")) },
          "cpu=500m",
          false },
        { HARD("\"pods\":\"3\"", "", "\"hard\":{\"pods\":\"2\"},\"used\":{\"pods\":\"0\"}"),
          { { 0 } },
          "pods=0",
          true },
        /* what is bounded no more goes; what nobody counts stays as it was */
        { HARD("\"pods\":\"2\"", "", "\"hard\":{\"pods\":\"2\"},\"used\":{\"pods\":\"0\",\"secrets\":\"4\"}"),
          { { 0 } },
          "pods=0",
          true },
        { HARD("\"count/moons\":\"2\",\"example.com/x\":\"1\"", "",
               "\"hard\":{\"count/moons\":\"2\",\"example.com/x\":\"1\"},\"used\":{\"count/moons\":\"7\"}"),
          { { 0 } },
          "count/moons=7",
          false },
        /* pods: those that have ended are there, and use nothing */
        { HARD("\"pods\":\"9\",\"count/pods\":\"9\",\"requests.cpu\":\"9\",\"memory\":\"9Gi\"", "", ""),
          { POD("", ASKS("250m", "1Gi")), POD("", ASKS("1", "512Mi")),
            POD(",\"status\":{\"phase\":\"Failed\"}", ASKS("4", "4Gi")),
            POD(",\"status\":{\"phase\":\"Succeeded\"}", ASKS("4", "4Gi")) },
          "count/pods=4 memory=1536Mi pods=2 requests.cpu=1250m",
          true },
        /* scopes */
        { HARD("\"pods\":\"9\"", ",\"scopes\":[\"BestEffort\"]", ""),
          { POD("", BARE), POD("", ASKS("1", "1")) },
          "pods=1",
          true },
        { HARD("\"pods\":\"9\",\"configmaps\":\"9\"", ",\"scopes\":[\"Terminating\",\"NotBestEffort\"]", ""),
          { POD("", BARE),
            POD("", "\"activeDeadlineSeconds\":5," ASKS("1", "1")),
            POD("", ASKS("1", "1")),
            { "", "configmaps", NULL } },
          "configmaps=0 pods=1",
          true },
        { HARD("\"pods\":\"9\"",
               ",\"scopeSelector\":{\"matchExpressions\":[{\"scopeName\":\"PriorityClass\",\"operator\":\"In\","
               "\"values\":[\"high\"]}]}",
               ""),
          { POD("", "\"priorityClassName\":\"high\"," BARE), POD("", "\"priorityClassName\":\"low\"," BARE),
            POD("", BARE) },
          "pods=1",
          true },
        /* kinds with amounts of their own, and such as are only counted */
        { HARD("\"services\":\"9\",\"services.nodeports\":\"9\",\"services.loadbalancers\":\"9\"", "", ""),
          { SERVICE("\"type\":\"NodePort\",\"ports\":[{\"port\":1},{\"port\":2}]"),
            SERVICE("\"type\":\"LoadBalancer\",\"ports\":[{\"port\":1}]"), SERVICE("\"type\":\"ClusterIP\"") },
          "services=3 services.loadbalancers=1 services.nodeports=3",
          true },
        { HARD("\"requests.storage\":\"9Gi\",\"gold.storageclass.storage.k8s.io/persistentvolumeclaims\":\"9\"", "",
               ""),
          { { "", "persistentvolumeclaims",
              "{\"spec\":{\"storageClassName\":\"gold\",\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}}}" },
            { "", "persistentvolumeclaims", "{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"2Gi\"}}}}" } },
          "gold.storageclass.storage.k8s.io/persistentvolumeclaims=1 requests.storage=3Gi",
          true },
        { HARD("\"count/replicasets.apps\":\"9\",\"count/replicasets\":\"9\",\"secrets\":\"9\"", "", ""),
          { { "apps", "replicasets", NULL }, { "", "secrets", NULL }, { "", "secrets", NULL } },
          "count/replicasets.apps=1 secrets=2",
          true },
};

static const struct kube_type *type_of(const char *resource) {
        return strcmp(resource, "pods") == 0     ? &kube_pod_type :
               strcmp(resource, "services") == 0 ? &kube_service_type :
                                                   &kube_persistent_volume_claim_type;
}

static void *read_as(struct arena *arena, const struct kube_type *type, const char *text) {
        void *object = arena_alloc(arena, type->size);

        assert_int_equal(kube_json_read(arena, type, text, strlen(text), NULL, object), 0);
        return object;
}

static struct quota_item item_of(const char *group, const char *resource) {
        return (struct quota_item){ quota_kind_of(group, resource), group, resource, NULL };
}

static void take_kinds(struct quota_recount *recount) {
        static const char *const core[] = { "pods", "services", "persistentvolumeclaims", "secrets", "configmaps" };
        struct quota_item item = item_of("apps", "replicasets");

        quota_recount_takes(recount, &item);
        for (size_t i = 0; i < ELEMENTS(core); i++) {
                item = item_of("", core[i]);
                quota_recount_takes(recount, &item);
        }
}

static const char *used_text(struct arena *arena, const resource_list *used) {
        const char *text = "";
        char amount[QUANTITY_TEXT_MAX];

        list_for_each (one, used)
                text = arena_printf(arena, "%s%s%s=%s", text, *text ? " " : "", one->name,
                                    quantity_format(one->amount, amount));
        return text;
}

static void recounted(void **state) {
        for (size_t i = 0; i < ELEMENTS(recounts); i++) {
                const struct recount_case *c = &recounts[i];
                _cleanup_arena_ struct arena *arena = arena_new();
                struct kube_resource_quota *quota = read_as(arena, &kube_resource_quota_type, c->quota);
                struct quota_recount recount;
                bool changed;

                assert_int_equal(quota_recount_begin(&recount, arena, quota), 0);
                take_kinds(&recount);
                for (unsigned o = 0; o < OBJECTS_MAX && c->objects[o].resource; o++) {
                        struct quota_item item = item_of(c->objects[o].group, c->objects[o].resource);

                        if (quota_reads(&item))
                                item.object = read_as(arena, type_of(item.resource), c->objects[o].text);
                        assert_int_equal(quota_recount_add(&recount, arena, &item), 0);
                }
                assert_int_equal(quota_recount_end(&recount, &changed), 0);
                assert_string_equal(used_text(arena, &quota->status.used), c->used);
                assert_int_equal(changed, c->changed);
                assert_int_equal(quota->status.hard.count, quota->spec.hard.count);
        }
}

/* A charge is no reason to count. */
static void what_is_due(void **state) {
        static const struct {
                const char *quota;
                bool due;
        } cases[] = {
                { HARD("\"pods\":\"2\"", "", ""), true },
                { HARD("\"pods\":\"2\"", "", "\"hard\":{\"pods\":\"2\"}"), true },
                { HARD("\"pods\":\"2\"", "", "\"hard\":{\"pods\":\"2\"},\"used\":{\"pods\":\"1\"}"), false },
                { HARD("\"pods\":\"2\"", "", "\"hard\":{\"pods\":\"3\"},\"used\":{\"pods\":\"1\"}"), true },
                { HARD("\"pods\":\"2\"", "", "\"hard\":{\"secrets\":\"2\"},\"used\":{\"pods\":\"1\"}"), true },
                { HARD("\"count/moons\":\"2\"", "", "\"hard\":{\"count/moons\":\"2\"}"), false },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct quota_recount recount;

                assert_int_equal(
                        quota_recount_begin(&recount, arena, read_as(arena, &kube_resource_quota_type, cases[i].quota)),
                        0);
                take_kinds(&recount);
                assert_int_equal(quota_recount_is_due(&recount), cases[i].due);
        }
}

/* --- the controller --- */

static uv_loop_t loop;
static struct fake fake;
static struct kube_registry *kinds;
static struct controllers *controllers;
static uint64_t now;
static bool charged;

static uint64_t clock_now(void *data) {
        return now;
}

static bool is_charged(void *data, const char *namespace) {
        assert_string_equal(namespace, "n");
        return charged;
}

static const struct kube_kind *kind_of(const char *kind) {
        return kube_registry_kind(kinds, "", "v1", kind);
}

static void turn(void) {
        for (unsigned i = 0; i < 4; i++) {
                uv_run(&loop, UV_RUN_NOWAIT);
                controllers_turn(controllers);
                fake_answer_lists(&fake);
        }
}

static void turn_after(uint64_t ns) {
        now += ns;
        turn();
}

static int begin(void **state) {
        struct controllers_config config = {
                .client = &fake.base, .which = "resourcequota", .charged = is_charged, .now = clock_now
        };

        now = 1000 * WORK_SECOND;
        charged = false;
        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        config.kinds = kinds = api_kinds_new(NULL);
        assert_int_equal(controllers_new(&config, &controllers, NULL), 0);
        assert_int_equal(controllers_start(controllers), 0);
        turn();
        return 0;
}

static int end(void **state) {
        controllers_stop(controllers);
        fake_done(&fake);
        uv_run(&loop, UV_RUN_DEFAULT);
        controllers_free(controllers);
        kinds = kube_registry_free(kinds);
        return uv_loop_close(&loop);
}

#define QUOTA(hard, used)                                                                                              \
        "{\"metadata\":{\"name\":\"q\",\"namespace\":\"n\",\"resourceVersion\":\"5\"},\"spec\":{\"hard\":{\"pods\":"   \
        "\"4\"}},\"status\":{\"hard\":{" hard "},\"used\":{" used "}}}"

static void put_quota(const char *text) {
        fake_put(&fake, kind_of("ResourceQuota"), "n", "q", text);
        turn();
}

static void put_pod(const char *name, const char *text) {
        fake_put(&fake, kind_of("Pod"), "n", name, text);
        turn();
}

#define RUNNING                                                                                                        \
        "{\"metadata\":{\"name\":\"a\",\"generation\":1,\"namespace\":\"n\"},\"status\":{\"phase\":\"Running\"}}"
#define ENDED "{\"metadata\":{\"name\":\"a\",\"generation\":1,\"namespace\":\"n\"},\"status\":{\"phase\":\"Failed\"}}"
#define RESIZED                                                                                                        \
        "{\"metadata\":{\"name\":\"a\",\"generation\":2,\"namespace\":\"n\"},\"status\":{\"phase\":\"Running\"}}"

/* The status is written with the revision that it was counted from; a charge afterwards is left alone. */
static void it_is_written(const char *used) {
        struct fake_call *c = fake_next(&fake);

        assert_non_null(c);
        assert_int_equal(c->verb, KUBE_VERB_UPDATE);
        assert_string_equal(c->target, "/api/v1/namespaces/n/resourcequotas/q/status");
        assert_non_null(strstr(c->body, "\"resourceVersion\":\"5\""));
        assert_non_null(strstr(c->body, used));
}

static void a_new_quota_is_counted(void **state) {
        put_pod("a", RUNNING);
        put_quota(QUOTA("", ""));
        it_is_written("\"status\":{\"hard\":{\"pods\":\"4\"},\"used\":{\"pods\":\"1\"}}");
        fake_answer(fake_next(&fake), 200, "", "{}");
        put_quota(QUOTA("\"pods\":\"4\"", "\"pods\":\"1\""));
        put_quota(QUOTA("\"pods\":\"4\"", "\"pods\":\"3\"")); /* charged */
        turn_after(4 * WORK_SECOND);
        assert_null(fake_next(&fake));
        turn_after(1 * WORK_SECOND); /* new bounds: once more */
        it_is_written("\"used\":{\"pods\":\"1\"}");
        fake_answer(fake_next(&fake), 200, "", "{}");
        turn_after(299 * WORK_SECOND);
        assert_null(fake_next(&fake));
        turn_after(1 * WORK_SECOND); /* for what never came */
        it_is_written("\"used\":{\"pods\":\"1\"}");
}

static void what_comes_to_use_less(void **state) {
        unsigned lists;

        put_pod("a", RUNNING);
        put_quota(QUOTA("\"pods\":\"4\"", "\"pods\":\"1\""));
        put_pod("b", RUNNING);
        put_pod("a", RUNNING);
        turn_after(WORK_SECOND);
        assert_null(fake_next(&fake)); /* what is made is admission's */
        put_quota(QUOTA("\"pods\":\"4\"", "\"pods\":\"2\""));
        put_pod("a", ENDED);
        turn_after(20 * MS);
        it_is_written("\"used\":{\"pods\":\"1\"}");
        fake_answer(fake_next(&fake), 200, "", "{}");
        put_quota(QUOTA("\"pods\":\"4\"", "\"pods\":\"1\""));
        put_pod("b", NULL);
        turn_after(20 * MS);
        it_is_written("\"used\":{\"pods\":\"0\"}");
        fake_answer(fake_next(&fake), 200, "", "{}");
        put_pod("c", RUNNING);
        lists = fake.n_lists;
        put_pod("c", RESIZED);
        turn_after(20 * MS);
        assert_int_equal(fake.n_lists, lists + 1);
        assert_null(fake_next(&fake)); /* it has what it had */
}

static void kinds_that_it_does_not_count(void **state) {
        unsigned lists;

        put_quota(QUOTA("\"pods\":\"4\"", "\"pods\":\"0\""));
        turn_after(20 * MS);
        lists = fake.n_lists;
        fake_put(&fake, kind_of("ConfigMap"), "n", "c", "{}");
        fake_put(&fake, kind_of("ConfigMap"), "n", "c", NULL);
        turn_after(20 * MS);
        assert_int_equal(fake.n_lists, lists);
        put_pod("a", RUNNING);
        put_pod("a", NULL);
        turn_after(20 * MS);
        assert_int_equal(fake.n_lists, lists + 1);
        put_quota(NULL);
        turn_after(3600 * WORK_SECOND);
        assert_int_equal(fake.n_lists, lists + 1);
}

static void not_over_a_charge(void **state) {
        unsigned lists = fake.n_lists;

        charged = true;
        put_pod("a", RUNNING);
        put_quota(QUOTA("", ""));
        turn_after(49 * MS);
        assert_int_equal(fake.n_lists, lists);
        charged = false;
        turn_after(20 * MS);
        it_is_written("\"used\":{\"pods\":\"1\"}");
        fake_answer(fake_next(&fake), 409, "Conflict", "{}");
        assert_null(fake_next(&fake));
        turn_after(20 * MS);
        it_is_written("\"used\":{\"pods\":\"1\"}");
        fake_answer(fake_next(&fake), 404, "NotFound", "{}");
        put_quota(NULL);
        turn_after(3600 * WORK_SECOND);
        assert_null(fake_next(&fake));
}

static void failures_come_back(void **state) {
        put_quota(QUOTA("", ""));
        fake_answer(fake_next(&fake), 500, "InternalError", "{}");
        turn_after(5 * MS);
        it_is_written("\"used\":{\"pods\":\"0\"}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(recounted),
                cmocka_unit_test(what_is_due),
                cmocka_unit_test_setup_teardown(a_new_quota_is_counted, begin, end),
                cmocka_unit_test_setup_teardown(what_comes_to_use_less, begin, end),
                cmocka_unit_test_setup_teardown(kinds_that_it_does_not_count, begin, end),
                cmocka_unit_test_setup_teardown(not_over_a_charge, begin, end),
                cmocka_unit_test_setup_teardown(failures_come_back, begin, end),
        };

        log_init("test", LOG_LEVEL_ERROR);
        return cmocka_run_group_tests_name("api/quota", tests, NULL, NULL);
}
