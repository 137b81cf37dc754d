#include "kube/quantity.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* One row a rule: what a user writes, the amount in thousandths, and how the API writes it back. */
static const struct {
        const char *text;
        int64_t milli;
        const char *canonical;
} amounts[] = {
        { "2", 2000, "2" },
        { "500m", 500, "500m" },
        { ".5", 500, "500m" },
        { "0.5", 500, "500m" },
        { "1.5Gi", 1610612736000, "1536Mi" },
        { "0.5Ki", 512000, "512" },
        { "64Mi", 67108864000, "64Mi" },
        { "1024Ki", 1048576000, "1Mi" },
        { "1000", 1000000, "1k" },
        { "1500", 1500000, "1500" },
        { "128974848", 128974848000, "128974848" },
        { "129e6", 129000000000, "129e6" },
        { "129M", 129000000000, "129M" },
        { "2e3", 2000000, "2e3" },
        { "1E-3", 1, "1e-3" },
        { "1n", 1, "1n" },
        { "100u", 1, "100u" },
        { "0.0001", 1, "100u" },
        { "0.0000000001", 1, "1n" },
        { "-1", -1000, "-1" },
        { "+1", 1000, "1" },
        { "0", 0, "0" },
        { "0Mi", 0, "0" },
        { "957022.0000000000004M", 957022000000001, "957022000000000001u" },
        { "1E", INT64_MAX, "1E" },
        { "007", 7000, "7" },
};

static void test_amounts(void **state) {
        char text[QUANTITY_TEXT_MAX];

        for (size_t i = 0; i < ELEMENTS(amounts); i++) {
                struct quantity q;

                assert_int_equal(quantity_parse(amounts[i].text, &q, NULL), 0);
                if (quantity_milli(q) != amounts[i].milli)
                        fail_msg("%s: %lld", amounts[i].text, (long long)quantity_milli(q));
                assert_string_equal(quantity_format(q, text), amounts[i].canonical);
        }
}

static const struct {
        const char *text;
        int error;
        const char *says; /* part of the sentence the user reads */
} refusals[] = {
        { "", EINVAL, "does not begin with a number" },
        { "Gi", EINVAL, "does not begin with a number" },
        { ".", EINVAL, "does not begin with a number" },
        { "1 Gi", EINVAL, "unknown suffix \" Gi\"" },
        { "1gb", EINVAL, "unknown suffix \"gb\"" },
        { "1.2.3", EINVAL, "unknown suffix \".3\"" },
        { "1e", EINVAL, "unknown suffix \"e\"" },
        { "1e19", EINVAL, "unknown suffix" },
        { "7Ei", 0, NULL }, /* the largest power of its suffix that fits, and one past it */
        { "8Ei", ERANGE, "too large" },
        { "9223372036854775807", 0, NULL },
        { "9223372036854775808", ERANGE, "too large" },
        { "99999999999999999999999999999999999999999999", ERANGE, "too large" },
};

static void test_refusals(void **state) {
        for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct quantity q = { .value = 42 };

                assert_int_equal(quantity_parse(refusals[i].text, &q, &err), -refusals[i].error);
                if (!refusals[i].error)
                        continue;
                assert_non_null(strstr(err_text(err), refusals[i].says));
                assert_int_equal(q.value, 42);
        }
}

static void test_words_of_go(void **state) {
        static const char format[] = "quantities must match the regular expression "
                                     "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                          suffix[] = "unable to parse quantity's suffix",
                          numeric[] = "unable to parse numeric part of quantity";
        static const struct {
                const char *text, *says;
        } rows[] = {
                { "", format },      { "x", format },   { "1Gb", format },  { "1 Gi", format },
                { "1.2.3", format }, { "1mi", suffix }, { "1GiM", suffix }, { "1e", suffix },
                { "1i", suffix },    { "Gi", numeric }, { "m", numeric },   { ".", numeric },
                { "-", numeric },    { "e3", numeric }, { "1m-x", format }, { "1m-2", suffix },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++)
                assert_string_equal(quantity_in_go(rows[i].text), rows[i].says);
}

static struct quantity q(const char *text) {
        struct quantity quantity;

        assert_int_equal(quantity_parse(text, &quantity, NULL), 0);
        return quantity;
}

static void test_arithmetic(void **state) {
        char text[QUANTITY_TEXT_MAX];

        assert_int_equal(quantity_compare(q("1"), q("1000m")), 0);
        assert_true(quantity_compare(q("1Gi"), q("1G")) > 0);
        assert_string_equal(quantity_format(quantity_add(q("500m"), q("1500m")), text), "2");
        assert_string_equal(quantity_format(quantity_add(q("1Gi"), q("512Mi")), text), "1536Mi");
        assert_int_equal(quantity_units(quantity_add(q("9223372036854775807"), q("1"))), INT64_MAX);
        assert_int_equal(quantity_units(q("1100m")), 2);
        assert_int_equal(quantity_units(q("-1100m")), -2);
        /* resourceFieldRef: rounded up to the divisor. */
        assert_int_equal(quantity_divide(q("250m"), q("1")), 1);
        assert_int_equal(quantity_divide(q("250m"), q("1m")), 250);
        assert_int_equal(quantity_divide(q("64Mi"), q("1Mi")), 64);
        assert_int_equal(quantity_divide(q("65M"), q("1Mi")), 62);
        assert_int_equal(quantity_divide(q("7"), (struct quantity){ 0 }), 7);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_amounts),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_words_of_go),
                cmocka_unit_test(test_arithmetic),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
