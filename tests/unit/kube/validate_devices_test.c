/* What claims for devices ask of the cluster: whether a namespace is for devices that are shared with those who use
 * them, and who may write which part of a status. What is wrong in itself is in validate_cases.jsonl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "kube/validate/validate.h"
#include "lib/cleanup.h"
#include "tests/unit/kube/validate_case.h"

#define NODE_TERM(name)                                                                                                \
        "\"nodeSelector\":{\"nodeSelectorTerms\":[{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\","   \
        "\"values\":[\"" name "\"]}]}]}"
#define SPEC                                                                                                           \
        "\"spec\":{\"devices\":{\"requests\":[{\"name\":\"r\",\"exactly\":{\"deviceClassName\":\"c\","                 \
        "\"allocationMode\":\"ExactCount\",\"count\":1}}]}}"
#define RESULTS                                                                                                        \
        "\"devices\":{\"results\":[{\"request\":\"r\",\"driver\":\"a\",\"pool\":\"p\",\"device\":\"x\"},"              \
        "{\"request\":\"r\",\"driver\":\"b\",\"pool\":\"p\",\"device\":\"y\"}]}"
#define DEVICE(driver, device, data)                                                                                   \
        "{\"driver\":\"" driver "\",\"pool\":\"p\",\"device\":\"" device "\",\"data\":{\"k\":\"" data "\"}}"
#define CLAIM(status)                                                                                                  \
        "{\"metadata\":{\"name\":\"c\",\"namespace\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"1\","                   \
        "\"creationTimestamp\":\"2024-01-01T00:00:00Z\"}," SPEC ",\"status\":{" status "}}"
#define ALLOCATED "\"allocation\":{" RESULTS "," NODE_TERM("n1") "}"

/* Who asks, and what was asked of them, a line each. */
struct asker {
        const char *node;
        const char *may; /* the one verb that is granted; NULL: all are */
        char asked[512];
};

static const char *label(void *asker, const char *namespace, const char *label) {
        return strcmp(namespace, "admin") == 0 ? "true" : strcmp(namespace, "odd") == 0 ? "True" : NULL;
}

static const char *verb(void *asker) {
        return "update";
}

static const char *account_node(void *asker) {
        return ((struct asker *)asker)->node;
}

static const char *refuses(void *asker, const struct validate_right *right) {
        struct asker *a = asker;
        size_t n = strlen(a->asked);

        snprintf(a->asked + n, sizeof(a->asked) - n, "%s %s %s/%s\n", right->verb, right->sub, right->namespace,
                 right->name);
        return !a->may || strcmp(a->may, right->verb) == 0 ? NULL : "no";
}

static struct arena *arena;

static int set_up(void **state) {
        arena = arena_new();
        return arena ? 0 : -1;
}

static int tear_down(void **state) {
        arena = arena_free(arena);
        return 0;
}

static const struct value *read_text(const char *text) {
        const struct value *value = NULL;

        assert_int_equal(json_parse(arena, text, strlen(text), NULL, &value, NULL), 0);
        return value;
}

/* The first error; "": none. */
static const char *check(struct asker *asker, const char *kind, const char *sub, const char *object, const char *old) {
        static const struct validate_asks asks = { label, verb, account_node, refuses };
        const struct value *head =
                read_text(arena_printf(arena, "{\"group\":\"resource.k8s.io/v1\",\"kind\":\"%s\"}", kind));
        struct validate_case c = { .kind = case_kind(head),
                                   .sub = sub,
                                   .object = read_text(object),
                                   .old = old ? read_text(old) : NULL,
                                   .asks = &asks,
                                   .asker = asker };
        struct problems problems;

        asker->asked[0] = '\0';
        problems_init(&problems, arena, NULL, NULL);
        assert_int_equal(validate_value(arena, &c, &problems), 0);
        return problems.count > 0 ? problems.items[0].text : "";
}

