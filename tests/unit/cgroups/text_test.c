/* What needs no hierarchy: mounts, paths, scales, sentences. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cgroups/cgroup.h"
#include "cgroups/limits.h"
#include "cgroups/mounts.h"
#include "cgroups/oom.h"
#include "cgroups/stats.h"
#include "cgroups/tree.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

static const struct {
        const char *mountinfo;
        size_t n;
        struct cg_mount mounts[5];
} mounts[] = {
        { "25 30 0:23 / /sys rw,nosuid - sysfs sysfs rw\n"
          "35 25 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
          1,
          { { .path = "/sys/fs/cgroup", .v2 = true } } },
        { "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
          "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
          "37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"
          "38 31 0:36 / /sys/fs/cgroup/net_cls rw - cgroup cgroup rw,net_cls,net_prio\n"
          "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
          "41 31 0:37 / /mnt rw - cgroup cgroup rw,xattr,release_agent=/lib/agent,name=systemd\n"
          "42 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
          5,
          { { .path = "/sys/fs/cgroup/cpu,cpuacct",
              .options = "cpu,cpuacct",
              .controllers = CG_BIT(CGROUP_CPU) | CG_BIT(CGROUP_CPUACCT) },
            { .path = "/sys/fs/cgroup/freezer", .options = "freezer", .controllers = CG_BIT(CGROUP_FREEZER) },
            { .path = "/sys/fs/cgroup/net_cls", .options = "net_cls,net_prio" },
            { .path = "/sys/fs/cgroup/systemd", .options = "name=systemd" },
            { .path = "/sys/fs/cgroup/unified", .v2 = true } } },
        /* A container's view of its own cgroup, and a second mount of one hierarchy. */
        { "35 25 0:30 /pod /run/somewhere rw - cgroup2 cgroup2 rw\n"
          "36 25 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
          "37 25 0:30 / /mnt rw - cgroup2 cgroup2 rw\n",
          1,
          { { .path = "/sys/fs/cgroup", .v2 = true } } },
        { "", 0, { { .v2 = false } } },
        { "no mount at all\n - cgroup2\n1 2 3 - cgroup2 cgroup2 rw\n", 0, { { .v2 = false } } },
};

static void test_mounts(void **state) {
        for (size_t i = 0; i < ELEMENTS(mounts); i++) {
                struct cg_mount found[CGROUP_HIERARCHIES_MAX];

                assert_int_equal(cg_mounts_parse(mounts[i].mountinfo, found, ELEMENTS(found)), mounts[i].n);
                for (size_t j = 0; j < mounts[i].n; j++) {
                        assert_string_equal(found[j].path, mounts[i].mounts[j].path);
                        assert_string_equal(found[j].options, mounts[i].mounts[j].options);
                        assert_int_equal(found[j].v2, mounts[i].mounts[j].v2);
                        assert_int_equal(found[j].controllers, mounts[i].mounts[j].controllers);
                }
                assert_true(cg_mounts_parse(mounts[i].mountinfo, found, 1) <= 1);
        }
}

static const struct cg_mount *same(const struct cg_mount *among, size_t n, const struct cg_mount *wanted) {
        for (size_t i = 0; i < n; i++)
                if (among[i].v2 == wanted->v2 && strcmp(among[i].options, wanted->options) == 0)
                        return &among[i];
        fail_msg("%s is not among them", wanted->path);
        return NULL;
}

/* On a machine with v1 hierarchies at their usual places both ways find the same. */
static void test_usual_mounts(void **state) {
        struct cg_mount usual[CGROUP_HIERARCHIES_MAX], all[CGROUP_HIERARCHIES_MAX];
        _cleanup_free_ char *self = NULL, *mountinfo = NULL, *more = NULL;
        int fds[CGROUP_HIERARCHIES_MAX];
        size_t n, n_all;

        assert_int_equal(files_read("/proc/self/cgroup", 1 << 20, &self, NULL, NULL), 0);
        assert_int_equal(files_read("/proc/self/mountinfo", 1 << 24, &mountinfo, NULL, NULL), 0);
        n = cg_mounts_usual(self, "/sys/fs/cgroup", usual, fds, ELEMENTS(usual));
        n_all = cg_mounts_parse(mountinfo, all, ELEMENTS(all));
        if (n == 0)
                skip();
        assert_int_equal(n, n_all);
        for (size_t i = 0; i < n; i++) {
                const struct cg_mount *other = same(all, n_all, &usual[i]);

                assert_string_equal(usual[i].path, other->path);
                assert_int_equal(usual[i].controllers, other->controllers);
                close(fds[i]);
        }
        assert_int_equal(cg_mounts_usual(self, "/sys/fs/cgroup", usual, fds, n - 1), 0);
        assert_int_equal(cg_mounts_usual(self, "/sys/fs", usual, fds, ELEMENTS(usual)), 0);
        assert_true(asprintf(&more, "77:name=nobody-has-this:/\n%s", self) > 0);
        assert_int_equal(cg_mounts_usual(more, "/sys/fs/cgroup", usual, fds, ELEMENTS(usual)), 0);
}

