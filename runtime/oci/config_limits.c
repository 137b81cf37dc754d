#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/oci/oci.h"

/* An integer as OCI has it, also one beyond int64; 0: not there. */
static int64_t number(const struct value *resources, const char *path) {
        const struct value *value = value_find(resources, path);
        int64_t n = 0;

        if (!value_integer(value, &n) && value_is(value, VALUE_NUMBER))
                n = (int64_t)strtoull(value->text, NULL, 10);
        return n;
}

static int read_hugetlb(struct oci *oci, const struct value *list, struct cgroup_limits *limits, struct err **err) {
        struct cgroup_hugetlb *all = arena_alloc_array(oci->arena, value_count(list) + 1, sizeof(*all));

        if (!all)
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < value_count(list); i++)
                all[i] = (struct cgroup_hugetlb){ value_string_or(value_find(value_at(list, i), "pageSize"), ""),
                                                  (uint64_t)number(value_at(list, i), "limit") };
        limits->hugetlb = all;
        limits->n_hugetlb = value_count(list);
        return 0;
}

static int read_unified(struct oci *oci, const struct value *map, struct cgroup_limits *limits, struct err **err) {
        struct cgroup_unified *all = arena_alloc_array(oci->arena, value_count(map) + 1, sizeof(*all));

        if (!all)
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < value_count(map); i++)
                all[i] = (struct cgroup_unified){ map->members[i].key, value_string_or(&map->members[i].value, "") };
        limits->unified = all;
        limits->n_unified = value_count(map);
        return 0;
}

/* What would silently not be limited. */
static const char *const refused[] = {
        "rdma",
        "network.classID",
        "network.priorities",
        "cpu.realtimeRuntime",
        "cpu.realtimePeriod",
        "blockIO.leafWeight",
};

static int check_refused(const struct value *resources, struct err **err) {
        for (size_t i = 0; i < ELEMENTS(refused); i++) {
                const struct value *value = value_find(resources, refused[i]);
                int64_t n;

                if (value_is_null(value) || (value_integer(value, &n) ? n == 0 : value_count(value) == 0))
                        continue;
                return err_set(err, ENOTSUP, "linux.resources.%s: not supported", refused[i]);
        }
        return 0;
}

static struct cgroup_io *find_device(struct cgroup_io *all, size_t *n, int64_t major, int64_t minor) {
        for (size_t i = 0; i < *n; i++)
                if (all[i].major == major && all[i].minor == minor)
                        return &all[i];
        if (*n == CGROUP_IO_DEVICES_MAX)
                return NULL;
        all[*n] = (struct cgroup_io){ .major = (uint32_t)major, .minor = (uint32_t)minor };
        return &all[(*n)++];
}

static int read_io(struct oci *oci, const struct value *json, struct cgroup_limits *limits, struct err **err) {
        static const char *const names[] = { "throttleReadBpsDevice", "throttleWriteBpsDevice",
                                             "throttleReadIOPSDevice", "throttleWriteIOPSDevice" };
        struct cgroup_io *all = arena_alloc_array(oci->arena, CGROUP_IO_DEVICES_MAX, sizeof(*all));
        size_t n = 0;

        if (!all)
                return err_set(err, ENOMEM, "out of memory");
        for (unsigned k = 0; k < 4; k++) {
                const struct value *list = value_get(json, names[k]);

                for (uint32_t i = 0; i < value_count(list); i++) {
                        const struct value *item = value_at(list, i);
                        struct cgroup_io *io = find_device(all, &n, number(item, "major"), number(item, "minor"));
                        uint64_t rate = (uint64_t)number(item, "rate");

                        if (!io)
                                return err_set(err, EINVAL, "linux.resources.blockIO: more than %d devices",
                                               CGROUP_IO_DEVICES_MAX);
                        *(k == 0 ? &io->rbps : k == 1 ? &io->wbps : k == 2 ? &io->riops : &io->wiops) = rate;
                }
        }
        for (uint32_t i = 0; i < value_count(value_get(json, "weightDevice")); i++) {
                const struct value *item = value_at(value_get(json, "weightDevice"), i);
                struct cgroup_io *io = find_device(all, &n, number(item, "major"), number(item, "minor"));

                if (!io)
                        return err_set(err, EINVAL, "linux.resources.blockIO: more than %d devices",
                                       CGROUP_IO_DEVICES_MAX);
                io->weight = (uint16_t)number(item, "weight");
        }
        limits->io_weight = (uint16_t)number(json, "weight");
        limits->io = all;
        limits->n_io = n;
        return 0;
}

int oci_config_limits(struct oci *oci, const struct value *resources, struct cgroup_limits *limits, struct err **err) {
        int64_t swappiness;
        int r = check_refused(resources, err);

        if (r < 0)
                return r;
        *limits = (struct cgroup_limits){
                .cpu_shares = (uint64_t)number(resources, "cpu.shares"),
                .cpu_quota_us = number(resources, "cpu.quota"),
                .cpu_period_us = (uint64_t)number(resources, "cpu.period"),
                .cpu_burst_us = (uint64_t)number(resources, "cpu.burst"),
                .cpu_idle = number(resources, "cpu.idle") == 1,
                .cpuset_cpus = value_string(value_find(resources, "cpu.cpus")),
                .cpuset_mems = value_string(value_find(resources, "cpu.mems")),
                .memory_max = number(resources, "memory.limit"),
                .memory_low = number(resources, "memory.reservation"),
                .memory_swap = number(resources, "memory.swap"),
                .oom_kill_disable = value_bool_or(value_find(resources, "memory.disableOOMKiller"), false),
                .pids_max = number(resources, "pids.limit"),
        };
        if (value_integer(value_find(resources, "memory.swappiness"), &swappiness)) {
                if (swappiness < 0 || swappiness > 100)
                        return err_set(err, EINVAL, "linux.resources.memory.swappiness: 0 to 100");
                limits->memory_swappiness = (uint16_t)(swappiness + 1);
        }
        r = read_hugetlb(oci, value_get(resources, "hugepageLimits"), limits, err);
        if (r == 0)
                r = read_unified(oci, value_get(resources, "unified"), limits, err);
        if (r == 0)
                r = read_io(oci, value_get(resources, "blockIO"), limits, err);
        return r;
}
