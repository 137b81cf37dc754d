/* What is known of pods, and the end points that are made of it. */
#include "tests/unit/support/fake_client.h"

#include "api/controllers/endpoints.h"
#include "api/controllers/slices.h"
#include "api/kinds.h"
#include "client/informer.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static uv_loop_t loop;
static struct fake fake;
static struct kube_registry *kinds;
static struct informers *informers;
static struct known *pods, *services, *slices, *nodes;

static struct known *known_of(const char *group, const char *version, const char *kind) {
        struct informer *informer =
                informers_get(informers, kube_registry_kind(kinds, group, version, kind), NULL, true);
        struct known *known = informer ? known_new(informer) : NULL;

        assert_non_null(known);
        return known;
}

static int begin(void **state) {
        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        kinds = api_kinds_new(NULL);
        informers = informers_new(&fake.base, NULL, NULL);
        pods = known_of("", "v1", "Pod");
        services = known_of("", "v1", "Service");
        nodes = known_of("", "v1", "Node");
        slices = known_of("discovery.k8s.io", "v1", "EndpointSlice");
        return 0;
}

static int end(void **state) {
        informers_free(informers);
        known_free(pods);
        known_free(services);
        known_free(nodes);
        known_free(slices);
        fake_done(&fake);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
        kinds = kube_registry_free(kinds);
        return 0;
}

static int64_t revision;

static const struct known_object *put(struct known *known, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
static const struct known_object *put(struct known *known, const char *format, ...) {
        char text[65536];
        struct bytes *json;
        const struct known_object *o;
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        json = bytes_copy(text, strlen(text));
        o = known_assume(known, json);
        bytes_unref(json);
        assert_non_null(o);
        return o;
}

#define META(name)                                                                                                     \
        "\"metadata\":{\"namespace\":\"n\",\"name\":\"" name "\",\"uid\":\"u-" name "\",\"resourceVersion\":\"%d\""

static const struct known_object *put_pod(unsigned i, bool ready) {
        return put(pods,
                   "{" META("p%04u") ",\"labels\":{\"a\":\"b\"}},\"spec\":{\"nodeName\":\"node\",\"containers\":[{"
                                     "\"ports\":[{"
                                     "\"name\":\"http\",\"containerPort\":80}]}]},\"status\":{\"phase\":\"Running\","
                                     "\"podIP\":\"10.0.%u.%u\","
                                     "\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\",\"lastTransitionTime\":"
                                     "\"2026-11-30T00:00:00Z\"}]}}",
                   i, i, (int)++revision, i / 250, i % 250 + 1, ready ? "True" : "False");
}

static const struct known_object *put_service(void) {
        return put(services,
                   "{" META("s") "},\"spec\":{\"selector\":{\"a\":\"b\"},\"clusterIP\":\"10.96.0.1\",\"ipFamilies\":["
                                 "\"IPv4\"],"
                                 "\"ports\":[{\"port\":80,\"protocol\":\"TCP\",\"targetPort\":\"http\"}]}}",
                   (int)++revision);
}

/* --- what is known --- */

static void what_was_answered_counts_until_the_watch_has_come_as_far(void **state) {
        const struct known_object *old;

        old = put(pods, "{" META("p") ",\"labels\":{\"v\":\"1\"}}}", 7);
        assert_true(old->assumed);
        put(pods, "{" META("p") ",\"labels\":{\"v\":\"2\"}}}", 9);
        put(pods, "{" META("p") ",\"labels\":{\"v\":\"3\"}}}", 8);
        assert_string_equal(known_label(known_find(pods, "n", "p"), "v"), "2");
        known_leave(pods, "n", "p", "another");
        assert_false(known_find(pods, "n", "p")->leaving);
        known_leave(pods, "n", "p", "u-p");
        put(pods, "{" META("p") "}}", 10);
        assert_true(known_find(pods, "n", "p")->leaving);
        assert_false(known_is_active(known_find(pods, "n", "p")));
        assert_true(known_is_terminating(known_find(pods, "n", "p")));
}

static void pods_are_read(void **state) {
        const struct known_object *o = put(
                pods,
                "{" META(
                        "p") ",\"annotations\":{\"controller.kubernetes.io/"
                             "pod-deletion-cost\":\"-7\"},\"ownerReferences\":["
                             "{\"uid\":\"1\"},{\"kind\":\"ReplicaSet\",\"name\":\"r\",\"uid\":\"2\",\"controller\":"
                             "true}]},\"spec\":{"
                             "\"containers\":[{\"ports\":[{\"containerPort\":1}]},{}],\"initContainers\":[{\"ports\":[{"
                             "\"containerPort\":2}]},{\"restartPolicy\":\"Always\",\"ports\":[{\"name\":\"x\","
                             "\"containerPort\":3,"
                             "\"protocol\":\"UDP\"}]}]},\"status\":{\"phase\":\"Unknown\",\"podIPs\":[{\"ip\":\"10.0.0."
                             "1\"},{\"ip\":"
                             "\"fd00::1\"}],\"podIP\":\"10.0.0.1\",\"containerStatuses\":[{\"restartCount\":1},{"
                             "\"restartCount\":4}],"
                             "\"initContainerStatuses\":[{\"restartCount\":2}]}}",
                1);

        assert_string_equal(o->owner, "2");
        assert_string_equal(o->owner_name, "r");
        assert_int_equal(o->pod->deletion_cost, -7);
        assert_int_equal(o->pod->phase, KNOWN_UNKNOWN);
        assert_int_equal(o->pod->n_ips, 2);
        assert_int_equal(o->pod->restarts, 4);
        assert_int_equal(o->pod->sidecar_restarts, 2);
        assert_int_equal(o->pod->n_ports, 2);
        assert_string_equal(o->pod->ports[0].protocol, "TCP");
        assert_int_equal(o->pod->ports[1].number, 3);
        assert_int_equal(known_first_owned(pods, "2", "n").object == o, true);
        assert_null(known_first_owned(pods, "1", "n").object);
}

static void costs_are_whole_numbers(void **state) {
        static const struct {
                const char *text;
                int32_t cost;
        } cases[] = { { "5", 5 },
                      { "-5", -5 },
                      { "0", 0 },
                      { "+5", 0 },
                      { "05", 0 },
                      { "5x", 0 },
                      { "", 0 },
                      { "-0", 0 },
                      { "2147483647", INT32_MAX },
                      { "2147483648", 0 },
                      { "-2147483648", INT32_MIN } };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct known_object *o =
                        put(pods,
                            "{" META("p") ",\"annotations\":{\"controller.kubernetes.io/pod-deletion-cost\":\"%s\"}}}",
                            (int)i + 1, cases[i].text);

                if (o->pod->deletion_cost != cases[i].cost)
                        fail_msg("%s: %d", cases[i].text, o->pod->deletion_cost);
        }
}