#define ADMIN_CLAIM(namespace)                                                                                         \
        "{\"metadata\":{\"name\":\"c\",\"namespace\":\"" namespace "\"},\"spec\":{\"devices\":{\"requests\":["         \
                                                                   "{\"name\":\"a\",\"firstAvailable\":[{\"name\":"    \
                                                                   "\"s\",\"deviceClassName\":\"c\","                  \
                                                                   "\"allocationMode\":\"All\"}]},"                    \
                                                                   "{\"name\":\"b\",\"exactly\":{\"deviceClassName\":" \
                                                                   "\"c\",\"allocationMode\":\"All\",\"adminAccess\":" \
                                                                   "true}}]}}}"
#define ADMIN_REFUSED                                                                                                  \
        "spec.devices.requests[1].adminAccess: Forbidden: admin access to devices requires the "                       \
        "`resource.kubernetes.io/admin-access: true` label on the containing namespace"

static void test_admin_access(void **state) {
        struct asker asker = { 0 };

        assert_string_equal(check(&asker, "ResourceClaim", NULL, ADMIN_CLAIM("admin"), NULL), "");
        assert_string_equal(check(&asker, "ResourceClaim", NULL, ADMIN_CLAIM("odd"), NULL), ADMIN_REFUSED);
        assert_string_equal(check(&asker, "ResourceClaim", NULL, ADMIN_CLAIM("other"), NULL), ADMIN_REFUSED);
        assert_string_equal(asker.asked, "");
}

static void test_who_binds(void **state) {
        struct asker anybody = { 0 }, nobody = { .may = "get" };

        assert_string_equal(check(&anybody, "ResourceClaim", "status", CLAIM(ALLOCATED), CLAIM("")), "");
        assert_string_equal(anybody.asked, "update binding /\n");
        assert_string_equal(check(&nobody, "ResourceClaim", "status", CLAIM(ALLOCATED), CLAIM("")),
                            "status.allocation: Forbidden: changing status.allocation or status.reservedFor requires "
                            "resource=\"resourceclaims/binding\", verb=\"update\" permission: no");
        assert_string_equal(check(&nobody, "ResourceClaim", "status", CLAIM(ALLOCATED), CLAIM(ALLOCATED)), "");
        assert_string_equal(nobody.asked, "");
}

#define TOLD(data) ALLOCATED ",\"devices\":[" DEVICE("a", "x", data) "," DEVICE("b", "y", "1") "]"

static void test_whose_devices(void **state) {
        struct asker here = { .node = "n1", .may = "associated-node:update" }, there = here,
                     anywhere = { .may = "arbitrary-node:update" };

        there.node = "n2";
        assert_string_equal(check(&here, "ResourceClaim", "status", CLAIM(TOLD("2")), CLAIM(TOLD("1"))), "");
        assert_string_equal(here.asked, "associated-node:update driver n/a\n");
        assert_string_equal(check(&there, "ResourceClaim", "status", CLAIM(TOLD("2")), CLAIM(TOLD("1"))),
                            "status.devices: Forbidden: changing status.devices requires "
                            "resource=\"resourceclaims/driver\", verb=\"[arbitrary-node:update]\" permission: no");
        assert_string_equal(check(&anywhere, "ResourceClaim", "status", CLAIM(TOLD("2")), CLAIM(ALLOCATED)), "");
        assert_string_equal(anywhere.asked, "arbitrary-node:update driver n/a\narbitrary-node:update driver n/b\n");
}

/* What is not told any more is its driver's as well; and who is there asks for both verbs. */
static void test_whose_devices_go(void **state) {
        struct asker here = { .node = "n1", .may = "get" };

        assert_string_equal(check(&here, "ResourceClaim", "status",
                                  CLAIM(ALLOCATED ",\"devices\":[" DEVICE("a", "x", "1") "]"), CLAIM(TOLD("1"))),
                            "status.devices: Forbidden: changing status.devices requires "
                            "resource=\"resourceclaims/driver\", verb=\"[associated-node:update "
                            "arbitrary-node:update]\" permission: no");
        assert_string_equal(here.asked, "associated-node:update driver n/b\narbitrary-node:update driver n/b\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_admin_access, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_who_binds, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_whose_devices, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_whose_devices_go, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
