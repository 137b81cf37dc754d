/* Limits of a cgroup: what OCI's and CRI's Linux resources ask for, written as cgroup v2 (or v1) has it.
 *
 * Every field's zero means "leave as it is", so one struct serves creation and update. Quantities are in bytes,
 * microseconds and counts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cgroups;
struct err;

#define CGROUP_UNLIMITED (-1)
#define CGROUP_IO_DEVICES_MAX 64
#define CGROUP_UNIFIED_MAX 64
#define CGROUP_DEVICE_RULES_MAX 512

struct cgroup_io {
        uint32_t major, minor;
        uint16_t weight;                   /* 10 to 1000, 0: none */
        uint64_t rbps, wbps, riops, wiops; /* 0: none */
};

struct cgroup_hugetlb {
        const char *page_size; /* "2MB", "1GB" */
        uint64_t limit;        /* bytes */
};

/* A file of the v2 cgroup and what to write to it. Names with a slash are refused, and cgroup.* apart from
 * cgroup.max.*. A name whose controller is not on v2 here is refused with -EOPNOTSUPP. */
struct cgroup_unified {
        const char *name;
        const char *value;
};

struct cgroup_limits {
        uint64_t cpu_shares;    /* 2 to 262144, v1's unit; becomes cpu.weight by the formula of the OCI runtimes */
        uint64_t cpu_weight;    /* 1 to 10000, goes before shares */
        int64_t cpu_quota_us;   /* per period; CGROUP_UNLIMITED */
        uint64_t cpu_period_us; /* 0 with a quota: 100000 */
        uint64_t cpu_burst_us;
        bool cpu_idle;
        const char *cpuset_cpus; /* "0-3,7"; NULL or "": leave */
        const char *cpuset_mems;

        int64_t memory_max; /* CGROUP_UNLIMITED */
        int64_t memory_low, memory_min;
        int64_t memory_high;
        int64_t memory_swap;        /* memory and swap together, as OCI and CRI have it; CGROUP_UNLIMITED */
        bool oom_group;             /* an OOM kill takes all processes of the cgroup (v2) */
        bool oom_kill_disable;      /* v1 */
        uint16_t memory_swappiness; /* v1: one more than the percentage */

        int64_t pids_max; /* CGROUP_UNLIMITED */

        uint16_t io_weight; /* 10 to 1000, blkio's unit */
        const struct cgroup_io *io;
        size_t n_io;

        const struct cgroup_hugetlb *hugetlb;
        size_t n_hugetlb;

        const struct cgroup_unified *unified;
        size_t n_unified;
};

/* Writes the limits. The first that the kernel refuses fails the call with the file's name and the value; a controller
 * that is missing is a warning (see cgroup.h), except that unified and hugetlb entries fail with -EOPNOTSUPP. */
int cgroup_apply(const struct cgroups *cgroups, const char *path, const struct cgroup_limits *limits, struct err **err);

/* As cgroup_apply(), of a cgroup in use: in an order in which the kernel takes each step, and either all of it or,
 * after a failure, nothing. */
int cgroup_update(const struct cgroups *cgroups, const char *path, const struct cgroup_limits *limits,
                  struct err **err);

/* cpu.weight (1 to 10000) of cpu.shares (2 to 262144); 0 for 0. The curve through (2, 1), (1024, 100), (262144, 10000)
 * that KEP-2254 was amended to. */
uint64_t cgroup_weight_of_shares(uint64_t shares);

/* One rule of OCI's linux.resources.devices: later rules go before earlier ones. */
struct cgroup_device {
        bool allow;
        char type;            /* 'c', 'b', 'a' for both */
        int64_t major, minor; /* -1: any */
        bool read, write, mknod;
};

/* Replaces the cgroup's device filter: everything is denied, then @rules are applied in order. An eBPF program on v2
 * (BPF_CGROUP_DEVICE, attached in place of the one this function attached before), devices.deny and devices.allow on
 * v1. Refusals: -E2BIG beyond CGROUP_DEVICE_RULES_MAX, -EINVAL for a rule without access or type. */
int cgroup_set_devices(const struct cgroups *cgroups, const char *path, const struct cgroup_device *rules,
                       size_t n_rules, struct err **err);

/* What each container may have besides what its spec names, as runc allows it: mknod of anything, null, zero, full,
 * random, urandom, tty, console, ptmx and the pts. */
extern const struct cgroup_device cgroup_default_devices[];
extern const size_t cgroup_n_default_devices;