/* --- Endpoints --- */

static void decide(struct arena *arena, struct endpoints_plan *plan) {
        const struct known_object *service = known_find(services, "n", "s");

        *plan = (struct endpoints_plan){
                .arena = arena, .service = service, .typed = known_typed(services, service), .pods = pods
        };
        assert_int_equal(endpoints_decide(plan), 0);
}

static void a_thousand_addresses_and_no_more(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct endpoints_plan plan;

        put_service();
        for (unsigned i = 0; i < 995; i++)
                put_pod(i, true);
        for (unsigned i = 995; i < 1000; i++)
                put_pod(i, false);
        decide(arena, &plan);
        assert_int_equal(plan.total, 1000);
        assert_int_equal(plan.subsets.items[0].not_ready_addresses.count, 5);
        put_pod(1000, false);
        decide(arena, &plan);
        assert_int_equal(plan.total, 1001);
        assert_int_equal(plan.subsets.items[0].addresses.count, 995);
        assert_int_equal(plan.subsets.items[0].not_ready_addresses.count, 5);
        for (unsigned i = 1001; i < 1011; i++)
                put_pod(i, true);
        decide(arena, &plan);
        assert_int_equal(plan.subsets.items[0].addresses.count, 1000);
        assert_int_equal(plan.subsets.items[0].not_ready_addresses.count, 0);
}

/* --- EndpointSlices --- */

static void place(struct arena *arena, struct slices_plan *plan) {
        const struct known_object *service = known_find(services, "n", "s");

        *plan = (struct slices_plan){ .arena = arena,
                                      .service = service,
                                      .typed = known_typed(services, service),
                                      .pods = pods,
                                      .nodes = nodes,
                                      .slices = slices };
        assert_int_equal(slices_gather(plan), 0);
        assert_int_equal(slices_place(plan), 0);
}

static void put_node(void) {
        put(nodes, "{\"metadata\":{\"name\":\"node\",\"uid\":\"node\",\"resourceVersion\":\"%d\"}}", (int)++revision);
}