/* Names that lead elsewhere, directories that are no hierarchy or not its root, lines of another form. */
static void test_unusual_mounts(void **state) {
        static const char *const texts[] = { "",
                                             "4:../cgroup/memory:/\n",
                                             "4:name=..:/\n",
                                             "4:fs:/\n",
                                             "4::/\n",
                                             "0:cpu:/\n",
                                             "memory\n",
                                             "x:memory:/\n",
                                             ":::\n",
                                             "\n\n",
                                             "4:fs/cgroup/memory:/\n" };
        struct cg_mount found[2];
        int fds[2];

        for (size_t i = 0; i < ELEMENTS(texts); i++)
                assert_int_equal(cg_mounts_usual(texts[i], "/sys", found, fds, ELEMENTS(found)), 0);
}

static const struct {
        uint64_t shares, weight;
} weights[] = {
        { 0, 0 },      { 1, 1 },      { 2, 1 },          { 3, 2 },          { 512, 59 },
        { 1024, 100 }, { 2048, 174 }, { 262144, 10000 }, { 300000, 10000 },
};

static void test_weights(void **state) {
        for (size_t i = 0; i < ELEMENTS(weights); i++)
                assert_int_equal(cgroup_weight_of_shares(weights[i].shares), weights[i].weight);
        for (uint64_t shares = 3; shares < 262144; shares++) {
                double l = log2((double)shares);

                assert_int_equal(cgroup_weight_of_shares(shares),
                                 ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0)));
                assert_true(cgroup_weight_of_shares(shares) <= cgroup_weight_of_shares(shares + 1));
        }
}

static const struct {
        const char *path, *rel;
        int error;
} paths[] = {
        { "pod", "nacelle/pod", 0 }, { "/kubepods/pod", "kubepods/pod", 0 },
        { "//a///b/", "a/b", 0 },    { "", "nacelle", 0 },
        { "...", "nacelle/...", 0 }, { "/", NULL, EINVAL },
        { "..", NULL, EINVAL },      { "a/../b", NULL, EINVAL },
        { "/a/.", NULL, EINVAL },    { "a\nb", NULL, EINVAL },
};

static void test_paths(void **state) {
        const struct cgroups c = { .root = "nacelle" };
        char rel[CGROUP_PATH_MAX], path[CGROUP_PATH_MAX + 8];

        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                _cleanup_err_ struct err *err = NULL;

                assert_int_equal(cg_resolve(&c, paths[i].path, rel, &err), -paths[i].error);
                if (paths[i].rel)
                        assert_string_equal(rel, paths[i].rel);
                else
                        assert_non_null(strstr(err_text(err), "cgroup path"));
        }
        memset(path, '\0', sizeof(path));
        for (size_t i = 0; i < CGROUP_PATH_MAX; i += 2)
                memcpy(path + i, "/a", 2);
        path[CGROUP_PATH_MAX - 2] = '\0'; /* a path of that size, without its first slash, just fits */
        assert_int_equal(cg_resolve(&c, path, rel, NULL), 0);
        strcat(path, "/a/a");
        assert_int_equal(cg_resolve(&c, path, rel, NULL), -ENAMETOOLONG);
        memset(path, 'a', 256);
        path[256] = '\0';
        assert_int_equal(cg_resolve(&c, path, rel, NULL), -ENAMETOOLONG);
        path[255] = '\0';
        assert_int_equal(cg_resolve(&c, path, rel, NULL), 0);
}

static void test_fields(void **state) {
        static const char text[] = "low 0\nhigh 3\nmax 17\noom 2\noom_kill 1\n";

        assert_int_equal(cg_field(text, "low"), 0);
        assert_int_equal(cg_field(text, "oom"), 2);
        assert_int_equal(cg_field(text, "oom_kill"), 1);
        assert_true(cg_field(text, "oom_group_kill") == CGROUP_UNKNOWN);
        assert_true(cg_field("", "low") == CGROUP_UNKNOWN);
}

static const struct {
        struct cgroup_oom_state state;
        const char *text;
} explanations[] = {
        { { .limit = 64 << 20, .peak = 64 << 20, .failcnt = 12 }, "memory limit 64Mi, peak 64Mi, limit hit 12 times" },
        { { .limit = 1000000, .peak = 999424, .failcnt = 1 }, "memory limit 1.0Mi, peak 976Ki, limit hit 1 times" },
        { { .limit = 2048, .peak = CGROUP_UNKNOWN, .usage = 1024 }, "memory limit 2Ki, peak 1Ki" },
        { { .limit = CGROUP_UNKNOWN, .peak = CGROUP_UNKNOWN, .usage = CGROUP_UNKNOWN },
          "no memory limit of its own, peak unknown; the pod's or the node's memory was short" },
};

static void test_explanations(void **state) {
        for (size_t i = 0; i < ELEMENTS(explanations); i++) {
                char text[OOM_TEXT_MAX];

                assert_string_equal(cgroup_oom_explain(&explanations[i].state, text), explanations[i].text);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mounts),         cmocka_unit_test(test_usual_mounts),
                cmocka_unit_test(test_unusual_mounts), cmocka_unit_test(test_weights),
                cmocka_unit_test(test_paths),          cmocka_unit_test(test_fields),
                cmocka_unit_test(test_explanations),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
