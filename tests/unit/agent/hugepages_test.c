/* Of which size the pages of an emptyDir are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/volumes/hugepages.h"
#include "lib/cleanup.h"

static struct resource_amount amounts[2][2];
static struct kube_container containers[2], init;
static struct pod pod = { .spec.containers = { containers, 2 }, .spec.init_containers = { &init, 1 } };

/* What the two containers ask for; NULL: nothing. */
static void ask(const char *one, const char *other) {
        amounts[0][0].name = one;
        amounts[1][0].name = "cpu";
        amounts[1][1].name = other;
        containers[0].resources.requests = (resource_list){ amounts[0], one ? 1 : 0 };
        containers[1].resources.limits = (resource_list){ amounts[1], other ? 2 : 1 };
}

static void sizes(void **state) {
        static const struct {
                const char *medium, *one, *other, *option, *words;
        } cases[] = {
                { "HugePages", "hugepages-2Mi", NULL, "pagesize=2Mi", NULL },
                { "HugePages", NULL, "hugepages-1Gi", "pagesize=1Gi", NULL },
                { "HugePages", "hugepages-1Gi", "hugepages-1024Mi", "pagesize=1Gi", NULL },
                { "HugePages-1Gi", "hugepages-2Mi", "hugepages-1Gi", "pagesize=1Gi", NULL },
                { "HugePages-2048Ki", "hugepages-2Mi", "hugepages-1Gi", "pagesize=2Mi", NULL },
                { "HugePages", "hugepages-2Mi", "hugepages-1Gi", NULL,
                  "medium: HugePages can't be used if container requests multiple huge page sizes" },
                { "HugePages", NULL, NULL, NULL,
                  "medium HugePages: hugePages storage requested, but there is no resource request for huge pages" },
                { "HugePages-1Gi", "hugepages-2Mi", NULL, NULL,
                  "medium HugePages-1Gi: hugePages storage requested, but there is no resource request for huge "
                  "pages" },
                { "HugePages", "hugepages-x", "hugepages-", NULL,
                  "medium HugePages: hugePages storage requested, but there is no resource request for huge pages" },
                { "HugePages-", "hugepages-2Mi", NULL, NULL,
                  "medium HugePages-: give HugePages or HugePages-SIZE, as HugePages-2Mi" },
                { "HugePagesX", "hugepages-2Mi", NULL, NULL,
                  "medium HugePagesX: give HugePages or HugePages-SIZE, as HugePages-2Mi" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_err_ struct err *err = NULL;
                char option[HUGEPAGES_OPTION_MAX] = "";
                int r;

                ask(cases[i].one, cases[i].other);
                r = hugepages_option(&pod, cases[i].medium, option, &err);
                assert_int_equal(r, cases[i].option ? 0 : -EINVAL);
                if (r == 0)
                        assert_string_equal(option, cases[i].option);
                else
                        assert_string_equal(err_text(err), cases[i].words);
        }
}

/* Of an init container too; what the kernel mounts has the size. Needs root, and a kernel with such pages. */
static void mounted(void **state) {
        static struct resource_amount amount = { .name = "hugepages-1Gi" };
        const struct pod_files files = { .pod = &pod };
        char top[] = "/tmp/nacelle-hugepages-XXXXXX", line[512];
        bool found = false;
        FILE *f;

        if (access("/sys/kernel/mm/hugepages/hugepages-1048576kB", F_OK) < 0)
                skip();
        ask(NULL, NULL);
        init.resources.requests = (resource_list){ &amount, 1 };
        assert_non_null(mkdtemp(top));
        assert_int_equal(hugepages_make(&files, "HugePages", top, NULL), 0);
        assert_int_equal(hugepages_make(&files, "HugePages", top, NULL), 0);
        f = fopen("/proc/self/mounts", "r");
        while (f && fgets(line, sizeof(line), f))
                found |= strstr(line, top) && strstr(line, "pagesize=1024M");
        if (f)
                fclose(f);
        assert_int_equal(umount(top), 0);
        assert_int_equal(rmdir(top), 0);
        assert_true(found);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sizes),
                cmocka_unit_test(mounted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
