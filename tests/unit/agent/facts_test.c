/* What the node has: its huge pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/node/facts.h"
#include "lib/files.h"

static char directory[] = "/tmp/nacelle-facts-XXXXXX";

static void add(const char *name, const char *pages) {
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(path, sizeof(path), "%s/%s/nr_hugepages", directory, name);
        assert_int_equal(files_replace(path, pages, strlen(pages), 0600, NULL), 0);
}

static void check(const struct node_huge_pages *size, const char *name, int64_t page, int64_t all) {
        assert_string_equal(size->name, name);
        assert_int_equal(size->page, page);
        assert_int_equal(size->all_bytes, all);
}

static void sizes_are_named_as_kubernetes_names_them(void **state) {
        struct node_huge_pages sizes[NODE_HUGE_SIZES_MAX];

        assert_non_null(mkdtemp(directory));
        add("hugepages-64kB", "5\n");
        add("hugepages-2048kB", "0\n");
        add("hugepages-1048576kB", "3\n");
        add("hugepages-x", "7\n");
        assert_int_equal(node_huge_pages_read(directory, sizes), 3);
        check(&sizes[0], "hugepages-1Gi", INT64_C(1) << 30, INT64_C(3) << 30);
        check(&sizes[1], "hugepages-2Mi", 2 << 20, 0);
        check(&sizes[2], "hugepages-64Ki", 64 << 10, 5 * (64 << 10));
        assert_int_equal(files_remove_tree(directory, NULL), 0);
        assert_int_equal(node_huge_pages_read(directory, sizes), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sizes_are_named_as_kubernetes_names_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
