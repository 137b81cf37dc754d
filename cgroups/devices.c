#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cgroups/bpf.h"
#include "cgroups/limits.h"
#include "cgroups/tree.h"
#include "cgroups/v1.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define CHAR(number_major, number_minor)                                                                               \
        {                                                                                                              \
                .allow = true, .type = 'c', .major = number_major, .minor = number_minor, .read = true, .write = true, \
                .mknod = true                                                                                          \
        }

const struct cgroup_device cgroup_default_devices[] = {
        { .allow = true, .type = 'c', .major = -1, .minor = -1, .mknod = true },
        { .allow = true, .type = 'b', .major = -1, .minor = -1, .mknod = true },
        CHAR(1, 3),    /* null */
        CHAR(1, 5),    /* zero */
        CHAR(1, 7),    /* full */
        CHAR(1, 8),    /* random */
        CHAR(1, 9),    /* urandom */
        CHAR(5, 0),    /* tty */
        CHAR(5, 1),    /* console */
        CHAR(5, 2),    /* ptmx */
        CHAR(136, -1), /* pts */
};
const size_t cgroup_n_default_devices = ELEMENTS(cgroup_default_devices);

static int check(const struct cgroup_device *rules, size_t n, struct err **err) {
        if (n > CGROUP_DEVICE_RULES_MAX)
                return err_set(err, E2BIG, "device filter: %zu rules, at most %d are possible", n,
                               CGROUP_DEVICE_RULES_MAX);
        for (size_t i = 0; i < n; i++) {
                if (!rules[i].type || !strchr("abc", rules[i].type))
                        return err_set(err, EINVAL, "device filter: rule %zu: type must be a, b or c", i + 1);
                if (!rules[i].read && !rules[i].write && !rules[i].mknod)
                        return err_set(err, EINVAL, "device filter: rule %zu: access must be of r, w and m", i + 1);
                if (rules[i].major > INT32_MAX || rules[i].minor > INT32_MAX || rules[i].major < -1 ||
                    rules[i].minor < -1)
                        return err_set(err, EINVAL, "device filter: rule %zu: no such device number", i + 1);
        }
        return 0;
}

int cgroup_set_devices(const struct cgroups *c, const char *path, const struct cgroup_device *rules, size_t n_rules,
                       struct err **err) {
        const struct hierarchy *v1 = c->by_controller[CGROUP_DEVICES];
        char rel[CGROUP_PATH_MAX];
        int r = check(rules, n_rules, err);

        if (r < 0 || (r = cg_resolve(c, path, rel, err)) < 0)
                return r;
        if (c->bpf_devices) {
                _cleanup_close_ int dir = cg_open(c->v2, rel, "", O_RDONLY | O_DIRECTORY);

                if (dir < 0)
                        return err_errno(err, -dir, "cgroup %s", rel);
                r = cg_bpf_attach(c->programs, dir, rules, n_rules, err);
                return r < 0 ? err_wrap(err, r, "cgroup %s", rel) : r;
        }
        if (v1)
                return cg_v1_set_devices(v1, rel, rules, n_rules, err);
        cg_warn(c, CGROUP_DEVICES, "neither eBPF nor a v1 hierarchy");
        return 0;
}
