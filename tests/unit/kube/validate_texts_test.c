/* Small languages that are read where objects are validated: schedules, time zones, sets of indexes, URLs of webhooks.
 * The words are those that kube-apiserver 1.36.3 has for the same texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kube/problem.h"
#include "kube/validate/admission.h"
#include "kube/validate/job.h"
#include "kube/validate/schedule.h"
#include "kube/validate/validate.h"
#include "kube/validate/warnings.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static struct arena *arena;
static struct problems problems;
static struct validation validation;

static int set_up(void **state) {
        arena = arena_new();
        problems_init(&problems, arena, NULL, NULL);
        validation = (struct validation){ .problems = &problems, .arena = arena };
        return arena ? 0 : -1;
}

static int tear_down(void **state) {
        arena = arena_free(arena);
        return 0;
}

struct row {
        const char *text, *problem; /* NULL: none */
};

static void compare(const struct row *row, const char *problem) {
        if (row->problem && problem)
                assert_string_equal(problem, row->problem);
        else if (row->problem || problem)
                fail_msg("\"%s\": \"%s\", not \"%s\"", row->text, problem ?: "(nothing)", row->problem ?: "(nothing)");
}

static void test_schedules(void **state) {
        static const struct row rows[] = {
                { "*/5 * * * *", NULL },
                { "@daily", NULL },
                { "@every 1h30m5.5s", NULL },
                { "0 0 1 JAN-DEC Mon-fri", NULL },
                { "? ? ? ? ?", NULL },
                { "*-x * * * *", NULL },
                { "1,,2 * * * *", NULL },
                { ", * * * *", NULL },
                { "+5 * * * *", NULL },
                { "5/100 * * * *", NULL },
                { "\t1 2\n3 4 5 ", NULL },
                { "TZ=UTC * * * * *", NULL },
                { "59 23 31 12 6", NULL },
                { "60 * * * *", "end of range (60) above maximum (59): 60" },
                { "* 24 * * *", "end of range (24) above maximum (23): 24" },
                { "* * 0 * *", "beginning of range (0) below minimum (1): 0" },
                { "* * 32 * *", "end of range (32) above maximum (31): 32" },
                { "* * * 13 *", "end of range (13) above maximum (12): 13" },
                { "* * * * 7", "end of range (7) above maximum (6): 7" },
                { "* * * *", "expected exactly 5 fields, found 4: [* * * *]" },
                { "*  *\t* * * *", "expected exactly 5 fields, found 6: [* * * * * *]" },
                { "", "expected exactly 5 fields, found 0: []" },
                { "1-2-3 * * * *", "too many hyphens: 1-2-3" },
                { "1/2/3 * * * *", "too many slashes: 1/2/3" },
                { "5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1" },
                { "*/0 * * * *", "step of range should be a positive number: */0" },
                { "*/-1 * * * *", "negative number (-1) not allowed: -1" },
                { "-5 * * * *", "failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax" },
                { "0 0 1 foo mon", "failed to parse int from foo: strconv.Atoi: parsing \"foo\": invalid syntax" },
                { "99999999999999999999 * * * *", "failed to parse int from 99999999999999999999: strconv.Atoi: "
                                                  "parsing \"99999999999999999999\": value out of range" },
                { "@daily ", "unrecognized descriptor: @daily " },
                { "@every", "unrecognized descriptor: @every" },
                { "@every 1", "failed to parse duration @every 1: time: missing unit in duration \"1\"" },
                { "@every 1x", "failed to parse duration @every 1x: time: unknown unit \"x\" in duration \"1x\"" },
                { "@every x", "failed to parse duration @every x: time: invalid duration \"x\"" },
                { "TZ=UTC", "invalid schedule format: runtime error: slice bounds out of range [:-1]" },
                { "TZ=../x * * * * *", "provided bad location ../x: time: invalid location name" },
                { "CRON_TZ=Nowhere/X * * * * *", "provided bad location Nowhere/X: unknown time zone Nowhere/X" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++)
                compare(&rows[i], schedule_problem(arena, rows[i].text));
}

static void test_zones(void **state) {
        static const struct row rows[] = {
                { "UTC", NULL },
                { "Local", NULL },
                { "Nowhere", "unknown time zone Nowhere" },
                { "../x", "unknown time zone ../x" },
                { "Europe/Berlin/", "unknown time zone Europe/Berlin/" },
                { "-x", "unknown time zone -x" },
                { "a b", "unknown time zone a b" },
                { "xxxxxxxxxxxxxx", "unknown time zone xxxxxxxxxxxxxx" },
                { "xxxxxxxxxxxxxxx", "unknown time zone xxxxxxxxxxxxxxx" },
        };
        char deep[4096];

        for (size_t i = 0; i < ELEMENTS(rows); i++)
                compare(&rows[i], schedule_zone_problem(arena, rows[i].text));
        for (size_t i = 0; i + 1 < sizeof(deep); i++)
                deep[i] = i % 2 ? '/' : 'a';
        deep[sizeof(deep) - 2] = 'a';
        deep[sizeof(deep) - 1] = '\0';
        assert_non_null(schedule_zone_problem(arena, deep));
}

static void test_indexes(void **state) {
        static const struct {
                struct row row;
                int64_t total;
        } rows[] = {
                { { "", NULL }, 0 },
                { { "0-2,4", NULL }, 4 },
                { { "9", NULL }, 1 },
                { { "+1", NULL }, 1 },
                { { "10", "too large index: \"10\"" }, 0 },
                { { "1-10", "too large index: \"10\"" }, 0 },
                { { "1,", "cannot convert string to integer for index: \"\"" }, 0 },
                { { "-1", "cannot convert string to integer for index: \"\"" }, 0 },
                { { "x", "cannot convert string to integer for index: \"x\"" }, 0 },
                { { "99999999999999999999", "cannot convert string to integer for index: \"99999999999999999999\"" },
                  0 },
                { { "1-2-3", "the fragment \"1-2-3\" violates the requirement that an index interval can have at most "
                             "two parts separated by '-'" },
                  0 },
                { { "3,1", "non-increasing order, previous: 3, current: 1" }, 0 },
                { { "3-1", "non-increasing order, previous: 3, current: 1" }, 0 },
                { { "1-3,3", "non-increasing order, previous: 3, current: 3" }, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                int64_t total = -1;

                compare(&rows[i].row, validate_indexes(&validation, rows[i].row.text, 10, &total));
                assert_int_equal(total, rows[i].total);
        }
        assert_null(validate_indexes_apart(&validation, "0,3-4", "1-2", 10));
        assert_null(validate_indexes_apart(&validation, "0-9", "", 10));
        assert_null(validate_indexes_apart(&validation, "x,20", "1", 10));
        assert_string_equal(validate_indexes_apart(&validation, "0,x,4", "1-4", 10),
                            "failedIndexes and completedIndexes overlap at index: 4");
}

static void test_urls(void **state) {
#define FORM "; desired format: https://host[/path]"
        static const struct row rows[] = {
                { "https://example.com", NULL },
                { "HTTPS://example.com:8443/a%20b/", NULL },
                { "https://[::1]:443/x", NULL },
                { "https://example.com:/", NULL },
                { "http://a", "u: Invalid value: \"http\": 'https' is the only allowed URL scheme" FORM },
                { "https://", "u: Invalid value: \"\": host must be specified" FORM },
                { "https:a", "u: Invalid value: \"\": host must be specified" FORM },
                { "https://u:p@a/", "u: Invalid value: \"u:p\": user information is not permitted in the URL" },
                { "https://a/?x=y", "u: Invalid value: \"x=y\": query parameters are not permitted in the URL" },
                { "https://a/#f", "u: Invalid value: \"f\": fragments are not permitted in the URL" },
                { "%", "u: Required value: url must be a valid URL: parse \"%\": invalid URL escape \"%\"" FORM },
                { "https://a/%zz", "u: Required value: url must be a valid URL: parse \"https://a/%zz\": invalid URL "
                                   "escape \"%zz\"" FORM },
                { "https://a:b", "u: Required value: url must be a valid URL: parse \"https://a:b\": invalid port "
                                 "\":b\" after host" FORM },
                { ":x", "u: Required value: url must be a valid URL: parse \":x\": missing protocol scheme" FORM },
                { "1:x", "u: Required value: url must be a valid URL: parse \"1:x\": first path segment in URL cannot "
                         "contain colon" FORM },
                { "https://a b/", "u: Required value: url must be a valid URL: parse \"https://a b/\": invalid "
                                  "character \" \" in host name" FORM },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                problems_init(&problems, arena, NULL, NULL);
                validate_webhook_url(&validation, FIELD(NULL, "u"), rows[i].text);
                compare(&rows[i], problems.count > 0 ? problems.items[0].text : NULL);
        }
}

/* --- warnings --- */

static struct validate_warnings warnings;

static void begin_warnings(void) {
        warnings = (struct validate_warnings){ 0 };
        validation.warnings = &warnings;
}

static void test_addresses_warned_of(void **state) {
        static const struct row ips[] = {
                { "10.0.0.1", NULL },
                { "fd00::1", NULL },
                { "nonsense", NULL },
                { "010.0.0.1", "non-standard IP address \"010.0.0.1\" is invalid: use \"10.0.0.1\"" },
                { "::ffff:1.2.3.4", "non-standard IP address \"::ffff:1.2.3.4\" is invalid: use \"1.2.3.4\"" },
                { "FD00::1", "IPv6 address \"FD00::1\" should be in RFC 5952 canonical format (\"fd00::1\")" },
                { "::1.2.3.4", "IPv6 address \"::1.2.3.4\" should be in RFC 5952 canonical format (\"::102:304\")" },
        };
        static const struct row cidrs[] = {
                { "10.0.0.0/8", NULL },
                { "10.0.0.0", NULL },
                { "10.0.0.1/8", "CIDR value \"10.0.0.1/8\" is ambiguous in this context (should be \"10.0.0.0/8\" or "
                                "\"10.0.0.1/32\"?)" },
                { "10.0.0.0/08", "non-standard CIDR value \"10.0.0.0/08\" is invalid: use \"10.0.0.0/8\"" },
                { "::ffff:1.2.3.0/120",
                  "non-standard CIDR value \"::ffff:1.2.3.0/120\" is invalid: use \"1.2.3.0/24\"" },
                { "FD00::/8", "IPv6 CIDR value \"FD00::/8\" should be in RFC 5952 canonical format (\"fd00::/8\")" },
        };

        for (size_t i = 0; i < ELEMENTS(ips); i++) {
                begin_warnings();
                validate_warn_ip(&validation, NULL, ips[i].text);
                compare(&ips[i], warnings.count > 0 ? warnings.texts[0] : NULL);
        }
        for (size_t i = 0; i < ELEMENTS(cidrs); i++) {
                begin_warnings();
                validate_warn_cidr(&validation, NULL, cidrs[i].text);
                compare(&cidrs[i], warnings.count > 0 ? warnings.texts[0] : NULL);
        }
        assert_int_equal(problems.count, 0);
}

/* As many as are kept, and one more; and where none are wanted. */
static void test_warnings_are_bounded(void **state) {
        const struct place *spec = FIELD(NULL, "spec");

        begin_warnings();
        for (unsigned i = 0; i < VALIDATE_WARNINGS_MAX - 1; i++)
                validate_warn(&validation, ITEM(spec, i), "old");
        assert_false(validate_has_warned(&validation));
        validate_warn(&validation, NULL, "last %d", 1);
        assert_true(validate_has_warned(&validation));
        validate_warn(&validation, NULL, "too late");
        assert_int_equal(warnings.count, VALIDATE_WARNINGS_MAX);
        assert_string_equal(warnings.texts[0], "spec[0]: old");
        assert_string_equal(warnings.texts[VALIDATE_WARNINGS_MAX - 1], "last 1");
        validation.warnings = NULL;
        validate_warn(&validation, spec, "nobody listens");
        assert_int_equal(validation.error, 0);
}

/* Ports of one number that all go together are compared so often and no more. */
static void test_many_ports(void **state) {
        enum { MANY = 3000 };
        static struct kube_container_port ports[MANY];
        struct kube_container container = { .name = "c", .ports = { ports, MANY } };
        struct kube_pod_spec spec = { .containers = { &container, 1 } };

        for (int i = 0; i < MANY; i++)
                ports[i] = (struct kube_container_port){ .container_port = 80, .host_port = i + 1, .protocol = "TCP" };
        begin_warnings();
        validate_warn_ports(&validation, FIELD(NULL, "spec"), &spec);
        assert_int_equal(warnings.count, 0);
        ports[1].host_port = 1;
        validate_warn_ports(&validation, FIELD(NULL, "spec"), &spec);
        assert_int_equal(warnings.count, 1);
        assert_string_equal(warnings.texts[0],
                            "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_schedules, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_addresses_warned_of, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_warnings_are_bounded, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_many_ports, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_zones, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_indexes, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_urls, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
