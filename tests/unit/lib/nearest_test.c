#include "lib/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"

static const char *const names[] = { "ps",      "pods", "logs", "exec",   "stop",     "start",
                                     "stopp",   "rm",   "rmi",  "images", "describe", "--runtime-endpoint",
                                     "inspect", "login" };

static const struct {
        const char *text, *name;
} cases[] = {
        { "stpo", "stop" },
        { "sotp", "stop" },
        { "stopp", "stopp" },
        { "stops", "stop" },
        { "log", "logs" },
        { "lgos", "logs" },
        { "descirbe", "describe" },
        { "desc", "describe" },
        { "--runtime-endpont", "--runtime-endpoint" },
        { "image", "images" },
        { "insepct", "inspect" },
        { "pod", "pods" },
        { "p", "ps" },
        { "xyzzy", NULL },
        { "frobnicate", NULL },
        { "", NULL },
        { "zz", NULL },
};

static void test_nearest(void **state) {
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct nearest nearest = nearest_to(cases[i].text);

                for (size_t k = 0; k < ELEMENTS(names); k++)
                        nearest_try(&nearest, names[k]);
                if (cases[i].name ? !nearest.name || strcmp(nearest.name, cases[i].name) != 0 : nearest.name != NULL)
                        fail_msg("%s: %s", cases[i].text, nearest.name ? nearest.name : "none");
        }
}

static void test_length(void **state) {
        char text[NEAREST_TEXT_MAX + 2], name[NEAREST_TEXT_MAX + 2];
        struct nearest nearest;

        memset(text, 'x', sizeof(text));
        memset(name, 'x', sizeof(name));
        text[NEAREST_TEXT_MAX] = name[NEAREST_TEXT_MAX] = '\0';
        name[5] = 'y';
        nearest = nearest_to(text);
        nearest_try(&nearest, name);
        assert_ptr_equal(nearest.name, name);
        assert_int_equal(nearest.distance, 1);

        strcat(text, "x");
        nearest = nearest_to(text);
        nearest_try(&nearest, name);
        assert_null(nearest.name);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_nearest), cmocka_unit_test(test_length) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
