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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_schedules, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_zones, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_indexes, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_urls, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
