#include "agent/container/log_links.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_names(void **state) {
        char name[NAME_MAX + 1], pod[256], id[65];

        log_link_name("web-node", "default", "main", "0123456789abcdef", name, sizeof(name));
        assert_string_equal(name, "web-node_default_main-0123456789abcdef.log");

        memset(id, 'a', 64);
        id[64] = '\0';
        memset(pod, 'p', sizeof(pod));
        pod[NAME_MAX - 64 - (int)strlen("_ns_c-.log")] = '\0';
        log_link_name(pod, "ns", "c", id, name, sizeof(name));
        assert_int_equal(strlen(name), NAME_MAX);
        assert_string_equal(name + NAME_MAX - 8, "aaaa.log");
        assert_int_equal(strspn(strrchr(name, '-') + 1, "a"), 64);

        /* One more is cut, as kubelet cuts it: behind the id's beginning. */
        strcat(pod, "p");
        log_link_name(pod, "ns", "c", id, name, sizeof(name));
        assert_int_equal(strlen(name), NAME_MAX);
        assert_int_equal(strspn(strrchr(name, '-') + 1, "a"), 63);
        assert_string_equal(name + NAME_MAX - 4, ".log");
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_names) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