/* A slice of @n pods from @from on, as it would have been written. */
static void put_slice(const char *name, unsigned from, unsigned n) {
        char ends[32768] = "";
        size_t length = 0;

        for (unsigned i = from; i < from + n; i++)
                length += (size_t)snprintf(ends + length, sizeof(ends) - length,
                                           "%s{\"addresses\":[\"10.0.%u.%u\"],\"conditions\":{\"ready\":true,"
                                           "\"serving\":true,\"terminating\":"
                                           "false},\"nodeName\":\"node\",\"targetRef\":{\"kind\":\"Pod\",\"namespace\":"
                                           "\"n\",\"name\":\"p%04u\","
                                           "\"uid\":\"u-p%04u\"}}",
                                           i > from ? "," : "", i / 250, i % 250 + 1, i, i);
        put(slices,
            "{\"metadata\":{\"namespace\":\"n\",\"name\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"%d\",\"labels\":{"
            "\"" SLICES_SERVICE "\":\"s\",\"" SLICES_MANAGED_BY "\":\"" SLICES_MANAGER
            "\"},\"ownerReferences\":[{\"kind\":"
            "\"Service\",\"name\":\"s\",\"uid\":\"u-s\",\"controller\":true}]},\"addressType\":\"IPv4\",\"endpoints\":["
            "%s],"
            "\"ports\":[{\"name\":\"\",\"protocol\":\"TCP\",\"port\":80}]}",
            name, name, (int)++revision, ends);
}

static const struct slices_wanted *wanted(const struct slices_plan *plan, const char *name) {
        for (uint32_t i = 0; i < plan->n_wanted; i++)
                if (plan->wanted[i].there && strcmp(plan->wanted[i].there->name, name) == 0)
                        return &plan->wanted[i];
        return NULL;
}

static unsigned changes(const struct slices_plan *plan) {
        unsigned n = 0;

        for (uint32_t i = 0; i < plan->n_wanted; i++)
                n += plan->wanted[i].changed || (plan->wanted[i].removed && plan->wanted[i].there);
        return n;
}

static void slices_of_a_hundred(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct slices_plan plan;

        put_node();
        put_service();
        for (unsigned i = 0; i < 201; i++)
                put_pod(i, true);
        place(arena, &plan);
        assert_int_equal(plan.n_wanted, 3);
        assert_int_equal(plan.wanted[0].n, 100);
        assert_int_equal(plan.wanted[2].n, 1);
}

static void as_few_change_as_can_be(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct slices_plan plan;

        put_node();
        put_service();
        for (unsigned i = 0; i < 170; i++)
                put_pod(i, true);
        put_slice("one", 0, 80);
        put_slice("two", 80, 90);
        place(arena, &plan);
        assert_int_equal(changes(&plan), 0);

        put_pod(3, false); /* one that changes is written where it is */
        place(arena, &plan);
        assert_int_equal(changes(&plan), 1);
        assert_true(wanted(&plan, "one")->changed);

        put_pod(3, true);
        put_pod(170, true); /* one more goes to the fullest that has room */
        place(arena, &plan);
        assert_int_equal(changes(&plan), 1);
        assert_int_equal(wanted(&plan, "two")->n, 91);

        put_pod(3, false); /* what is written anyway is filled first */
        place(arena, &plan);
        assert_int_equal(changes(&plan), 1);
        assert_int_equal(wanted(&plan, "one")->n, 81);

        put_pod(3, true);
        for (unsigned i = 171; i < 190; i++) /* more than has room in one is one of its own */
                put_pod(i, true);
        for (unsigned i = 190; i < 220; i++)
                put_pod(i, true);
        place(arena, &plan);
        assert_int_equal(changes(&plan), 1);
        assert_int_equal(plan.n_wanted, 3);
        assert_int_equal(plan.wanted[2].n, 50);
}

/* One that was written by hand names a pod twice, and one that is not there. */
static void nobody_is_there_twice(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct slices_plan plan;

        put_node();
        put_service();
        for (unsigned i = 0; i < 3; i++)
                put_pod(i, true);
        put_slice("one", 0, 2);
        put_slice("two", 1, 3);
        place(arena, &plan);
        assert_int_equal(wanted(&plan, "one")->n + wanted(&plan, "two")->n, 3);
        assert_false(wanted(&plan, "one")->changed);
        assert_int_equal(wanted(&plan, "two")->n, 1);
}

static void one_that_goes_is_used_again(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct slices_plan plan;

        put_node();
        put_service();
        put_slice("one", 0, 2); /* of pods that are gone */
        place(arena, &plan);
        assert_int_equal(changes(&plan), 1);
        assert_int_equal(wanted(&plan, "one")->n, 0);
        assert_true(wanted(&plan, "one")->changed);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH(what_was_answered_counts_until_the_watch_has_come_as_far),
                WITH(pods_are_read),
                WITH(costs_are_whole_numbers),
                WITH(a_thousand_addresses_and_no_more),
                WITH(slices_of_a_hundred),
                WITH(as_few_change_as_can_be),
                WITH(nobody_is_there_twice),
                WITH(one_that_goes_is_used_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
